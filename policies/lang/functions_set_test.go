package lang

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func TestToSetIsThatOfTheLibrary(t *testing.T) {
	a, b, null, unknown := cty.StringVal("a"), cty.StringVal("b"), cty.NullVal(cty.String), cty.UnknownVal(cty.String)
	cases := map[string]cty.Value{
		"texts":          cty.TupleVal([]cty.Value{b, a, b}),
		"null within":    cty.TupleVal([]cty.Value{a, null}),
		"unknown within": cty.TupleVal([]cty.Value{a, unknown}),
		"marked within":  cty.TupleVal([]cty.Value{a, b.Mark("secret")}),
		"marked":         cty.TupleVal([]cty.Value{a, b}).Mark("secret"),
		"mixed":          cty.TupleVal([]cty.Value{a, cty.NumberIntVal(1)}),
		"numbers":        cty.TupleVal([]cty.Value{cty.NumberIntVal(2), cty.NumberIntVal(1)}),
		"tuples":         cty.TupleVal([]cty.Value{cty.TupleVal([]cty.Value{a}), cty.TupleVal([]cty.Value{b})}),
		"empty":          cty.EmptyTupleVal,
		"list":           cty.ListVal([]cty.Value{b, a}),
		"set":            cty.SetVal([]cty.Value{b, a}),
		"text":           a,
		"null":           cty.NullVal(cty.Tuple([]cty.Type{cty.String})),
		"unknown":        cty.UnknownVal(cty.Tuple([]cty.Type{cty.String})),
		"anything":       cty.DynamicVal,
	}
	theirs, ours := stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), toSetFunc()
	for name, in := range cases {
		want, wantErr := theirs.Call([]cty.Value{in})
		got, err := ours.Call([]cty.Value{in})
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() || err == nil && !got.RawEquals(want) {
			t.Errorf("%s: toset(%#v) = %#v, %v, want %#v, %v", name, in, got, err, want, wantErr)
		}
	}
}

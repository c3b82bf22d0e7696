package lang

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// formatFunc is cty's format with a short way.
func formatFunc() function.Function {
	f := stdlib.FormatFunc
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      f.Params(),
		VarParam:    f.VarParam(),
		Type:        f.ReturnTypeForValues,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if text, ok := formatPlain(args); ok {
				return cty.StringVal(text), nil
			}
			return f.Call(args)
		},
	})
}

// formatPlain is format for what most policies ask of it, %s of text and %d or %05d of a whole number
// that is not negative. Not ok leaves all else to the function of cty, with what it says about mistakes.
func formatPlain(args []cty.Value) (out string, ok bool) {
	if len(args) < 2 {
		return "", false
	}
	form, ok := plainArgument(args[0])
	if !ok {
		return "", false
	}
	room := make([]byte, 0, 64)
	for _, arg := range args[1:] {
		before, verb, found := strings.Cut(form, "%")
		if !found {
			return "", false
		}
		room = append(room, before...)
		if room, form, ok = appendVerb(room, verb, arg); !ok {
			return "", false
		}
	}
	if strings.Contains(form, "%") {
		return "", false
	}
	return string(append(room, form...)), true
}

// appendVerb prints one argument. Rest is what stands behind its verb.
func appendVerb(dst []byte, verb string, arg cty.Value) (out []byte, rest string, ok bool) {
	if rest, ok = strings.CutPrefix(verb, "s"); ok {
		text, ok := plainArgument(arg)
		return append(dst, text...), rest, ok
	}
	width, rest, ok := strings.Cut(verb, "d")
	if !ok || len(width) > 2 || width != "" && (width[0] != '0' || len(width) != 2 || width[1] < '1' || width[1] > '9') {
		return dst, "", false
	}
	number, ok := plainNumber(arg)
	if !ok {
		return dst, "", false
	}
	digits := strconv.AppendUint(make([]byte, 0, 20), number, 10)
	for n := len(digits); len(width) == 2 && n < int(width[1]-'0'); n++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...), rest, true
}

func plainArgument(v cty.Value) (string, bool) {
	if v.IsMarked() || !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

func plainNumber(v cty.Value) (uint64, bool) {
	if v.IsMarked() || !v.IsKnown() || v.IsNull() || v.Type() != cty.Number {
		return 0, false
	}
	n, exact := v.AsBigFloat().Uint64()
	return n, exact == big.Exact
}

package lang

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// FuzzJoin compares our way with a template, and with format, with those of hcl and cty.
func FuzzJoin(f *testing.F) {
	for _, text := range []string{"plain", "a${text}b${number}c${yes}", "${nothing}${unknown}", "x${unknown}y${list}", "a${secret}b${text}${number}", "${gone}${text}",
		"${list[7]}${text}", "${text}", "${e}\u0301", `é${format("%05d-%s", number, text)}`, "${format(\"%d%%\", number)}", "${format(\"%s\", secret)}",
		`${format("%05d %d", number)}`, `${format("%d", half)}${format("%05d", less)}${format("%5d", number)}`, `%{ if yes }a${number}%{ endif }`, "${format(\"%s\", nothing)}"} {
		f.Add(text)
	}
	text := func(v cty.Value, diags hcl.Diagnostics) string {
		var b strings.Builder
		fmt.Fprintf(&b, "%#v\n", v)
		for _, d := range diags {
			said, _, _ := strings.Cut(d.Error(), " Did you mean") // one of several, at random
			fmt.Fprintln(&b, said)
			if d.Expression != nil {
				fmt.Fprintln(&b, len(d.Expression.Variables()))
			}
		}
		return b.String()
	}
	ours := (&scope{budget: newBudget()}).guard("format", stdlib.FormatFunc)
	values := map[string]cty.Value{"text": cty.StringVal("t%d"), "number": cty.NumberIntVal(42), "half": cty.NumberFloatVal(.5), "less": cty.NumberIntVal(-7), "yes": cty.True,
		"nothing": cty.NullVal(cty.String), "unknown": cty.UnknownVal(cty.String), "list": cty.ListVal([]cty.Value{cty.StringVal("x")}),
		"secret": cty.StringVal("s").Mark("sensitive"), "e": cty.StringVal("e")}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1000 || deepestTemplate(src) || vast.MatchString(src) {
			return
		}
		e, diags := hclsyntax.ParseTemplate([]byte(src), "f", hcl.InitialPos)
		if diags.HasErrors() {
			return
		}
		ctx := func(format function.Function) *hcl.EvalContext {
			return &hcl.EvalContext{Variables: values, Functions: map[string]function.Function{"format": format}}
		}
		want, got := text(e.Value(ctx(stdlib.FormatFunc))), text(value(e, ctx(ours)))
		if strings.Contains(want, "format") && strings.Contains(want, "Error") {
			return // guard has words of its own
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-hcl +ours):\n%s", src, diff)
		}
	})
}

// vast are numbers and widths that take long, and are refused before.
var vast = regexp.MustCompile(`[0-9]{4}|[0-9]\.?[eE]`)

// deepestTemplate keeps the parser of hcl from overflowing the stack, which is none of ours here.
func deepestTemplate(src string) bool {
	return strings.Count(src, "(")+strings.Count(src, "[")+strings.Count(src, "{") > 60
}

func TestFormatPlain(t *testing.T) {
	number := cty.NumberIntVal
	tests := map[string]struct {
		args []cty.Value
		want string
		ok   bool
	}{
		"zeros":           {[]cty.Value{cty.StringVal("f%05d"), number(7)}, "f00007", true},
		"longer than it":  {[]cty.Value{cty.StringVal("%02d!"), number(1234)}, "1234!", true},
		"several":         {[]cty.Value{cty.StringVal("%s-%d"), cty.StringVal("a%d"), number(0)}, "a%d-0", true},
		"negative":        {[]cty.Value{cty.StringVal("%05d"), number(-7)}, "", false},
		"no whole number": {[]cty.Value{cty.StringVal("%d"), cty.NumberFloatVal(0.5)}, "", false},
		"percent sign":    {[]cty.Value{cty.StringVal("%d%%"), number(1)}, "", false},
		"too few":         {[]cty.Value{cty.StringVal("%d %d"), number(1)}, "", false},
		"too many":        {[]cty.Value{cty.StringVal("%d"), number(1), number(2)}, "", false},
		"width":           {[]cty.Value{cty.StringVal("%5d"), number(1)}, "", false},
		"wide":            {[]cty.Value{cty.StringVal("%012d"), number(1)}, "", false},
		"sensitive":       {[]cty.Value{cty.StringVal("%d"), number(1).Mark("sensitive")}, "", false},
		"unknown":         {[]cty.Value{cty.StringVal("%s"), cty.UnknownVal(cty.String)}, "", false},
		"null":            {[]cty.Value{cty.StringVal("%s"), cty.NullVal(cty.String)}, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := formatPlain(tt.args)
			if ok != tt.ok || ok && got != tt.want {
				t.Errorf("formatPlain = %q, %t, want %q, %t", got, ok, tt.want, tt.ok)
			}
			whole, err := stdlib.FormatFunc.Call(tt.args)
			if ok && (err != nil || whole.AsString() != got) {
				t.Errorf("cty has %#v, %v", whole, err)
			}
		})
	}
}

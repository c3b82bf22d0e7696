package lang

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"plumb/policies"
)

// addressOf reads ROOT.NAME, which JSON has in quotes.
func addressOf(e hclsyntax.Expression, root string) (string, bool) {
	t, diags := hcl.AbsTraversalForExpr(e)
	if template, ok := e.(*hclsyntax.TemplateExpr); ok && template.IsStringLiteral() && strings.HasSuffix(e.Range().Filename, ".json") {
		v, _ := template.Value(nil)
		t, diags = hclsyntax.ParseTraversalAbs([]byte(text(v)), e.Range().Filename, e.Range().Start)
	}
	if diags.HasErrors() || len(t) != 2 || t.RootName() != root {
		return "", false
	}
	attr, ok := t[1].(hcl.TraverseAttr)
	return attr.Name, ok
}

// duration reads seconds from constant text such as 36h.
func (l *loader) duration(e hclsyntax.Expression) int {
	if e == nil {
		return 0
	}
	word, ok := l.constant(e)
	if !ok {
		return 0
	}
	n, ok := durationSeconds(word)
	if !ok {
		l.report(failure(e.Range(), "Unusable duration", fmt.Sprintf(`%q is not a duration. Write a number with s, m, h, d or w behind it, such as "90s", "1h30m" or "7d"; ten years at most.`, word)))
	}
	return n
}

// percent reads a share as a number or as text with a percent sign.
func (l *loader) percent(e hclsyntax.Expression, least float64) float64 {
	if f, ok := percentText(e); ok && f >= least && f <= 100 {
		return f
	}
	if v, diags := e.Value(nil); !diags.HasErrors() && v.Type() == cty.String {
		l.report(failure(e.Range(), "Unusable share", fmt.Sprintf(`%q is not a share. Write a number from %g to 100, such as 95 or "95%%".`, text(v), least)))
		return 0
	}
	return l.float(e, least, 100)
}

func percentText(e hclsyntax.Expression) (float64, bool) {
	v, diags := e.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return 0, false
	}
	digits, ok := strings.CutSuffix(text(v), "%")
	f, err := strconv.ParseFloat(digits, 64)
	return f, ok && err == nil && f == f
}

func (l *loader) share(e hclsyntax.Expression) *policies.Share {
	if e == nil {
		return nil
	}
	if v, diags := e.Value(nil); !diags.HasErrors() && v.Type() == cty.Number {
		return &policies.Share{Count: l.number(e, 1, 1_000_000)}
	}
	f, ok := percentText(e)
	if !ok || f <= 0 || f > 100 {
		l.report(failure(e.Range(), "Unusable share", `Here stands a number of hosts, such as 3, or a share of the ring's hosts, such as "10%".`))
		return nil
	}
	return &policies.Share{Percent: f}
}

func (l *loader) oneOf(e hclsyntax.Expression, allowed ...string) string {
	if e == nil {
		return ""
	}
	word, ok := l.constant(e)
	if ok && !slices.Contains(allowed, word) {
		l.report(failure(e.Range(), "Unknown word", fmt.Sprintf("%q cannot stand here.%s It is one of: %s.", word, suggest(word, allowed), strings.Join(allowed, ", "))))
		return ""
	}
	return word
}

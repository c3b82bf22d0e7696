package lang

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// value works an expression out. Templates whose parts are plain are most of what a resource with many
// instances evaluates; they are put together with one copy.
func value(e hclsyntax.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if t, ok := e.(*hclsyntax.TemplateExpr); ok {
		return join(t, ctx)
	}
	return e.Value(ctx)
}

// join is hcl's way with a template. What is not known, null, sensitive or wrong is left to hcl itself,
// which is given the parts that are worked out already.
func join(t *hclsyntax.TemplateExpr, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	size, texts := 0, make([]string, 0, 8)
	for i, part := range t.Parts {
		v, diags := part.Value(ctx)
		text, ok := plainText(v)
		if len(diags) > 0 || !ok {
			return rejoin(t, i, texts, worked{part, v, diags}).Value(ctx)
		}
		size, texts = size+len(text), append(texts, text)
	}
	var all strings.Builder
	all.Grow(size)
	for _, text := range texts {
		all.WriteString(text)
	}
	return cty.StringVal(all.String()), nil
}

// plainText is the text that a template makes of a value; not ok is for a value with something to tell.
func plainText(v cty.Value) (text string, ok bool) {
	if v.IsMarked() || v.IsNull() || !v.IsKnown() || !v.Type().IsPrimitiveType() {
		return "", false
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", false
	}
	return v.AsString(), true
}

// rejoin is the template with the parts before i, and the one there, worked out.
func rejoin(t *hclsyntax.TemplateExpr, i int, texts []string, at worked) *hclsyntax.TemplateExpr {
	parts := append([]hclsyntax.Expression{}, t.Parts...)
	for n, text := range texts {
		parts[n] = worked{t.Parts[n], cty.StringVal(text), nil}
	}
	parts[i] = at
	return &hclsyntax.TemplateExpr{Parts: parts, SrcRange: t.SrcRange}
}

// worked is an expression that was worked out, so that a budget is not asked twice.
type worked struct {
	hclsyntax.Expression
	value cty.Value
	diags hcl.Diagnostics
}

func (w worked) Value(*hcl.EvalContext) (cty.Value, hcl.Diagnostics) { return w.value, w.diags }

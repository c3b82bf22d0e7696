package lang

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// syntax returns the expression in native form with its loops and templates bounded.
// JSON is converted, so that all that follows knows only one form.
func syntax(e hcl.Expression) hclsyntax.Expression {
	if native, ok := e.(hclsyntax.Expression); ok {
		return native // bounded when its file was parsed
	}
	converted := fromJSON(e)
	bind(converted)
	return converted
}

func fromJSON(e hcl.Expression) hclsyntax.Expression {
	if items, diags := hcl.ExprList(e); !diags.HasErrors() {
		list := &hclsyntax.TupleConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, one := range items {
			list.Exprs = append(list.Exprs, fromJSON(one))
		}
		return list
	}
	if pairs, diags := hcl.ExprMap(e); !diags.HasErrors() {
		object := &hclsyntax.ObjectConsExpr{SrcRange: e.Range(), OpenRange: e.StartRange()}
		for _, one := range pairs {
			object.Items = append(object.Items, hclsyntax.ObjectConsItem{KeyExpr: fromJSON(one.Key), ValueExpr: fromJSON(one.Value)})
		}
		return object
	}
	v, _ := e.Value(nil)
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}
	}
	start := e.Range().Start
	start.Byte, start.Column = start.Byte+1, start.Column+1
	template, diags := hclsyntax.ParseTemplate([]byte(v.AsString()), e.Range().Filename, start)
	if diags.HasErrors() {
		return &broken{Expression: template, diags: diags}
	}
	return template
}

// broken is an expression in a JSON string that does not parse.
type broken struct {
	hclsyntax.Expression
	diags hcl.Diagnostics
}

func (b *broken) Value(*hcl.EvalContext) (cty.Value, hcl.Diagnostics) { return cty.DynamicVal, b.diags }
func (b *broken) Variables() []hcl.Traversal                          { return nil }

// budget is the work that the expressions of one host may still do. HCL has no means to
// stop an evaluation, so the loops and templates of the syntax tree ask it at each turn.
type budget struct {
	iterations, text int
	work             int64 // bytes that functions take in, with values as 32 bytes each
}

func newBudget() *budget {
	return &budget{iterations: maxIterations, text: maxTemplates, work: maxWork}
}

// budgetName cannot be written in a policy, so nobody reads or shadows the variable.
const budgetName = " budget"

var budgetType = cty.Capsule("budget", capsuleOf)

// bind makes each loop and template below the node ask the budget.
func bind(node hclsyntax.Node) { _ = hclsyntax.Walk(node, binder{}) }

type binder struct{}

func (binder) Enter(hclsyntax.Node) hcl.Diagnostics { return nil }

// Exit works from the leaves up: what was wrapped is not walked into again.
func (binder) Exit(node hclsyntax.Node) hcl.Diagnostics {
	switch n := node.(type) {
	case *hclsyntax.ForExpr:
		if _, done := n.CollExpr.(boundedLoop); !done {
			n.CollExpr = boundedLoop{within(n.CollExpr)}
		}
	case *hclsyntax.TemplateExpr:
		for i, part := range n.Parts {
			_, literal := part.(*hclsyntax.LiteralValueExpr)
			_, done := part.(boundedText)
			if !literal && !done {
				n.Parts[i] = boundedText{within(part)}
			}
		}
	}
	return nil
}

// within keeps the expression visible to walks of the tree, which see the children of what
// wraps it and not the wrapped node itself.
func within(e hclsyntax.Expression) hclsyntax.Expression {
	return &hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}
}

type boundedLoop struct{ hclsyntax.Expression }

func (b boundedLoop) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	left := budgetOf(ctx)
	if left != nil && left.iterations <= 0 {
		return cty.DynamicVal, tooMuch(b.Range())
	}
	v, diags := b.Expression.Value(ctx)
	if left == nil || diags.HasErrors() {
		return v, diags
	}
	n := length(v)
	if left.iterations -= n; left.iterations <= 0 || n > maxElements {
		return cty.DynamicVal, tooMuch(b.Range())
	}
	return v, diags
}

func length(v cty.Value) int {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return 1
	}
	return v.LengthInt() + 1
}

func tooMuch(at hcl.Range) hcl.Diagnostics {
	return hcl.Diagnostics{failure(at, "Too much work", fmt.Sprintf("The for expressions of one host may run %d times in all, and over %d elements each. "+
		"Loop over less, or loop once and give the result a name in a locals block.", maxIterations, maxElements))}
}

type boundedText struct{ hclsyntax.Expression }

func (b boundedText) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := b.Expression.Value(ctx)
	left := budgetOf(ctx)
	plain, _ := v.Unmark()
	if left == nil || plain.IsNull() || !plain.IsKnown() || plain.Type() != cty.String {
		return v, diags
	}
	if left.text -= len(plain.AsString()); left.text < 0 {
		return cty.DynamicVal, hcl.Diagnostics{failure(b.Range(), "Too much text",
			"The templates of one host may make 64 MiB of text in all. Ship large texts as files of the repository.")}
	}
	return v, diags
}

func budgetOf(ctx *hcl.EvalContext) *budget {
	for ; ctx != nil; ctx = ctx.Parent() {
		if v, ok := ctx.Variables[budgetName]; ok {
			return v.EncapsulatedValue().(*budget)
		}
	}
	return nil
}

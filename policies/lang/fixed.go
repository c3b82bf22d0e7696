package lang

import (
	"encoding/json"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// literal returns the value of text and truth values that are written out, of which policies are
// full: there is nothing to work out in them.
func literal(e hclsyntax.Expression) (cty.Value, bool) {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return e.Val, e.Val.Type() == cty.Bool
	case *hclsyntax.TemplateExpr:
		return literalText(e)
	}
	return cty.NilVal, false
}

func literalText(e *hclsyntax.TemplateExpr) (cty.Value, bool) {
	size := 0
	for _, part := range e.Parts {
		one, ok := part.(*hclsyntax.LiteralValueExpr)
		if !ok || one.Val.Type() != cty.String || one.Val.IsNull() || one.Val.IsMarked() || !one.Val.IsKnown() {
			return cty.NilVal, false
		}
		if len(e.Parts) == 1 {
			return one.Val, true
		}
		size += len(one.Val.AsString())
	}
	all := make([]byte, 0, size)
	for _, part := range e.Parts {
		all = append(all, part.(*hclsyntax.LiteralValueExpr).Val.AsString()...)
	}
	return cty.StringVal(string(all)), true
}

// fixed tells whether a resource says the same on every host: its expressions read nothing but
// their own instance and locals that read nothing else. What is not applicable depends on the host.
func (c *Config) fixed(one *resource) bool {
	if one.meta["when"] != nil || one.broken {
		return false
	}
	for _, e := range one.meta {
		if !c.constant(e) {
			return false
		}
	}
	for _, e := range one.retry {
		if !c.constant(e) {
			return false
		}
	}
	return !slices.ContainsFunc(one.attrs, func(a *named) bool { return !c.constant(a.expr) })
}

func (c *Config) constant(e hclsyntax.Expression) bool {
	if _, ok := literal(e); ok {
		return true
	}
	for _, t := range e.Variables() {
		switch t.RootName() {
		case "each", "count", "path":
		case "local":
			if !c.constantLocal(memberOf(t)) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// constantLocal looks at each local once. One that reads itself is none.
func (c *Config) constantLocal(name string) bool {
	yes, known := c.constants[name]
	if known || c.locals[name] == nil {
		return yes
	}
	c.constants[name] = false
	c.constants[name] = c.constant(c.locals[name].expr)
	return c.constants[name]
}

// keep keeps the instances of a resource that says the same on every host, so that no host has
// to work them out again.
func (r *run) keep(one *resource, made, diags int) {
	if r.full || len(r.diags) > diags || !r.cfg.fixed(one) {
		return
	}
	one.settled, one.made = true, slices.Clone(r.instances[made:])
}

// again adds the instances of such a resource. What a host may change in them is its own.
func (r *run) again(one *resource, now standing) {
	all := make([]instance, len(one.made))
	for n, made := range one.made {
		i := &all[n]
		*i = *made
		i.priority, i.NotApplicable = now.priority, !now.applicable
		i.Mode = r.mode(one.meta["mode"], i.names, now.mode)
		if i.Severity = r.severity(one.meta["severity"], i.names); i.Severity == "" {
			i.Severity = now.severity
		}
		i.Controls, i.Tags, i.Sensitive = slices.Clone(made.Controls), slices.Clone(made.Tags), slices.Clone(made.Sensitive)
		if !now.applicable {
			i.Attributes, i.typed, i.Sensitive = json.RawMessage("{}"), nil, nil
		}
		r.add(i)
	}
}

// memberOf is the name behind local., empty when there is none.
func memberOf(t hcl.Traversal) string {
	if len(t) < 2 {
		return ""
	}
	attr, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return ""
	}
	return attr.Name
}

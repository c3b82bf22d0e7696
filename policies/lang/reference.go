package lang

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// reference names a resource in depends_on, before, notify or subscribe. Without a key it
// means all instances.
type reference struct {
	policy, kind, name string
	check              bool
	key                hclsyntax.Expression
	at                 hcl.Range
}

func (l *loader) references(attr *hcl.Attribute) []reference {
	e := syntax(attr.Expr)
	items := []hclsyntax.Expression{e}
	if list, ok := e.(*hclsyntax.TupleConsExpr); ok {
		items = list.Exprs
	}
	var refs []reference
	for _, one := range items {
		if ref, problem := parseReference(one); problem != nil {
			l.report(problem)
		} else {
			refs = append(refs, ref)
		}
	}
	return refs
}

const referenceForm = "Write the address of a resource without quotes, such as file.motd, service.ssh, check.command.keys, " +
	"policy.base.file.motd or file.motd[\"key\"]."

func parseReference(e hclsyntax.Expression) (reference, *hcl.Diagnostic) {
	wrong := failure(e.Range(), "Unusable reference", referenceForm)
	switch one := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return fromTraversal(one.Traversal, e.Range())
	case *hclsyntax.IndexExpr:
		ref, problem := parseReference(one.Collection)
		if problem == nil && ref.key != nil {
			return ref, wrong
		}
		ref.key = one.Key
		return ref, problem
	case *hclsyntax.TemplateExpr:
		v, _ := one.Value(nil)
		if !strings.HasSuffix(e.Range().Filename, ".json") || text(v) == "" {
			return reference{}, wrong
		}
		t, diags := hclsyntax.ParseTraversalAbs([]byte(text(v)), e.Range().Filename, e.Range().Start)
		if diags.HasErrors() {
			return reference{}, wrong
		}
		return fromTraversal(t, e.Range())
	}
	return reference{}, wrong
}

func fromTraversal(t hcl.Traversal, at hcl.Range) (reference, *hcl.Diagnostic) {
	wrong := failure(at, "Unusable reference", referenceForm)
	words, ref := []string{t.RootName()}, reference{at: at}
	for i, step := range t[1:] {
		switch one := step.(type) {
		case hcl.TraverseAttr:
			words = append(words, one.Name)
		case hcl.TraverseIndex:
			if i != len(t)-2 {
				return ref, wrong
			}
			ref.key = &hclsyntax.LiteralValueExpr{Val: one.Key, SrcRange: one.SrcRange}
		default:
			return ref, wrong
		}
	}
	if words[0] == "module" {
		return ref, failure(at, "Not supported yet", "This version of Plumb does not know module blocks yet, so nothing in one can be named.")
	}
	if words[0] == "policy" && len(words) > 2 {
		ref.policy, words = words[1], words[2:]
	}
	if words[0] == "check" && len(words) > 1 {
		ref.check, words = true, words[1:]
	}
	if len(words) != 2 {
		return ref, wrong
	}
	ref.kind, ref.name = words[0], words[1]
	return ref, nil
}

func blockAddress(policy, kind, name string, check bool) string {
	if check {
		return fmt.Sprintf("policy.%s.check.%s.%s", policy, kind, name)
	}
	return fmt.Sprintf("policy.%s.%s.%s", policy, kind, name)
}

// target returns the address of the block that a reference in the policy means.
func (ref reference) target(p *policy) string {
	within := ref.policy
	if within == "" {
		within = p.name
	}
	return blockAddress(within, ref.kind, ref.name, ref.check)
}

// within is the address if it lay in the policy itself.
func (ref reference) within(p *policy) string {
	return blockAddress(p.name, ref.kind, ref.name, ref.check)
}

// resolve reports references to what no policy declares.
func (c *Config) resolve() hcl.Diagnostics {
	all := map[string]*resource{}
	for _, p := range c.policies {
		for _, r := range p.resources {
			all[r.block] = r
		}
	}
	var diags hcl.Diagnostics
	for _, name := range sortedKeys(c.policies) {
		for _, r := range c.policies[name].resources {
			diags = append(diags, r.resolve(all)...)
		}
	}
	return diags
}

func (r *resource) resolve(all map[string]*resource) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, word := range refNames {
		for _, ref := range r.refs[word] {
			target := all[ref.target(r.policy)]
			switch {
			case target == nil:
				diags = append(diags, failure(ref.at, "Unknown resource", ref.advice(r.policy, all)))
			case target == r && ref.key == nil:
				diags = append(diags, failure(ref.at, "Reference to itself", "A resource cannot stand before or after itself. Take the reference out."))
			case ref.key != nil && target.meta["for_each"] == nil && target.meta["count"] == nil:
				diags = append(diags, failure(ref.at, "Unknown instance", fmt.Sprintf("%s has neither for_each nor count, so it is one resource. Take the key out.", target.block)))
			}
		}
	}
	return diags
}

func (ref reference) advice(p *policy, all map[string]*resource) string {
	if !ref.check && (ref.kind == "rollout" || ref.kind == patchKind) {
		return "No resource can stand before or after the patches of a rollout: they may wait for days for a ring, a window or a reboot. " +
			"Hosts patch when all else is done; commands around it are the hooks of the rollout."
	}
	target := ref.target(p)
	short := strings.TrimPrefix(target, "policy."+p.name+".")
	for _, name := range sortedKeys(all) {
		if strings.HasSuffix(name, "."+short) {
			return fmt.Sprintf("The policy %q has no %s. Did you mean %s? Resources of other policies are named with their policy.", p.name, short, name)
		}
	}
	best := nearest(target, sortedKeys(all))
	if best == "" {
		return fmt.Sprintf("No policy declares %s. %s", target, referenceForm)
	}
	return fmt.Sprintf("No policy declares %s. Did you mean %s?", target, strings.TrimPrefix(best, "policy."+p.name+"."))
}

// keyText is how an instance key stands in an address.
func keyText(v cty.Value) string {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.Type().IsPrimitiveType() {
		return ""
	}
	if v.Type() == cty.Number {
		return "[" + text(toText(v)) + "]"
	}
	return "[" + quote(text(toText(v))) + "]"
}

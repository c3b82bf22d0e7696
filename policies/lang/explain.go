package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// explain puts diagnostics of hcl that are about facts and labels into our words.
func (s *scope) explain(e hclsyntax.Expression, diags hcl.Diagnostics) hcl.Diagnostics {
	for i, d := range diags {
		if t := missingStep(e, d); t != nil {
			diags[i] = s.lacks(t, d)
		}
		propose(e, diags[i])
		reach(diags[i])
	}
	return diags
}

// missingStep returns the traversal of fact or host in which a diagnostic found nothing.
func missingStep(e hclsyntax.Expression, d *hcl.Diagnostic) hcl.Traversal {
	switch d.Summary {
	case "Unsupported attribute", "Missing map element", "Invalid index":
	default:
		return nil
	}
	for _, t := range e.Variables() {
		if root := t.RootName(); d.Subject != nil && (root == "fact" || root == "host") && overlap(t.SourceRange(), *d.Subject) {
			return t
		}
	}
	return nil
}

func overlap(a, b hcl.Range) bool {
	return a.Filename == b.Filename && a.Start.Byte < b.End.Byte && b.Start.Byte < a.End.Byte
}

func (s *scope) lacks(t hcl.Traversal, d *hcl.Diagnostic) *hcl.Diagnostic {
	at, wrote, known := s.firstMissing(t)
	if wrote == "" {
		return d
	}
	guard := "Guard it where that is no mistake: try(" + wrote + ", \"\")."
	switch {
	case s.static && t.RootName() == "fact":
		return failure(at, "Unknown fact", fmt.Sprintf("No host has %s.%s Facts that administrators add stand below fact.custom.", wrote, suggest(last(wrote), known)))
	case t.RootName() == "host" && strings.HasPrefix(wrote, "host.labels"):
		return failure(at, "Missing label", fmt.Sprintf("The host %s has no %s.%s %s", s.in.Host.Name, wrote, suggest(last(wrote), known), guard))
	case t.RootName() == "host":
		return failure(at, "Unsupported attribute", fmt.Sprintf("There is no %s.%s A host has name, id and labels.", wrote, suggest(last(wrote), known)))
	}
	return failure(at, "Missing fact", fmt.Sprintf("The host %s has no %s.%s %s", s.in.Host.Name, wrote, suggest(last(wrote), known), guard))
}

func last(path string) string {
	steps := splitPath(path)
	return steps[len(steps)-1]
}

// firstMissing walks down until a step finds nothing, and returns it with the names that are there.
func (s *scope) firstMissing(t hcl.Traversal) (hcl.Range, string, []string) {
	if t.RootName() == "host" {
		return firstMissing(t, s.host)
	}
	return firstMissing(t, s.facts())
}

func firstMissing(t hcl.Traversal, v cty.Value) (hcl.Range, string, []string) {
	steps := []string{t.RootName()}
	for _, step := range t[1:] {
		name, at := stepName(step)
		if name == "" || v.IsMarked() || !v.IsKnown() || v.IsNull() || !v.CanIterateElements() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
			return hcl.Range{}, "", nil
		}
		steps = append(steps, name)
		next, ok := v.AsValueMap()[name]
		if !ok {
			return at, joinPath(steps), sortedKeys(v.AsValueMap())
		}
		v = next
	}
	return hcl.Range{}, "", nil
}

// propose adds the nearest name that an object has.
func propose(e hclsyntax.Expression, d *hcl.Diagnostic) {
	if d.EvalContext == nil || d.Subject == nil || d.Summary != "Unsupported attribute" && d.Summary != "Missing map element" {
		return
	}
	for _, t := range e.Variables() {
		root, ok := d.EvalContext.Variables[t.RootName()]
		if !ok || !overlap(t.SourceRange(), *d.Subject) {
			continue
		}
		if _, wrote, known := firstMissing(t, root); wrote != "" {
			d.Detail += suggest(last(wrote), known)
			return
		}
	}
}

func stepName(step hcl.Traverser) (string, hcl.Range) {
	switch one := step.(type) {
	case hcl.TraverseAttr:
		return one.Name, one.SrcRange
	case hcl.TraverseIndex:
		if one.Key.Type() == cty.String && one.Key.IsKnown() && !one.Key.IsNull() {
			return one.Key.AsString(), one.SrcRange
		}
	}
	return "", hcl.Range{}
}

// reach keeps what the names of the expression stood for, and lets go of the evaluation
// context: it holds secrets, and much memory.
func reach(d *hcl.Diagnostic) {
	if d.Expression != nil && d.EvalContext != nil {
		d.Extra = stood(d.Expression.Variables(), d.EvalContext)
	}
	d.Expression, d.EvalContext = nil, nil
}

// stoodFor says what some names stood for, such as each.key is "b".
type stoodFor string

func stood(names []hcl.Traversal, ctx *hcl.EvalContext) stoodFor {
	var words []string
	for _, t := range names {
		v, diags := t.TraverseAbs(ctx)
		word := fmt.Sprintf("%s is %s", traversalText(t), valueText(v))
		if !diags.HasErrors() && !slices.Contains(words, word) && len(words) < 4 {
			words = append(words, word)
		}
	}
	return stoodFor(strings.Join(words, "\n"))
}

func traversalText(t hcl.Traversal) string {
	steps := []string{t.RootName()}
	for _, step := range t[1:] {
		name, _ := stepName(step)
		if index, ok := step.(hcl.TraverseIndex); ok && name == "" {
			name = text(toText(index.Key))
		}
		steps = append(steps, name)
	}
	return joinPath(steps)
}

// valueText describes a value; secrets only by their being there.
func valueText(v cty.Value) string {
	switch {
	case v.ContainsMarked():
		return "sensitive"
	case !v.IsKnown():
		return "not known yet"
	case v.IsNull():
		return "null"
	case v.Type() == cty.String && len(v.AsString()) > 60:
		return fmt.Sprintf("text of %d bytes", len(v.AsString()))
	case v.Type() == cty.String:
		return quote(v.AsString())
	case v.Type().IsPrimitiveType():
		return text(toText(v))
	case v.CanIterateElements():
		return fmt.Sprintf("%s with %d elements", v.Type().FriendlyName(), v.LengthInt())
	}
	return v.Type().FriendlyName()
}

package lang

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/modules"
)

func readPolicy(l *loader, block *hcl.Block) {
	p := &policy{name: l.label(block), at: block.DefRange}
	content := l.content(block.Body, []string{"title", "description", "version", "applies_to", "when", "mode", "severity", "priority"},
		hcl.BlockHeaderSchema{Type: "resource", LabelNames: []string{"kind", "name"}},
		hcl.BlockHeaderSchema{Type: "check", LabelNames: []string{"kind", "name"}},
		hcl.BlockHeaderSchema{Type: "module", LabelNames: []string{"name"}})
	p.meta = expressions(content)
	if first := l.cfg.policies[p.name]; first != nil {
		l.report(duplicate("policy", p.name, block.DefRange, first.at))
	} else {
		l.cfg.policies[p.name] = p
	}
	seen := map[string]hcl.Range{}
	for _, one := range content.Blocks {
		if one.Type == "module" {
			notYet(l, one)
			continue
		}
		name := one.Type + "." + one.Labels[0] + "." + one.Labels[1]
		if first, twice := seen[name]; twice {
			l.report(duplicate(one.Type, one.Labels[0]+"."+one.Labels[1], one.DefRange, first))
			continue
		}
		seen[name] = one.DefRange
		l.resource(p, one)
	}
}

func (l *loader) resource(p *policy, block *hcl.Block) {
	r := &resource{name: l.label(block), policy: p, at: block.DefRange, meta: map[string]hclsyntax.Expression{}, refs: map[string][]reference{}}
	kind, ok := l.cfg.kind(block.Labels[0], block.Type == "check")
	if internal(kind, block.Labels[0]) {
		l.report(failure(block.LabelRanges[0], "Kind of a rollout", fmt.Sprintf("No %s block can name %q. A rollout makes it for each host in its rings: "+
			`rollout "patches" { carries = patch_baseline.NAME … ring "all" { group = group.NAME } }.`, block.Type, block.Labels[0])))
		return
	}
	if !ok {
		l.report(l.unknownKind(block))
		return
	}
	words := l.vocabulary(kind)
	r.kind, r.own, r.block = kind, words.own, blockAddress(p.name, kind.Name, r.name, kind.Check)
	content, diags := block.Body.Content(words.schema)
	l.report(diags...)
	r.broken = diags.HasErrors()
	for _, name := range sortedKeys(content.Attributes) {
		l.argument(r, content.Attributes[name])
	}
	for _, one := range content.Blocks {
		l.resourceBlock(r, one)
	}
	if r.meta["for_each"] != nil && r.meta["count"] != nil {
		l.report(failure(r.meta["count"].Range(), "Both for_each and count", "A resource is repeated by for_each or by count, not by both."))
	}
	p.resources = append(p.resources, r)
}

// patchKind is the kind that rollouts make.
const patchKind = "patch"

// internal tells whether a kind is none that a block names.
func internal(kind modules.Kind, name string) bool { return kind.Internal || name == patchKind }

func (l *loader) unknownKind(block *hcl.Block) *hcl.Diagnostic {
	name, check := block.Labels[0], block.Type == "check"
	detail := fmt.Sprintf("There is no kind of %s called %q.%s", block.Type, name, suggest(name, l.cfg.kindNames(check)))
	if _, other := l.cfg.kind(name, true); other {
		detail = fmt.Sprintf("%q is a kind of check: it is measured and never changed. Write check %q instead of resource.", name, name)
	}
	return failure(block.LabelRanges[0], "Unknown kind", detail)
}

// Meta-arguments, which every resource takes. A kind's own attribute of the same name goes first.
var (
	metaNames = []string{"for_each", "count", "when", "mode", "severity", "controls", "tags", "title", "rationale", "timeout", "sensitive"}
	refNames  = []string{"depends_on", "before", "notify", "subscribe"}
	laterMeta = []string{"on_remove"}
)

// word names a kind.
type word struct {
	name  string
	check bool
}

// vocabulary is what a block of one kind may say.
type vocabulary struct {
	own    map[string]modules.Attribute
	schema *hcl.BodySchema
}

// vocabulary is worked out once for each kind: a tree may have ten thousand blocks of one.
func (l *loader) vocabulary(kind modules.Kind) vocabulary {
	at := word{kind.Name, kind.Check}
	words, ok := l.kinds[at]
	if !ok {
		words.own = map[string]modules.Attribute{}
		for _, a := range kind.Attributes() {
			words.own[a.Name] = a
		}
		words.schema = resourceSchema(kind.Attributes())
		l.kinds[at] = words
	}
	return words
}

func resourceSchema(attributes []modules.Attribute) *hcl.BodySchema {
	schema := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "retry"}, {Type: "confirm"}}}
	own := map[string]bool{}
	for _, a := range attributes {
		own[a.Name] = true
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.Name, Required: a.Required && a.Name != "name"})
	}
	for _, name := range slices.Concat(metaNames, refNames, laterMeta, []string{"window"}) {
		if !own[name] {
			schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
		}
	}
	return schema
}

func (l *loader) argument(r *resource, attr *hcl.Attribute) {
	own, isOwn := r.own[attr.Name]
	switch {
	case isOwn && own.Computed:
		l.report(failure(attr.NameRange, "Unsupported argument", fmt.Sprintf("%s is worked out by Plumb and cannot be set.", attr.Name)))
	case isOwn && !(attr.Name == "mode" && meansMode(attr.Expr)):
		r.attrs = append(r.attrs, &named{name: attr.Name, expr: syntax(attr.Expr), at: attr.NameRange})
	case slices.Contains(refNames, attr.Name):
		r.refs[attr.Name] = l.references(attr)
	case attr.Name == "window":
		l.windowOf(r, attr)
	case slices.Contains(laterMeta, attr.Name):
		l.report(failure(attr.NameRange, "Not supported yet", fmt.Sprintf("The argument %q is part of the policy language, but this version of Plumb (%s) does not support it yet.", attr.Name, Version)))
	default:
		r.meta[attr.Name] = syntax(attr.Expr)
	}
}

// meansMode tells the mode of a resource from the mode of a file: nobody gives a file the
// permissions "audit".
func meansMode(e hcl.Expression) bool {
	v, diags := e.Value(nil)
	return !diags.HasErrors() && (text(v) == "audit" || text(v) == "enforce")
}

func (l *loader) resourceBlock(r *resource, block *hcl.Block) {
	if block.Type == "confirm" {
		notYet(l, block)
		return
	}
	if r.retry != nil {
		l.report(failure(block.DefRange, "Duplicate block", "A resource takes one retry block."))
		return
	}
	content := l.content(block.Body, []string{"attempts", "delay"})
	if r.retry = expressions(content); r.retry["attempts"] == nil {
		l.report(failure(block.DefRange, "Incomplete retry", `A retry block says how often it tries: attempts = 3, and may add delay = "10s".`))
	}
}

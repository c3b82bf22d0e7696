package lang

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies/patch"
)

// baseline is a patch_baseline block. Its expressions may read facts, so that one block serves
// several releases of a distribution.
type baseline struct {
	name                       string
	meta                       map[string]hclsyntax.Expression
	sources, approves, rejects []part
	at                         hcl.Range
}

// part is a block within a block.
type part struct {
	exprs map[string]hclsyntax.Expression
	at    hcl.Range
}

var sourceKeys = []string{"origin", "label", "suite", "codename", "component", "site"}

func readPatchBaseline(l *loader, block *hcl.Block) {
	b := &baseline{name: l.label(block), at: block.DefRange}
	content := l.content(block.Body, []string{"title", "applies_to", "approved_packages", "approved_compliance"},
		hcl.BlockHeaderSchema{Type: "source"}, hcl.BlockHeaderSchema{Type: "approve"}, hcl.BlockHeaderSchema{Type: "reject"})
	b.meta = expressions(content)
	for _, one := range content.Blocks {
		switch one.Type {
		case "source":
			b.sources = append(b.sources, l.source(one))
		case "approve":
			b.approves = append(b.approves, l.approve(one))
		case "reject":
			b.rejects = append(b.rejects, l.reject(one))
		}
	}
	if len(b.sources) == 0 && b.meta["approved_packages"] == nil {
		l.report(failure(block.DefRange, "Baseline without a source", `A patch baseline says which repositories it is about: source { origin = "Debian" }. Without one it would match nothing.`))
	}
	if first := l.cfg.baselines[b.name]; first != nil {
		l.report(duplicate("patch_baseline", b.name, block.DefRange, first.at))
		return
	}
	l.cfg.baselines[b.name] = b
}

func (l *loader) source(block *hcl.Block) part {
	p := part{expressions(l.content(block.Body, sourceKeys)), block.DefRange}
	if len(p.exprs) == 0 {
		l.report(failure(block.DefRange, "Source that matches nothing", fmt.Sprintf(`A source has at least one of: %s. "*" stands for any text.`, strings.Join(sourceKeys, ", "))))
	}
	l.movingSuite(p.exprs["suite"])
	return p
}

// movingSuite warns of words that are another release of the distribution one day.
func (l *loader) movingSuite(e hclsyntax.Expression) {
	if e == nil || len(e.Variables()) > 0 {
		return
	}
	v, _ := e.Value(nil)
	switch base, _, _ := strings.Cut(text(v), "-"); base {
	case "stable", "oldstable", "testing":
		d := failure(e.Range(), "Suite that moves", fmt.Sprintf("%q is another release of the distribution from one day to the next. Match the codename: it stays.", text(v)))
		d.Severity = hcl.DiagWarning
		l.report(d)
	}
}

func (l *loader) approve(block *hcl.Block) part {
	p := part{expressions(l.content(block.Body, []string{"classification", "severity", "packages", "after", "seen_until", "compliance"})), block.DefRange}
	if p.exprs["after"] != nil && p.exprs["seen_until"] != nil {
		l.report(failure(p.exprs["seen_until"].Range(), "Both after and seen_until", "An update is approved after some time, or when it was first seen by a date, not both. Write two approve blocks."))
	}
	return p
}

func (l *loader) reject(block *hcl.Block) part {
	p := part{expressions(l.content(block.Body, []string{"packages", "action", "reason", "expires"})), block.DefRange}
	for _, name := range []string{"packages", "reason"} {
		if p.exprs[name] == nil {
			l.report(failure(block.DefRange, "Incomplete reject", fmt.Sprintf("A reject says which packages it holds back and why. Add %s = ….", name)))
		}
	}
	return p
}

// baselinesKnown reports baselines that rollouts carry and nobody declares.
func (l *loader) baselinesKnown() {
	for _, one := range l.baselineUses {
		if l.cfg.baselines[one.name] == nil && !l.unread {
			l.report(failure(one.at, "Unknown patch baseline", fmt.Sprintf("There is no patch baseline %q.%s Declare it with a block: patch_baseline %q {}.",
				one.name, suggest(one.name, sortedKeys(l.cfg.baselines)), one.name)))
		}
	}
}

// terms is what the tree says about the patching of this host.
func (r *run) terms(groups []string) patch.Terms {
	t := patch.Terms{Groups: groups, Baselines: []patch.Baseline{}, SLAs: []patch.SLA{}}
	for _, name := range sortedKeys(r.cfg.baselines) {
		if b := r.cfg.baselines[name]; r.appliesTo(b.meta["applies_to"], "The applies_to of a patch baseline") {
			t.Baselines = append(t.Baselines, r.baseline(b))
		}
	}
	for _, name := range sortedKeys(r.cfg.slas) {
		if one := r.cfg.slas[name]; r.appliesTo(one.appliesTo, "The applies_to of a patch SLA") {
			t.SLAs = append(t.SLAs, one.SLA)
		}
	}
	return t
}

// appliesTo is true without an expression, and while nothing is known of a host.
func (r *run) appliesTo(e hclsyntax.Expression, what string) bool {
	if e == nil {
		return true
	}
	yes, known := r.truth(r.eval(e, nil), e, what)
	return yes || !known && r.static
}

func (r *run) baseline(b *baseline) patch.Baseline {
	r.text(b.meta["title"], nil)
	out := patch.Baseline{Name: b.name, At: position(b.at), Sources: []patch.Source{}, Rules: []patch.Rule{},
		Approved: r.patterns(b.meta["approved_packages"]), ApprovedLevel: r.severity(b.meta["approved_compliance"], nil)}
	for _, p := range b.sources {
		out.Sources = append(out.Sources, r.patchSource(p))
	}
	for _, p := range b.approves {
		out.Rules = append(out.Rules, patch.Rule{
			Classification: r.wordList(p.exprs["classification"], patch.Security, patch.Kernel, patch.Other),
			Severity:       r.wordList(p.exprs["severity"], patch.Severities()...),
			Packages:       r.patterns(p.exprs["packages"]), After: r.seconds(p.exprs["after"], nil),
			SeenUntil: r.moment(p.exprs["seen_until"]), Level: r.severity(p.exprs["compliance"], nil),
		})
	}
	for _, p := range b.rejects {
		one := patch.Reject{Packages: r.patterns(p.exprs["packages"]), Action: r.word(p.exprs["action"], nil, patch.Block, patch.AllowAsDependency),
			Reason: r.text(p.exprs["reason"], nil), Expires: r.moment(p.exprs["expires"])}
		if one.Action == "" {
			one.Action = patch.Block
		}
		out.Rejects = append(out.Rejects, one)
	}
	return out
}

// patchSource evaluates a source. One that comes out empty would match nothing without a word.
func (r *run) patchSource(p part) patch.Source {
	key := func(name string) string {
		e := p.exprs[name]
		before := len(r.diags)
		word := r.text(e, nil)
		if e != nil && word == "" && !r.static && len(r.diags) == before {
			r.report(failure(e.Range(), "Source that matches nothing", "This is empty on the host. Leave the argument out when anything will do."))
		}
		return word
	}
	return patch.Source{Origin: key("origin"), Label: key("label"), Suite: key("suite"), Codename: key("codename"), Component: key("component"), Site: key("site")}
}

// patterns are those of packages.
func (r *run) patterns(e hclsyntax.Expression) []string {
	list := r.texts(e, nil)
	for _, one := range list {
		name, version, versioned := strings.Cut(one, "=")
		if name == "" || versioned && version == "" || strings.ContainsAny(one, " \t\n,:/") && !versioned {
			r.report(failure(e.Range(), "Unusable package pattern", fmt.Sprintf(`%q names no package. Write a name such as "nginx", a pattern such as "postgresql-*", or one version: "openssl=3.0.22-1".`, one)))
		}
	}
	return list
}

func (r *run) wordList(e hclsyntax.Expression, allowed ...string) []string {
	list := unique(r.texts(e, nil))
	for _, word := range list {
		known := false
		for _, one := range allowed {
			known = known || one == word
		}
		if !known {
			r.report(failure(e.Range(), "Unknown word", fmt.Sprintf("%q cannot stand here.%s Known are: %s.", word, suggest(word, allowed), strings.Join(allowed, ", "))))
		}
	}
	return list
}

// moment is an instant with its zone; zero when there is none.
func (r *run) moment(e hclsyntax.Expression) time.Time {
	word := r.text(e, nil)
	if word == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, word)
	if err != nil {
		r.report(failure(e.Range(), "Unusable time", fmt.Sprintf("%q is not a time with a zone, such as \"2027-01-31T00:00:00Z\".", word)))
		return time.Time{}
	}
	return t.UTC()
}

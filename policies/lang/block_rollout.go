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

// Rollouts returns the rollouts of the tree in the order in which they were read.
func (c *Config) Rollouts() []policies.Rollout { return append([]policies.Rollout{}, c.rollouts...) }

func readRollout(l *loader, block *hcl.Block) {
	r := policies.Rollout{Name: l.label(block), Rings: []policies.Ring{}, Source: position(block.DefRange)}
	content := l.content(block.Body, []string{"title", "carries", "conffiles"},
		hcl.BlockHeaderSchema{Type: "preflight"}, hcl.BlockHeaderSchema{Type: "failure_budget"},
		hcl.BlockHeaderSchema{Type: "ring", LabelNames: []string{"name"}}, hcl.BlockHeaderSchema{Type: "emergency"})
	exprs := expressions(content)
	r.Carries = l.carries(block, exprs["carries"])
	r.Conffiles = l.oneOf(exprs["conffiles"], "keep", "new", "hold")
	l.unused(exprs, "conffiles")
	seen := map[string]bool{}
	for _, one := range content.Blocks {
		if seen[one.Type] && one.Type != "ring" {
			l.report(failure(one.DefRange, "Duplicate block", fmt.Sprintf("A rollout takes one %s block.", one.Type)))
			continue
		}
		seen[one.Type] = true
		l.rolloutPart(&r, one)
	}
	if len(r.Rings) == 0 {
		l.report(failure(block.DefRange, "Rollout without rings", `A rollout has at least one ring: ring "all" { group = group.NAME }.`))
	}
	l.addRollout(r, block)
}

// addRollout keeps a rollout. Releases have one way through the fleet, so one rollout carries them.
func (l *loader) addRollout(r policies.Rollout, block *hcl.Block) {
	for _, first := range l.cfg.rollouts {
		at := hcl.Range{Filename: first.Source.File, Start: hcl.Pos{Line: first.Source.Line}}
		if first.Name == r.Name {
			l.report(duplicate("rollout", r.Name, block.DefRange, at))
			return
		}
		if r.Carries == policies.CarriesReleases && first.Carries == r.Carries {
			l.report(failure(block.DefRange, "Two rollouts carry releases", fmt.Sprintf("The rollout %q at %s:%d carries releases already, "+
				"and a host gets each release in one ring. Put all rings into one rollout.", first.Name, first.Source.File, first.Source.Line)))
			return
		}
	}
	l.cfg.rollouts = append(l.cfg.rollouts, r)
}

func (l *loader) carries(block *hcl.Block, e hclsyntax.Expression) string {
	if e == nil {
		l.report(failure(block.DefRange, "Missing carries", `A rollout says what it takes through its rings: carries = "releases", or the address of a patch baseline.`))
		return ""
	}
	if name, ok := addressOf(e, "patch_baseline"); ok {
		l.report(unusedYet(e.Range(), "A rollout that carries a patch baseline"))
		l.baselineUses = append(l.baselineUses, named{name: name, at: e.Range()})
		return "patch_baseline." + name
	}
	return l.oneOf(e, policies.CarriesReleases)
}

func (l *loader) rolloutPart(r *policies.Rollout, block *hcl.Block) {
	switch block.Type {
	case "ring":
		l.ring(r, block)
	case "failure_budget":
		r.Budget = l.budget(block)
	case "preflight":
		content := l.content(block.Body, []string{"min_free"})
		r.MinFree = map[string]string{}
		for path, size := range l.object(content.Attributes["min_free"]) {
			r.MinFree[path], _ = l.constant(size.expr)
		}
		l.report(unusedYet(block.DefRange, "The block preflight"))
	case "emergency":
		exprs := expressions(l.content(block.Body, []string{"match", "soak"}))
		r.Emergency = &policies.Emergency{Soak: l.duration(exprs["soak"])}
		if e := exprs["match"]; e != nil {
			r.Emergency.Match = string(e.Range().SliceBytes(l.cfg.tree[e.Range().Filename]))
		}
		l.report(unusedYet(block.DefRange, "The block emergency"))
	}
}

func (l *loader) ring(r *policies.Rollout, block *hcl.Block) {
	content := l.content(block.Body, []string{"title", "group", "window", "reboot", "deferral", "deadline", "grace", "max_unavailable"},
		hcl.BlockHeaderSchema{Type: "gate"})
	exprs := expressions(content)
	one := policies.Ring{
		Name: l.label(block), Group: l.ringGroup(block, exprs["group"]), Windows: l.windowRefs(exprs["window"], ""),
		Reboot:   l.oneOf(exprs["reboot"], "as_needed", "never", "always", "services_only"),
		Deferral: l.duration(exprs["deferral"]), Deadline: l.duration(exprs["deadline"]), Grace: l.duration(exprs["grace"]),
		MaxUnavailable: l.share(exprs["max_unavailable"]), Gate: policies.Gate{Converged: 100, MinHosts: 1},
	}
	l.unused(exprs, "window", "reboot", "deadline", "grace")
	for i, gate := range content.Blocks {
		if i > 0 {
			l.report(failure(gate.DefRange, "Duplicate block", "A ring takes one gate block."))
			continue
		}
		one.Gate = l.gate(gate)
	}
	if slices.ContainsFunc(r.Rings, func(other policies.Ring) bool { return other.Name == one.Name }) {
		l.report(failure(block.DefRange, "Duplicate declaration", fmt.Sprintf("The rollout %q has a ring %q already. Give one of them another name.", r.Name, one.Name)))
		return
	}
	r.Rings = append(r.Rings, one)
}

func (l *loader) gate(block *hcl.Block) policies.Gate {
	exprs := expressions(l.content(block.Body, []string{"converged", "soak", "approval", "min_hosts"}))
	gate := policies.Gate{Converged: 100, MinHosts: 1, Soak: l.duration(exprs["soak"]), Approval: l.flag(exprs["approval"], false)}
	if e := exprs["converged"]; e != nil {
		gate.Converged = l.percent(e, 0)
	}
	if e := exprs["min_hosts"]; e != nil {
		gate.MinHosts = l.number(e, 0, 1_000_000)
	}
	return gate
}

func (l *loader) budget(block *hcl.Block) *policies.Budget {
	exprs := expressions(l.content(block.Body, []string{"percent", "count", "min_sample"}))
	b := &policies.Budget{MinSample: max(1, l.number(exprs["min_sample"], 0, 1_000_000))}
	if e := exprs["percent"]; e != nil {
		percent := l.percent(e, 0)
		b.Percent = &percent
	}
	if e := exprs["count"]; e != nil {
		count := l.number(e, 0, 1_000_000)
		b.Count = &count
	}
	if b.Percent == nil && b.Count == nil {
		l.report(failure(block.DefRange, "Incomplete failure_budget", "A failure budget says how many hosts may fail: count = 3, percent = 5, or both."))
	}
	return b
}

// ringGroup wants the name of a group and nothing more: a ring is shown by it.
func (l *loader) ringGroup(block *hcl.Block, e hclsyntax.Expression) string {
	if e == nil {
		l.report(failure(block.DefRange, "Missing group", "A ring says which hosts are in it: group = group.NAME."))
		return ""
	}
	name, ok := addressOf(e, "group")
	if !ok {
		l.report(failure(e.Range(), "Unusable group", "A ring takes one group by its name: group = group.NAME. For a combination declare a group whose match says it."))
		return ""
	}
	l.ringGroups = append(l.ringGroups, named{name: name, at: e.Range()})
	return name
}

// ringsKnown reports rings of groups that nobody declares, once all files are read.
func (l *loader) ringsKnown() {
	for _, one := range l.ringGroups {
		if l.cfg.groups[one.name] == nil && !l.unread {
			l.report(l.cfg.undeclared("group", one.name, one.at))
		}
	}
}

func (l *loader) windowNames(e hclsyntax.Expression) []string {
	if e == nil {
		return nil
	}
	items := []hclsyntax.Expression{e}
	if list, ok := e.(*hclsyntax.TupleConsExpr); ok {
		items = list.Exprs
	}
	var names []string
	for _, one := range items {
		name, ok := addressOf(one, "window")
		if !ok {
			l.report(failure(one.Range(), "Unusable window", "Windows stand here by their names: window = [window.NAME]."))
			continue
		}
		names = append(names, name)
	}
	return names
}

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

// unused warns of arguments that are kept and not acted on: nobody shall rely on them.
func (l *loader) unused(exprs map[string]hclsyntax.Expression, names ...string) {
	for _, name := range names {
		e := exprs[name]
		if e == nil {
			continue
		}
		wrong := func(d *hcl.Diagnostic) bool {
			return d.Subject != nil && d.Subject.Filename == e.Range().Filename && e.Range().Overlaps(*d.Subject)
		}
		if !slices.ContainsFunc(l.diags, wrong) {
			l.report(unusedYet(e.Range(), "The argument "+name))
		}
	}
}

func unusedYet(at hcl.Range, what string) *hcl.Diagnostic {
	d := failure(at, "Not acted on yet", fmt.Sprintf("%s is read and kept, but this version of Plumb (%s) does not act on it yet.", what, Version))
	d.Severity = hcl.DiagWarning
	return d
}

package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies"
	"plumb/policies/calendar"
)

func (l *loader) ring(r *rollout, block *hcl.Block) {
	content := l.content(block.Body, []string{"title", "group", "window", "reboot", "deferral", "deadline", "grace", "max_unavailable"},
		hcl.BlockHeaderSchema{Type: "gate"})
	exprs := expressions(content)
	l.word(exprs["title"])
	one := policies.Ring{
		Name: l.label(block), Group: l.ringGroup(block, exprs["group"]), Windows: l.windowRefs(exprs["window"], ""),
		Reboot:   l.oneOf(exprs["reboot"], "as_needed", "never", "always", "services_only"),
		Deferral: l.duration(exprs["deferral"]), Deadline: l.duration(exprs["deadline"]), Grace: l.duration(exprs["grace"]),
		MaxUnavailable: l.share(exprs["max_unavailable"]), Gate: policies.Gate{Converged: 100, MinHosts: 1},
	}
	l.forPatches(r, exprs, "reboot", "deadline", "grace")
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
	l.patchRing(r, &one, exprs)
	l.ringUses = append(l.ringUses, ringUse{ring: one, patches: r.Baseline() != "", at: rangeOf(exprs["window"], block)})
	r.Rings = append(r.Rings, one)
}

// patchRing fills in what goes without saying where patches are carried, and reports a grace
// that prolongs nothing.
func (l *loader) patchRing(r *rollout, one *policies.Ring, exprs map[string]hclsyntax.Expression) {
	if r.Baseline() == "" {
		return
	}
	one.Reboot = otherwise(one.Reboot, "as_needed")
	if exprs["grace"] != nil && exprs["deadline"] == nil {
		l.report(failure(exprs["grace"].Range(), "Grace without a deadline", `The grace is what a host has at least before a deadline binds it. Add deadline = "14d", or take the grace out.`))
	}
}

func rangeOf(e hclsyntax.Expression, block *hcl.Block) hcl.Range {
	if e == nil {
		return block.DefRange
	}
	return e.Range()
}

// ringUse is what a ring needs of its windows.
type ringUse struct {
	ring    policies.Ring
	patches bool
	at      hcl.Range
}

// ringsOpen reports rings whose windows are all for something else, once all files are read.
func (l *loader) ringsOpen() {
	for _, use := range l.ringUses {
		if len(use.ring.Windows) == 0 || !l.allKnown(use.ring.Windows) {
			continue
		}
		switch {
		case !use.patches && !l.opens(use.ring, calendar.Config):
			l.report(neverOpen(use, calendar.Config, "so no release would ever be given to its hosts"))
		case use.patches && !l.opens(use.ring, calendar.Package):
			l.report(neverOpen(use, calendar.Package, "so its hosts would not patch before a deadline is over"))
		case use.patches && (use.ring.Reboot == "as_needed" || use.ring.Reboot == "always") && !l.opens(use.ring, calendar.Reboot):
			d := neverOpen(use, calendar.Reboot, "so its hosts would not boot again before a deadline is over")
			d.Severity = hcl.DiagWarning
			l.report(d)
		}
	}
}

func neverOpen(use ringUse, class, what string) *hcl.Diagnostic {
	return failure(use.at, "Window for other changes", fmt.Sprintf("No window of the ring %q is for changes of class %s, %s. Add %q to the classes of one, or name another window.",
		use.ring.Name, class, what, class))
}

func (l *loader) allKnown(windows []string) bool {
	return !slices.ContainsFunc(windows, func(name string) bool { return l.cfg.windows[name] == nil })
}

func (l *loader) opens(ring policies.Ring, class string) bool {
	return slices.ContainsFunc(ring.Windows, func(name string) bool { return l.cfg.windows[name].Permits(class) })
}

func (l *loader) gate(block *hcl.Block) policies.Gate {
	exprs := expressions(l.content(block.Body, []string{"converged", "soak", "approval", "min_hosts", "query"}))
	gate := policies.Gate{Converged: 100, MinHosts: 1, Soak: l.duration(exprs["soak"]), Approval: l.flag(exprs["approval"], false)}
	if e := exprs["converged"]; e != nil {
		gate.Converged = l.percent(e, 0)
	}
	if e := exprs["min_hosts"]; e != nil {
		gate.MinHosts = l.number(e, 0, 1_000_000)
	}
	gate.Query = strings.TrimSpace(l.word(exprs["query"]))
	return gate
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

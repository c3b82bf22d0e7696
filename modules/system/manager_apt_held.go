package system

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumb/policies"
)

// setHeldAside takes out what somebody decided on this host: a version that is held keeps, and
// one that the pins do not choose is not for this host. A target that is older than what is
// there goes back on purpose, so the pins are not asked.
func (p *aptPlanning) setHeldAside(ctx context.Context) error {
	if err := p.choose(ctx, p.wanted); err != nil {
		return err
	}
	p.wanted = slices.DeleteFunc(p.wanted, func(t Target) bool {
		why := p.kept(t)
		if why == "" {
			return false
		}
		p.plan.Held = append(p.plan.Held, policies.Held{Name: t.Name, Version: t.Version, Chain: []string{why}})
		return true
	})
	return nil
}

// kept says why this host keeps a package from a version, empty when it does not.
func (p *aptPlanning) kept(t Target) string {
	there, ok := t.find(p.db)
	if ok && there.Held() && !there.Gone() {
		return fmt.Sprintf("%s is held at %s on this host", t.Name, there.Version)
	}
	if ok && !newer(t.Version, there.Version) {
		return ""
	}
	chosen := p.chosen[p.label(t)]
	if chosen != "" && (chosen == "(none)" || newer(t.Version, chosen)) {
		return fmt.Sprintf("the pins of apt on this host choose %s %s", t.Name, chosen)
	}
	return ""
}

func (p *aptPlanning) label(t Target) string {
	return p.db.label(Package{Name: t.bare(), Arch: t.arch()})
}

// choose reads apt's candidates for targets that were not asked for yet.
func (p *aptPlanning) choose(ctx context.Context, targets []Target) error {
	var names []string
	for _, t := range targets {
		if _, asked := p.chosen[p.label(t)]; !asked {
			names = append(names, p.label(t))
		}
	}
	slices.Sort(names)
	for chunk := range slices.Chunk(slices.Compact(names), showLimit) {
		argv := slices.Concat([]string{"apt-cache"}, p.a.s.apt.options, []string{"-o", "APT::Get::Always-Include-Phased-Updates=true", "policy", "--"}, chunk)
		out, err := p.a.s.Run(ctx, Command{Argv: argv, Timeout: aptQueryLimit, MaxOutput: 32 << 20})
		if err != nil {
			return fmt.Errorf("cannot ask apt for its candidates: %w", err)
		}
		for _, name := range chunk { // what apt does not know it leaves out
			p.chosen[name] = ""
		}
		for name, version := range parsePolicies(string(out.Stdout)) {
			p.chosen[name] = version
		}
	}
	return nil
}

// chainDepth is how far a chain is followed; who reads it has understood by then.
const chainDepth = 6

// explain returns the chain that leads from a target to what blocks it, nil when nothing that
// the relations of the packages tell does. Only apt decides: this gives its refusal a reason.
func (p *aptPlanning) explain(ctx context.Context, t Target) ([]string, error) {
	e := &explanation{aptPlanning: p, ctx: ctx, seen: map[*debRecord]bool{}}
	chain := e.blocked(p.offered.find(t), chainDepth)
	return chain, e.err
}

type explanation struct {
	*aptPlanning
	ctx  context.Context
	seen map[*debRecord]bool
	err  error
}

// blocked returns the chain of one version. A version that is being looked at already is fine
// here: a circle is installed as a whole.
func (e *explanation) blocked(r *debRecord, depth int) []string {
	if r == nil || e.seen[r] || depth == 0 {
		return nil
	}
	e.seen[r] = true
	view := debView{e.world, r}
	for _, group := range r.depends {
		if view.meets(r, group) {
			continue
		}
		if chain := e.without(r, group, depth); chain != nil {
			return append([]string{fmt.Sprintf("%s %s needs %s", r.name, r.version, alternatives(group))}, chain...)
		}
	}
	for _, other := range view.clashes(r) {
		keeps := func(c *debRecord) bool {
			return !slices.ContainsFunc(r.clashes, func(a debAtom) bool { return a.hits(c) })
		}
		if chain := e.moveOn(other, keeps, depth); chain != nil {
			return append([]string{fmt.Sprintf("%s %s does not go with %s %s", r.name, r.version, other.name, other.version)}, chain...)
		}
	}
	return e.leavesBehind(r, view, depth)
}

// leavesBehind looks for packages on the host that need the version that would go, or do not
// go with the one that comes.
func (e *explanation) leavesBehind(r *debRecord, view debView, depth int) []string {
	names := r.names()
	for _, old := range e.world.byName[r.name] {
		if r.replaces(old) {
			names = append(names, old.names()...)
		}
	}
	for _, name := range names {
		for _, other := range e.world.dependsOn[name] {
			if chain := e.leftBehind(r, other, names, view, depth); chain != nil {
				return chain
			}
		}
		for _, other := range e.world.clashesWith[name] {
			if other.name == r.name || !clashesWith(other, r) {
				continue
			}
			keeps := func(c *debRecord) bool { return !clashesWith(c, r) }
			if chain := e.moveOn(other, keeps, depth); chain != nil {
				return append([]string{fmt.Sprintf("%s %s does not go with %s %s", other.name, other.version, r.name, r.version)}, chain...)
			}
		}
	}
	return nil
}

func (e *explanation) leftBehind(r, other *debRecord, names []string, view debView, depth int) []string {
	for _, group := range other.depends {
		if r.replaces(other) || !mentions(group, names) || view.meets(other, group) || !(debView{base: e.world}).meets(other, group) {
			continue
		}
		keeps := func(c *debRecord) bool {
			return !slices.ContainsFunc(c.depends, func(g []debAtom) bool { return mentions(g, names) && !view.meets(c, g) })
		}
		if chain := e.moveOn(other, keeps, depth); chain != nil {
			return append([]string{fmt.Sprintf("%s %s, which is on this host, needs %s", other.name, other.version, alternatives(group))}, chain...)
		}
	}
	return nil
}

func clashesWith(r, other *debRecord) bool {
	return slices.ContainsFunc(r.clashes, func(a debAtom) bool { return a.hits(other) })
}

// without says why none of the alternatives can be had, nil when one can.
func (e *explanation) without(of *debRecord, group []debAtom, depth int) []string {
	var first []string
	for _, atom := range group {
		fits := func(c *debRecord) bool { return atom.serves(of, c) }
		chain := e.have(atom.name, of.arch, fits, depth)
		if chain == nil {
			return nil
		}
		if first == nil {
			first = chain
		}
	}
	return first
}

// moveOn says why no other version of a package on the host can be had that is fit.
func (e *explanation) moveOn(r *debRecord, fits func(*debRecord) bool, depth int) []string {
	return e.have(r.name, r.arch, fits, depth)
}

// have says why no version of a package that fits can be had, nil when one can.
func (e *explanation) have(name, arch string, fits func(*debRecord) bool, depth int) []string {
	if e.err = e.ask(e.ctx, []string{aptName(name, arch, e.db.Arch)}); e.err != nil {
		return nil
	}
	var first []string
	for _, c := range e.newestFirst(name, arch) {
		if !fits(c) {
			continue
		}
		t := Target{Name: name, Arch: c.arch, Version: c.version}
		if e.err = e.choose(e.ctx, []Target{t}); e.err != nil {
			return nil
		}
		chain := e.blocked(c, depth-1)
		if why := e.kept(t); why != "" {
			chain = []string{why}
		}
		if chain == nil {
			return nil
		}
		if first == nil {
			first = chain
		}
	}
	if first != nil {
		return first
	}
	return []string{e.notOnOffer(name, arch)}
}

func (e *explanation) newestFirst(name, arch string) []*debRecord {
	var list []*debRecord
	for _, r := range e.offered[name] {
		if r.arch == arch || r.arch == "all" || arch == "all" {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b *debRecord) int {
		order, _ := CompareDebVersions(b.version, a.version)
		return order
	})
	return list
}

func (e *explanation) notOnOffer(name, arch string) string {
	text := "no repository has a " + name + " that fits"
	if list := e.newestFirst(name, arch); len(list) > 0 {
		text += fmt.Sprintf(", the newest is %s", list[0].version)
	}
	if p, ok := (Target{Name: name, Arch: arch}).find(e.db); ok && !p.Gone() {
		text += fmt.Sprintf(" (%s is on this host)", p.Version)
	}
	return text
}

func alternatives(group []debAtom) string {
	words := make([]string, len(group))
	for i, a := range group {
		words[i] = a.String()
	}
	return strings.Join(words, " or ")
}

package system

import (
	"context"
	"slices"
	"strings"

	"plumb/policies"
)

// PlanPatch asks apt for the whole, and reads from the relations of the packages how it can be
// done in small steps: that takes a handful of calls, however many targets there are. What apt
// refuses is searched for by halves. Added also lists packages that are on the host and that
// nobody asked for, when a target needs them newer.
func (a aptManager) PlanPatch(ctx context.Context, wanted []Target) (PatchPlan, error) {
	p, err := a.newPlanning(ctx, wanted)
	if err != nil || len(p.wanted) == 0 {
		return p.plan, err
	}
	if err := p.setHeldAside(ctx); err != nil {
		return p.plan, err
	}
	if err := p.search(ctx); err != nil {
		return p.plan, err
	}
	if len(p.accepted) > 0 {
		if err := p.cut(ctx); err != nil {
			return p.plan, err
		}
	}
	slices.SortFunc(p.plan.Held, func(x, y policies.Held) int { return strings.Compare(x.Name, y.Name) })
	slices.Sort(p.plan.Removed)
	p.plan.Removed = slices.Compact(p.plan.Removed)
	return p.plan, nil
}

// aptPlanning is the work on one plan.
type aptPlanning struct {
	a       aptManager
	db      *Dpkg
	there   []*debRecord
	world   *debWorld
	offered debOffers
	asked   map[string]bool   // names whose offers were read
	chosen  map[string]string // the candidates by apt's pins, by label
	wanted  []Target          // still in question

	accepted []Target      // apt can install them together
	whole    aptSimulation // of all that is accepted
	tries    int           // simulations that are left
	plan     PatchPlan
}

// planTries bounds the search for what apt refuses: a simulation takes a good part of a second.
const planTries = 100

func (a aptManager) newPlanning(ctx context.Context, wanted []Target) (*aptPlanning, error) {
	p := &aptPlanning{a: a, tries: planTries, asked: map[string]bool{}, offered: debOffers{}, chosen: map[string]string{}}
	a.s.ForgetDpkg()
	var err error
	if p.db, err = a.s.Dpkg(); err != nil {
		return p, err
	}
	wanted = slices.SortedFunc(slices.Values(wanted), orderDebs)
	p.wanted = slices.DeleteFunc(slices.Compact(wanted), func(t Target) bool { return t.reached(p.db) })
	if len(p.wanted) == 0 {
		return p, nil
	}
	if p.there, err = a.onHost(); err != nil {
		return p, err
	}
	p.world = newDebWorld(p.there)
	if err := p.ask(ctx, p.db.aptNames(p.wanted)); err != nil {
		return p, err
	}
	if err := a.archived(ctx, p.offered, p.wanted); err != nil {
		return p, err
	}
	p.wanted = slices.DeleteFunc(p.wanted, func(t Target) bool {
		if p.offered.find(t) != nil {
			return false
		}
		p.plan.Gone = append(p.plan.Gone, t)
		return true
	})
	return p, nil
}

// aptName is what apt calls a package: with its architecture when that is a foreign one.
func aptName(name, arch, native string) string {
	if arch == "" || arch == "all" || arch == native {
		return name
	}
	return name + ":" + arch
}

func (d *Dpkg) aptNames(targets []Target) []string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = aptName(t.bare(), t.arch(), d.Arch)
	}
	return names
}

// ask reads what is on offer for names, as apt calls them, that were not asked for yet.
func (p *aptPlanning) ask(ctx context.Context, names []string) error {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return p.asked[n] })
	if len(names) == 0 {
		return nil
	}
	more, err := p.a.onOffer(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		p.asked[name] = true
	}
	for name, list := range more {
		p.offered[name] = append(p.offered[name], list...)
	}
	return nil
}

// search finds the targets that apt can install together. What looks blocked is tried last, so
// that it costs no search among those that are fine.
func (p *aptPlanning) search(ctx context.Context) error {
	if err := p.askAhead(ctx); err != nil {
		return err
	}
	var clear, doubtful []Target
	for _, t := range p.wanted {
		chain, err := p.explain(ctx, t)
		if err != nil {
			return err
		}
		if chain == nil {
			clear = append(clear, t)
		} else {
			doubtful = append(doubtful, t)
		}
	}
	if err := p.grow(ctx, clear); err != nil {
		return err
	}
	return p.grow(ctx, doubtful)
}

// askAhead reads in one go what will be asked about the dependencies that the host does not meet.
func (p *aptPlanning) askAhead(ctx context.Context) error {
	var targets []Target
	for _, t := range p.wanted {
		r := p.offered.find(t)
		view := debView{p.world, r}
		for _, group := range r.depends {
			if view.meets(r, group) {
				continue
			}
			for _, atom := range group {
				targets = append(targets, Target{Name: atom.name, Arch: r.arch})
			}
		}
		for _, name := range r.names() {
			for _, other := range p.world.dependsOn[name] {
				if !slices.ContainsFunc(other.depends, func(g []debAtom) bool { return !view.meets(other, g) }) {
					continue
				}
				targets = append(targets, Target{Name: other.name, Arch: other.arch})
			}
		}
	}
	if err := p.ask(ctx, p.db.aptNames(targets)); err != nil {
		return err
	}
	return p.choose(ctx, targets)
}

// grow accepts of a group what goes with what is accepted already.
func (p *aptPlanning) grow(ctx context.Context, group []Target) error {
	if len(group) == 0 {
		return nil
	}
	together := slices.Concat(p.accepted, group)
	tried, err := p.try(ctx, together)
	if err != nil {
		return err
	}
	if tried.fine() {
		p.accepted, p.whole = together, tried
		return nil
	}
	if len(group) == 1 {
		return p.hold(ctx, group[0], tried)
	}
	half := len(group) / 2
	if err := p.grow(ctx, group[:half]); err != nil {
		return err
	}
	return p.grow(ctx, group[half:])
}

func (p *aptPlanning) try(ctx context.Context, together []Target) (aptSimulation, error) {
	if p.tries == 0 {
		return aptSimulation{refused: "too much of the set is blocked to look for the rest now"}, nil
	}
	p.tries--
	return p.a.simulate(ctx, p.db, together, p.offered)
}

// hold notes a target that apt refuses, with the reason that we found or else apt's own.
func (p *aptPlanning) hold(ctx context.Context, t Target, tried aptSimulation) error {
	chain, err := p.explain(ctx, t)
	if err != nil {
		return err
	}
	if len(chain) == 0 && len(tried.unmet) > 0 {
		chain = tried.unmet
	}
	if len(chain) == 0 && tried.refused != "" {
		chain = []string{"apt: " + tried.refused}
	}
	if len(tried.remove) > 0 {
		chain = append(chain, "it would remove "+strings.Join(tried.remove, ", "))
		p.plan.Removed = append(p.plan.Removed, tried.remove...)
	}
	p.plan.Held = append(p.plan.Held, policies.Held{Name: t.Name, Version: t.Version, Chain: chain})
	return nil
}

// cut cuts what is accepted into steps, and adds up what it costs.
func (p *aptPlanning) cut(ctx context.Context) error {
	if err := p.ask(ctx, p.db.aptNames(p.whole.install)); err != nil {
		return err
	}
	targets := map[debKey]Target{}
	var changes []*debRecord
	for _, t := range p.whole.install {
		r := p.offered.find(t)
		if r == nil {
			r = &debRecord{name: t.bare(), arch: t.arch(), version: t.Version}
		}
		t.Arch = r.arch
		targets[r.key()] = t
		changes = append(changes, r)
		p.count(r)
		if !slices.ContainsFunc(p.accepted, func(w Target) bool { return w.bare() == t.bare() && p.offered.find(w) == r }) {
			p.plan.Added = append(p.plan.Added, t)
		}
	}
	for _, keys := range newAptGraph(p.there, changes).steps() {
		step := make([]Target, len(keys))
		for i, k := range keys {
			step[i] = targets[k]
		}
		p.plan.Steps = append(p.plan.Steps, step)
	}
	return nil
}

// count adds what a version costs: nothing to fetch when it is there already.
func (p *aptPlanning) count(r *debRecord) {
	at, err := p.a.s.Files().StatFollow(archiveFile(r.name, r.version, r.arch))
	if err != nil || at.Size != r.size {
		p.plan.Download += r.size
	}
	p.plan.Disk += r.unpacked << 10
	for _, old := range p.world.byName[r.name] {
		if r.replaces(old) {
			p.plan.Disk -= old.unpacked << 10
		}
	}
}

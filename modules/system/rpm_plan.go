package system

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"plumb/policies"
)

// maxSimulations bounds how often the solver is asked for one plan: it takes about a second each
// time on a host with large package lists. With more updates than that, steps are larger.
const maxSimulations = 24

// rpmTransaction is what the solver would do.
type rpmTransaction struct {
	// changes are packages that come in, removed those that go without a newer version.
	changes []Target
	removed []string
	// problem says why it cannot be done, one step of the reason each; empty when it can.
	problem []string
	// download and disk are in bytes, 0 where the solver does not tell.
	download, disk int64
}

// rpmAvailable is one version that can be had.
type rpmAvailable struct {
	// download and size are in bytes, 0 where they are not known.
	download, size int64
	// fetchedOnly is true when no repository has it any more, but it was fetched before.
	fetchedOnly bool
}

// fetchedSpecs names each version, those that only the cache has by their file. changed is
// false when there is none.
func (r rpmDatabase) fetchedSpecs(wanted []Target, available map[Target]rpmAvailable, locate func(Target) (string, bool), name func(Target) string) (specs []string, changed bool) {
	for _, t := range wanted {
		file, ok := locate(t)
		if !ok || !available[t].fetchedOnly {
			specs = append(specs, name(t))
			continue
		}
		specs, changed = append(specs, filepath.Join("/", r.s.Root, file)), true
	}
	return specs, changed
}

// toFetch parts what has to be fetched: versions that are installed, which are the way back, and
// others. What was fetched before is left out, but others are fetched all or none: they may
// need each other's exact version.
func (r rpmDatabase) toFetch(ctx context.Context, wanted []Target, locate func(Target) (string, bool)) (there, fresh []Target, err error) {
	installed, err := r.installedVersions(ctx)
	if err != nil {
		return nil, nil, err
	}
	missing := false
	for _, t := range wanted {
		_, fetched := locate(t)
		switch {
		case installed[t] && !fetched:
			there = append(there, t)
		case !installed[t]:
			fresh = append(fresh, t)
			missing = missing || !fetched
		}
	}
	if !missing {
		fresh = nil
	}
	return there, fresh, nil
}

// rpmPlanner makes a plan out of simulations.
type rpmPlanner struct {
	// simulate asks the solver for exactly these versions.
	simulate  func(ctx context.Context, wanted []Target) (rpmTransaction, error)
	installed []rpmPackage
	available map[Target]rpmAvailable

	wanted map[Target]bool
	done   map[Target]bool // in a step, or held
	// refused are held because the solver finds no way.
	refused []Target
	plan    PatchPlan
}

// run plans packages of one source together, for they mostly need each other's exact version.
func (p *rpmPlanner) run(ctx context.Context, wanted []Target) (PatchPlan, error) {
	p.wanted, p.done = map[Target]bool{}, map[Target]bool{}
	for _, t := range wanted {
		_, there := p.available[t]
		switch {
		case p.has(t):
		case there:
			p.wanted[t] = true
		default:
			p.plan.Gone = append(p.plan.Gone, t)
		}
	}
	for _, group := range p.groups() {
		if err := p.addGroup(ctx, group); err != nil {
			return PatchPlan{}, err
		}
	}
	err := p.retry(ctx)
	return p.plan, err
}

// retry asks for all that was held in one go: packages that need each other may be such that the
// solver cannot draw in the other by itself, because only our cache has it.
func (p *rpmPlanner) retry(ctx context.Context) error {
	if len(p.refused) < 2 {
		return nil
	}
	t, err := p.simulate(ctx, p.refused)
	if err != nil || len(t.problem)+len(t.removed) > 0 {
		return err
	}
	p.plan.Held = slices.DeleteFunc(p.plan.Held, func(h policies.Held) bool {
		return slices.ContainsFunc(p.refused, func(t Target) bool { return t.Name == h.Name && t.Version == h.Version })
	})
	for _, refused := range p.refused {
		delete(p.done, refused)
	}
	p.addStep(t)
	return nil
}

func (p *rpmPlanner) has(t Target) bool {
	return slices.ContainsFunc(p.installed, func(i rpmPackage) bool { return i.Target == t })
}

// groups puts together what has one source, and then so many sources that there are few groups.
func (p *rpmPlanner) groups() [][]Target {
	source := map[string]string{}
	for _, i := range p.installed {
		source[i.Name] = i.source
	}
	bySource := map[string][]Target{}
	for _, t := range slices.SortedFunc(maps.Keys(p.wanted), compareRPMTargets) {
		key := cmp.Or(source[t.Name], t.Name)
		bySource[key] = append(bySource[key], t)
	}
	names := slices.Sorted(maps.Keys(bySource))
	size := (len(names) + maxSimulations - 1) / maxSimulations
	var groups [][]Target
	for chunk := range slices.Chunk(names, max(size, 1)) {
		var group []Target
		for _, name := range chunk {
			group = append(group, bySource[name]...)
		}
		groups = append(groups, group)
	}
	return groups
}

// addGroup makes a step of a group. When the solver refuses, each package is asked for alone.
func (p *rpmPlanner) addGroup(ctx context.Context, group []Target) error {
	group = slices.DeleteFunc(group, func(t Target) bool { return p.done[t] })
	if len(group) == 0 {
		return nil
	}
	t, whole, err := p.solve(ctx, group)
	if err != nil {
		return err
	}
	if len(t.problem) == 0 && len(t.removed) == 0 {
		p.addStep(t)
		return nil
	}
	if len(group) == 1 {
		p.hold(whole[0], t)
		return nil
	}
	for _, one := range group {
		if err := p.addGroup(ctx, []Target{one}); err != nil {
			return err
		}
	}
	return nil
}

// solve asks for a group, and for it with more of what is wanted as long as the solver would
// take other versions of those.
func (p *rpmPlanner) solve(ctx context.Context, group []Target) (rpmTransaction, []Target, error) {
	for {
		t, err := p.simulate(ctx, group)
		if err != nil {
			return t, group, fmt.Errorf("cannot plan the update of %s: %w", group[0].Name, err)
		}
		var more []Target
		for _, c := range t.changes {
			if w, other := p.otherVersion(c); other && !slices.Contains(group, w) {
				more = append(more, w)
			}
		}
		if len(more) == 0 {
			return t, group, nil
		}
		group = append(slices.Clone(group), more...)
	}
}

// otherVersion returns the wanted version of a package that would come in as another.
func (p *rpmPlanner) otherVersion(c Target) (Target, bool) {
	for w := range p.wanted {
		if w.Name == c.Name && w.Arch == c.Arch && w.Version != c.Version && !p.done[w] {
			return w, true
		}
	}
	return Target{}, false
}

// addStep leaves out what an earlier step brings.
func (p *rpmPlanner) addStep(t rpmTransaction) {
	var step []Target
	for _, c := range slices.SortedFunc(slices.Values(t.changes), compareRPMTargets) {
		if p.done[c] {
			continue
		}
		p.done[c] = true
		step = append(step, c)
		if !p.wanted[c] {
			p.plan.Added = append(p.plan.Added, c)
		}
		p.plan.Download += p.available[c].download
		p.plan.Disk += p.available[c].size - p.sizeNow(c)
	}
	p.plan.Download += t.download
	p.plan.Disk += t.disk
	if len(step) > 0 {
		p.plan.Steps = append(p.plan.Steps, step)
	}
}

// sizeNow is what the installed version takes; a version that comes beside it replaces nothing,
// so the room needed may be told too small by one kernel, never by more.
func (p *rpmPlanner) sizeNow(t Target) int64 {
	if p.available[t].size == 0 {
		return 0
	}
	for _, i := range p.installed {
		if i.Name == t.Name && i.Arch == t.Arch && !installOnly(t.rpmName()) {
			return i.size
		}
	}
	return 0
}

// hold reports one package that cannot be installed.
func (p *rpmPlanner) hold(t Target, tried rpmTransaction) {
	p.done[t] = true
	if len(tried.problem) == 0 {
		p.plan.Removed = append(p.plan.Removed, tried.removed...)
		tried.problem = []string{strings.Join(tried.removed, ", ") + " would be removed"}
	} else {
		p.refused = append(p.refused, t)
	}
	p.plan.Held = append(p.plan.Held, policies.Held{Name: t.Name, Version: t.Version, Chain: tried.problem})
}

// installOnly tells packages of which several versions are installed side by side.
func installOnly(name string) bool {
	return name == "kernel" || strings.HasPrefix(name, "kernel-") && !strings.HasPrefix(name, "kernel-headers") &&
		!strings.HasPrefix(name, "kernel-tools") && !strings.HasPrefix(name, "kernel-firmware") && !strings.HasPrefix(name, "kernel-srpm")
}

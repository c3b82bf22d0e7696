package patching

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/patch"
)

// draft is a plan on its way to one that may be carried out.
type draft struct {
	wants   []want
	plan    system.PatchPlan
	blocked blocked
	updated bool // the package lists were fetched for it
}

// plan simulates until nothing is left that must not happen. Whatever is in the way is taken
// out with its reason, and the rest is simulated again.
func (m *Machine) plan(ctx context.Context, s stock, d *draft, set patch.Set) error {
	for len(d.wants) > 0 {
		plan, err := m.manager.PlanPatch(ctx, targets(d.wants))
		if err != nil {
			return fmt.Errorf("cannot plan the updates: %w", err)
		}
		d.plan = plan
		if len(plan.Gone) > 0 {
			if err := m.gone(ctx, s, d); err != nil {
				return err
			}
			continue
		}
		if d.drop(plan.Held) {
			continue
		}
		bad := m.objections(plan, d.wants, s, set)
		if len(bad) == 0 && !d.leftOut() {
			return nil
		}
		if len(bad) == 0 {
			continue
		}
		if err := m.isolate(ctx, s, d, set, bad); err != nil {
			return err
		}
	}
	d.plan = system.PatchPlan{}
	return nil
}

// gone deals with versions that no repository has: the package lists may be old, else the
// policy says whether the newest version takes their place.
func (m *Machine) gone(ctx context.Context, s stock, d *draft) error {
	if !d.updated {
		d.updated = true
		if err := m.manager.Update(ctx); err != nil {
			return waits("the package lists cannot be fetched: %v", err)
		}
		return nil
	}
	kept := d.wants[:0:0]
	for _, w := range d.wants {
		if !slices.Contains(d.plan.Gone, w.target) {
			kept = append(kept, w)
			continue
		}
		if newer, ok := m.instead(s, w); ok {
			kept = append(kept, newer)
			continue
		}
		d.blocked.Targets = append(d.blocked.Targets, w.target)
		d.blocked.Left = append(d.blocked.Left, policies.PatchedPackage{Name: w.target.Name, Before: w.before, After: w.target.Version})
	}
	d.wants = kept
	return nil
}

// instead is the newest version in place of one that has gone, where the policy wants it and
// the baseline lets it in.
func (m *Machine) instead(s stock, w want) (want, bool) {
	offer, ok := s.candidate(w.target)
	if m.spec.Superseded != "newest" || !ok || s.compare(offer.Candidate, w.target.Version) <= 0 {
		return want{}, false
	}
	if patch.Judge(m.ruleless(), offer, m.now(), nil, m.now()).State != patch.Approved {
		return want{}, false
	}
	return want{system.Target{Name: w.target.Name, Arch: w.target.Arch, Version: offer.Candidate}, w.before, offer}, true
}

// drop takes out what is held, and tells whether that was anything that is wanted.
func (d *draft) drop(held []policies.Held) bool {
	before := len(d.wants)
	for _, h := range held {
		d.hold(h.Name, h.Chain)
	}
	return len(d.wants) < before
}

// leftOut takes out what the plan is silent about.
func (d *draft) leftOut() bool {
	before := len(d.wants)
	steps := slices.Concat(d.plan.Steps...)
	for _, w := range slices.Clone(d.wants) {
		if !slices.ContainsFunc(steps, func(t system.Target) bool { return sameTarget(t, w.target) }) {
			d.hold(w.target.Name, []string{"the package manager leaves it out"})
		}
	}
	return len(d.wants) < before
}

// hold takes the wanted versions of one package out.
func (d *draft) hold(name string, chain []string) {
	d.wants = slices.DeleteFunc(slices.Clone(d.wants), func(w want) bool {
		if w.target.Name != name {
			return false
		}
		d.blocked.Targets = append(d.blocked.Targets, w.target)
		d.blocked.Held = append(d.blocked.Held, policies.Held{Name: name, Version: w.target.Version, Chain: chain})
		return true
	})
}

// isolate finds the updates that are in the way by planning each alone. Where none is by
// itself, only all of them together are.
func (m *Machine) isolate(ctx context.Context, s stock, d *draft, set patch.Set, bad []string) error {
	before := len(d.wants)
	for _, w := range slices.Clone(d.wants) {
		alone, err := m.manager.PlanPatch(ctx, []system.Target{w.target})
		if err != nil {
			return fmt.Errorf("cannot plan the update of %s: %w", w.target.Name, err)
		}
		if own := m.objections(alone, []want{w}, s, set); len(own) > 0 {
			d.hold(w.target.Name, own)
		}
	}
	if len(d.wants) < before {
		return nil
	}
	for _, w := range slices.Clone(d.wants) {
		d.hold(w.target.Name, bad)
	}
	return nil
}

// objections says what a plan would do that it must not.
func (m *Machine) objections(plan system.PatchPlan, wants []want, s stock, set patch.Set) []string {
	var bad []string
	for _, name := range plan.Removed {
		bad = append(bad, name+" would be removed")
	}
	for _, t := range slices.Concat(plan.Steps...) {
		if why := m.objection(t, wants, s, set); why != "" {
			bad = append(bad, why)
		}
	}
	return bad
}

// objection says why one package of a plan must not come in. New packages that something needs
// may, unless the baseline blocks them; updates only as the baseline's sources allow.
func (m *Machine) objection(t system.Target, wants []want, s stock, set patch.Set) string {
	if slices.ContainsFunc(wants, func(w want) bool { return sameTarget(w.target, t) }) {
		return ""
	}
	before := s.version(t.Name, t.Arch)
	if before != "" && s.compare(t.Version, before) < 0 {
		return fmt.Sprintf("%s would go from %s back to %s", t.Name, before, t.Version)
	}
	offer := s.offerFor(t, before, set)
	if v := patch.Judge(m.ruleless(), offer, m.now(), nil, m.now()); v.State == patch.Rejected {
		return fmt.Sprintf("it needs %s %s, which the baseline blocks: %s", t.Name, t.Version, v.Reason)
	}
	if before == "" || before == t.Version || m.sourced(offer) {
		return ""
	}
	return fmt.Sprintf("it needs %s %s, which is not in the patch set and from no source of the baseline", t.Name, t.Version)
}

// sourced tells whether the sources of the baseline match, whatever its rejects say.
func (m *Machine) sourced(offer inventory.Offer) bool {
	b := m.ruleless()
	b.Rejects = nil
	return patch.Judge(b, offer, m.now(), nil, m.now()).State == patch.Approved
}

// offerFor is what the host knows of a version that a plan draws in, else what the set says.
func (s stock) offerFor(t system.Target, before string, set patch.Set) inventory.Offer {
	if o, ok := s.candidate(t); ok && o.Candidate == t.Version {
		return o
	}
	for _, item := range set.Items {
		if item.Package == t.Name && sameArch(item.Arch, t.Arch) && item.Version == t.Version {
			return s.offerOf(item, before)
		}
	}
	return inventory.Offer{Package: t.Name, Source: t.Name, Arch: t.Arch, Installed: before, Candidate: t.Version}
}

func sameTarget(a, b system.Target) bool {
	return a.Name == b.Name && sameArch(a.Arch, b.Arch) && a.Version == b.Version
}

// words says in one line what keeps updates out.
func (b blocked) words() string {
	var parts []string
	for _, h := range b.Held {
		parts = append(parts, fmt.Sprintf("%s %s is held: %s", h.Name, h.Version, strings.Join(h.Chain, ", ")))
	}
	for _, p := range b.Left {
		parts = append(parts, fmt.Sprintf("%s %s has left the repository", p.Name, p.After))
	}
	const enough = 5
	if len(parts) > enough {
		parts = append(parts[:enough], fmt.Sprintf("and %d more", len(parts)-enough))
	}
	return strings.Join(parts, "; ")
}

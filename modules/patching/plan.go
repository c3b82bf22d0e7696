package patching

import (
	"context"
	"errors"
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

// errOldLists means that a version is nowhere, and that the package lists may be old.
var errOldLists = errors.New("the package lists may be old")

// plan simulates until nothing is left that must not happen. Whatever is in the way is taken
// out with its reason, and the rest is simulated again.
func (m *Machine) plan(ctx context.Context, s stock, d *draft) error {
	for len(d.wants) > 0 {
		if lost := d.sourceless(); len(lost) > 0 {
			if err := m.gone(s, d, lost); err != nil {
				return err
			}
			continue
		}
		plan, err := m.manager.PlanPatch(ctx, targets(d.wants))
		if err != nil {
			return fmt.Errorf("cannot plan the updates: %w", err)
		}
		d.plan = plan
		if len(plan.Gone) > 0 {
			if err := m.gone(s, d, plan.Gone); err != nil {
				return err
			}
			continue
		}
		if d.drop(plan.Held) {
			continue
		}
		bad, err := m.objections(ctx, plan, d.wants, s)
		if err != nil {
			return err
		}
		if len(bad) == 0 && !d.leftOut() {
			return nil
		}
		if len(bad) == 0 {
			continue
		}
		if err := m.isolate(ctx, s, d, bad); err != nil {
			return err
		}
	}
	d.plan = system.PatchPlan{}
	return nil
}

// gone deals with versions that no source of the baseline has here: the package lists may be old,
// else the policy says whether the newest version takes their place.
func (m *Machine) gone(s stock, d *draft, lost []system.Target) error {
	if !d.updated {
		return errOldLists
	}
	kept := d.wants[:0:0]
	for _, w := range d.wants {
		newer, ok := m.instead(s, w)
		switch {
		case !slices.Contains(lost, w.target):
			kept = append(kept, w)
		case ok:
			kept = append(kept, newer)
		case len(w.elsewhere) > 0 && !w.sourced:
			d.blocked.Targets = append(d.blocked.Targets, w.target)
			d.blocked.Held = append(d.blocked.Held, policies.Held{Name: w.target.Name, Version: w.target.Version, Chain: []string{w.strange()}})
		default:
			d.blocked.Targets = append(d.blocked.Targets, w.target)
			d.blocked.Left = append(d.blocked.Left, policies.PatchedPackage{Name: w.target.Name, Before: w.before, After: w.target.Version})
		}
	}
	d.wants = kept
	return nil
}

// instead is the newest version in place of one that has gone, where the policy wants it and
// the baseline lets it in.
func (m *Machine) instead(s stock, w want) (want, bool) {
	offer, ok := s.candidate(w.target)
	if m.spec.Superseded != "newest" || !ok || s.compare(offer.Candidate, w.target.Version) <= 0 || m.judge(offer) != patch.Approved {
		return want{}, false
	}
	return want{target: system.Target{Name: w.target.Name, Arch: w.target.Arch, Version: offer.Candidate}, before: w.before, offer: offer, sourced: true}, true
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
func (m *Machine) isolate(ctx context.Context, s stock, d *draft, bad []string) error {
	before := len(d.wants)
	for _, w := range slices.Clone(d.wants) {
		alone, err := m.manager.PlanPatch(ctx, []system.Target{w.target})
		if err != nil {
			return fmt.Errorf("cannot plan the update of %s: %w", w.target.Name, err)
		}
		own, err := m.objections(ctx, alone, []want{w}, s)
		if err != nil {
			return err
		}
		if len(own) > 0 {
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
func (m *Machine) objections(ctx context.Context, plan system.PatchPlan, wants []want, s stock) ([]string, error) {
	all := slices.Concat(plan.Steps...)
	if err := m.learn(ctx, s, all); err != nil {
		return nil, err
	}
	var bad []string
	for _, name := range plan.Removed {
		bad = append(bad, name+" would be removed")
	}
	for _, t := range all {
		if why := m.objection(t, wants, s); why != "" {
			bad = append(bad, why)
		}
	}
	return bad, nil
}

// objection says why one package of a plan must not come in. New packages that something needs
// may, unless the baseline blocks them; updates only as the baseline's sources allow.
func (m *Machine) objection(t system.Target, wants []want, s stock) string {
	if slices.ContainsFunc(wants, func(w want) bool { return sameTarget(w.target, t) }) {
		return ""
	}
	before := s.version(t.Name, t.Arch)
	if before != "" && s.compare(t.Version, before) < 0 {
		return fmt.Sprintf("%s would go from %s back to %s", t.Name, before, t.Version)
	}
	offers := s.offersOf(t)
	if len(offers) == 0 {
		offers = []inventory.Offer{{Package: t.Name, Source: t.Name, Arch: t.Arch, Installed: before, Candidate: t.Version}}
	}
	for _, o := range offers {
		if v := patch.Judge(m.ruleless(), o, m.now(), nil, m.now()); v.State == patch.Rejected {
			return fmt.Sprintf("it needs %s %s, which the baseline blocks: %s", t.Name, t.Version, v.Reason)
		}
	}
	if before == "" || before == t.Version || slices.ContainsFunc(offers, m.lets) {
		return ""
	}
	return fmt.Sprintf("it needs %s %s, which no source of the baseline has", t.Name, t.Version)
}

// lets tells whether the baseline takes something from the repository, whatever its rejects say.
func (m *Machine) lets(offer inventory.Offer) bool {
	b := m.ruleless()
	b.Rejects = nil
	return patch.Judge(b, offer, m.now(), nil, m.now()).State == patch.Approved
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

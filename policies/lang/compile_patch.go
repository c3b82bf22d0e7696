package lang

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"plumb/modules"
	"plumb/policies"
	"plumb/policies/patch"
)

// patches makes the resource patch of each rollout that takes patches to this host. The catalog
// says how the host patches; what it installs comes with a lease.
func (r *run) patches(groups []string, terms patch.Terms) []policies.Resource {
	var list []policies.Resource
	carried := map[string]*rollout{} // by baseline
	for _, one := range r.cfg.rollouts {
		ring := r.ringOf(one, groups)
		i := slices.IndexFunc(terms.Baselines, func(b patch.Baseline) bool { return b.Name == one.Baseline() })
		if ring == nil || i < 0 {
			continue
		}
		if first := carried[one.Baseline()]; first != nil {
			r.report(failure(one.at, "Baseline carried twice", fmt.Sprintf("The rollouts %q and %q both take the baseline %q to this host, and would get in each other's way. "+
				"Let the host be in a ring of one of them.", first.Name, one.Name, one.Baseline())))
			continue
		}
		carried[one.Baseline()] = one
		list = append(list, r.patch(one, *ring, terms.Baselines[i]))
	}
	slices.SortFunc(list, func(a, b policies.Resource) int { return strings.Compare(a.Address, b.Address) })
	return list
}

// ringOf returns the ring of a rollout of patches that the host is in, nil for none.
func (r *run) ringOf(one *rollout, groups []string) *policies.Ring {
	rings := one.RingsOf(groups)
	if one.Baseline() == "" || len(rings) == 0 {
		return nil
	}
	if len(rings) > 1 {
		r.report(failure(one.at, "Host in two rings", fmt.Sprintf("The host %s is in the rings %q and %q of the rollout %q, so it is not clear when it may patch. %s",
			r.in.Host.Name, rings[0].Name, rings[1].Name, one.Name, apart(rings[0], rings[1]))))
		return nil
	}
	return &rings[0]
}

func apart(a, b policies.Ring) string {
	if a.Group == b.Group {
		return fmt.Sprintf("Both are for the group %q: take one of them out.", a.Group)
	}
	return fmt.Sprintf("Let the group %q leave out the other: exclude = group.%s.", b.Group, a.Group)
}

func (r *run) patch(one *rollout, ring policies.Ring, b patch.Baseline) policies.Resource {
	raw, err := json.Marshal(modules.Patch{
		Rollout: one.Name, Ring: ring.Name, Baseline: b,
		Conffiles: one.Conffiles, Superseded: one.Superseded, Rollback: one.Rollback, Reboot: ring.Reboot,
		Deadline: ring.Deadline, Grace: ring.Grace, MinFree: one.minFree, Kernels: one.Kernels, Hooks: one.Hooks, Probes: one.Probes,
	})
	if err != nil {
		r.report(failure(one.at, internalSummary, "The attributes cannot be encoded: "+err.Error()+"."))
	}
	return policies.Resource{Address: "rollout." + one.Name, Kind: patchKind, Policy: one.Name, Mode: policies.Enforce,
		Window: unique(slices.Clone(ring.Windows)), Attributes: raw, Source: one.Source}
}

// withPatches puts the patches behind all that changes the host and before what only measures
// it: what a check finds is how patching left the host.
func withPatches(list, patches []policies.Resource) []policies.Resource {
	last := 0
	for i, one := range list {
		if !one.Check {
			last = i + 1
		}
	}
	return slices.Insert(list, last, patches...)
}

package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// waits says in words what a ring waits for.
func (s State) waits(i int, t Tally) string {
	r, plan := s.Rings[i], s.Plan.Rings[i]
	switch {
	case r.Phase == Passed && t.Given < t.Members:
		return fmt.Sprintf("%d more of its hosts, which get it when they call%s", t.Members-t.Given, shut(t))
	case r.Phase == Passed || r.Phase == RolledBack:
		return ""
	case r.Phase == Halted:
		return "a person to resume, promote or roll back"
	case r.Phase == Waiting && i > 0 && s.Rings[i-1].Phase != Passed:
		return "the ring " + s.Rings[i-1].Name
	case r.Phase == Waiting:
		return "its deferral, until " + s.Made.Add(s.Deferral(plan)).UTC().Format(time.RFC3339)
	case s.Paused != nil:
		return "the end of the pause by " + s.Paused.Who
	case s.Frozen:
		return "the end of the freeze"
	case t.Members == 0 && plan.Gate.MinHosts > 0:
		return "a first host: nobody is in it"
	case !converged(plan.Gate, t):
		return fmt.Sprintf("hosts: %d of %d have converged, %g %% and at least %d are wanted%s", t.Converged, t.Members, plan.Gate.Converged, plan.Gate.MinHosts, shut(t))
	}
	return s.lacks(plan, r)
}

// lacks says what a ring that has converged waits for.
func (s State) lacks(plan policies.Ring, r Ring) string {
	left := s.Soak(plan) - r.Soaked
	switch {
	case left > 0:
		return fmt.Sprintf("%s more of soak", left.Round(time.Second))
	case plan.Gate.Approval && r.Approved == nil:
		return "the approval of a person"
	case r.Asked == nil:
		return "an answer to its query, which nobody has asked yet"
	case r.Asked.Problem != "":
		return "an answer to its query: " + r.Asked.Problem
	case !r.Asked.Good:
		return "a good answer to its query; the newest one is not"
	}
	return "the next step"
}

// shut says how many hosts may not change now.
func shut(t Tally) string {
	switch {
	case t.Closed == 0:
		return ""
	case t.Opens.IsZero():
		return fmt.Sprintf("; %d may not change now", t.Closed)
	}
	return fmt.Sprintf("; %d may not change now, the first again %s", t.Closed, t.Opens.UTC().Format(time.RFC3339))
}

// called returns the names of hosts, sorted.
func (s sight) called(ids []inventory.HostID) []string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, s.names[id])
	}
	slices.Sort(names)
	return names
}

func sortedIDs(hosts map[inventory.HostID]Host) []inventory.HostID {
	return slices.Sorted(maps.Keys(hosts))
}

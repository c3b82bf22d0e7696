package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"plumb/inventory"
)

// waits says in words what a ring waits for.
func (s State) waits(i int, t Tally) string {
	r, plan := s.Rings[i], s.Plan.Rings[i]
	switch {
	case r.Phase == Passed && t.Given < t.Members:
		return fmt.Sprintf("%d more of its hosts get the release when they call", t.Members-t.Given)
	case r.Phase == Passed || r.Phase == RolledBack:
		return ""
	case r.Phase == Halted:
		return "a person to resume, promote or roll back"
	case r.Phase == Waiting && i > 0 && s.Rings[i-1].Phase != Passed:
		return "the ring " + s.Rings[i-1].Name
	case r.Phase == Waiting:
		return "its deferral, until " + s.Made.Add(time.Duration(plan.Deferral)*time.Second).UTC().Format(time.RFC3339)
	case s.Paused != nil:
		return "the end of the pause by " + s.Paused.Who
	case s.Frozen:
		return "the end of the freeze"
	case t.Members == 0 && plan.Gate.MinHosts > 0:
		return "a first host: nobody is in it"
	case !converged(plan.Gate, t):
		return fmt.Sprintf("hosts: %d of %d have converged, %g %% and at least %d are wanted", t.Converged, t.Members, plan.Gate.Converged, plan.Gate.MinHosts)
	}
	if left := time.Duration(plan.Gate.Soak)*time.Second - r.Soaked; left > 0 {
		return fmt.Sprintf("%s more of soak", left.Round(time.Second))
	}
	return "the approval of a person"
}

func (d *Driver) names(ids []inventory.HostID) []string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, d.seen.names[id])
	}
	slices.Sort(names)
	return names
}

func sortedIDs(hosts map[inventory.HostID]Host) []inventory.HostID {
	return slices.Sorted(maps.Keys(hosts))
}

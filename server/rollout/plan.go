package rollout

import (
	"fmt"
	"slices"
	"strings"

	"plumb/inventory"
	"plumb/policies"
)

// place sorts hosts into the rings of a plan. A patch cycle concerns the hosts whose policy has
// it carried there: a baseline may be limited to some of a ring.
func place(s State, places map[inventory.HostID]*placement) Members {
	m := Members{}
	for id, p := range places {
		ring := s.Plan.RingOf(p.groups)
		carried := s.Rollout == "" || slices.Contains(p.patches, patchPrefix+s.Rollout)
		if ring != "" && carried {
			m[ring] = append(m[ring], id)
		}
	}
	for _, ids := range m {
		slices.Sort(ids)
	}
	return m
}

// named is how many hosts a diagnostic names.
const named = 10

// Strays holds a plan against the groups of all known hosts, by their names: each of them has to
// be in exactly one ring. A ring that nobody is in is worth a warning, since it never passes.
func Strays(plan policies.Rollout, groups map[string][]string) []policies.Problem {
	var problems []policies.Problem
	twice, none, filled := map[string][]string{}, []string{}, map[string]bool{}
	for host, list := range groups {
		rings := plan.RingsOf(list)
		switch len(rings) {
		case 0:
			none = append(none, host)
		case 1:
			filled[rings[0].Name] = true
		default:
			names := make([]string, len(rings))
			for i, r := range rings {
				names[i] = r.Name
			}
			key := strings.Join(names, " and ")
			twice[key] = append(twice[key], host)
		}
	}
	for _, rings := range sorted(twice) {
		problems = append(problems, stray(plan, "Host in two rings", fmt.Sprintf("%s in the rings %s, and a host gets each release in one ring. "+
			"Leave it out of one group, such as with exclude or with a match that ends in && !group.NAME.", are(twice[rings]), rings)))
	}
	if len(none) > 0 {
		problems = append(problems, stray(plan, "Host in no ring", are(none)+" in no ring, so no release would reach it. Add a ring for the rest of the hosts."))
	}
	if len(problems) > 0 || len(groups) == 0 {
		return problems
	}
	for _, r := range plan.Rings {
		if !filled[r.Name] && r.Gate.MinHosts > 0 {
			p := stray(plan, "Ring without hosts", fmt.Sprintf("No host is in the ring %q, so nothing can be learned there and it does not pass by itself: "+
				"what comes behind it waits for `plumb rollout promote`. With min_hosts = 0 in its gate it passes empty.", r.Name))
			p.Severity = "warning"
			problems = append(problems, p)
		}
	}
	return problems
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// are names hosts and says "is" or "are".
func are(hosts []string) string {
	slices.Sort(hosts)
	text := strings.Join(hosts[:min(named, len(hosts))], ", ")
	if more := len(hosts) - named; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if len(hosts) == 1 {
		return text + " is"
	}
	return text + " are"
}

func stray(plan policies.Rollout, summary, detail string) policies.Problem {
	return policies.Problem{Severity: "error", Summary: summary, Detail: detail, File: plan.Source.File, Line: plan.Source.Line,
		Column: 1, Context: fmt.Sprintf("rollout %q", plan.Name)}
}

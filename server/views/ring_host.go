package views

import (
	"strings"

	"plumb/server/rollout"
	"plumb/server/store"
)

// RingHost is one host of a ring and how it fares with the change.
type RingHost struct {
	Name string
	// Outcome is converged, failed, waiting (it has the change, and no outcome yet) or ahead (it
	// has not).
	Outcome string
	// Note says what else there is to know; empty for nothing.
	Note string
}

// Outcomes are the words of RingHost.Outcome.
func Outcomes() []string { return []string{"converged", "failed", "waiting", "ahead"} }

// RingHosts returns the hosts of a ring that fare in a way (empty: all), by name, and how many
// there are in each way. It is store.ErrNotFound for all but the newest change.
func (r Reader) RingHosts(g Glancer, id, ring, outcome string) ([]RingHost, map[string]int, error) {
	of, err := rollout.ParseID(id)
	if err != nil || g == nil {
		return nil, nil, store.ErrNotFound
	}
	all, err := g.Standings(of, ring)
	if err != nil {
		return nil, nil, err
	}
	var list []RingHost
	counts := map[string]int{}
	for _, one := range all {
		h := ringHost(one)
		counts[h.Outcome]++
		if outcome == "" || h.Outcome == outcome {
			list = append(list, h)
		}
	}
	return list, counts, nil
}

func ringHost(s rollout.Standing) RingHost {
	h := RingHost{Name: s.Name, Outcome: "ahead"}
	switch {
	case s.Outcome == rollout.Converged:
		h.Outcome = "converged"
	case s.Outcome == rollout.Failed:
		h.Outcome = "failed"
	case s.Given:
		h.Outcome = "waiting"
	}
	var notes []string
	if s.Silent {
		notes = append(notes, "it is silent")
	}
	switch {
	case s.Closed && s.Opens.IsZero():
		notes = append(notes, "it may not change now")
	case s.Closed:
		notes = append(notes, "it may change again "+s.Opens.UTC().Format("2006-01-02 15:04 MST"))
	}
	h.Note = strings.Join(notes, "; ")
	return h
}

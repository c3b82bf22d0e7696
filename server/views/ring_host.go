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

// RingHosts returns the first hosts of a ring that fare in a way (empty: all), by name, from behind a name on, and how
// many hosts of the ring there are in each way. It is store.ErrNotFound for all but the newest change.
func (r Reader) RingHosts(g Glancer, id, ring, outcome, after string, limit int) ([]RingHost, map[string]int, error) {
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
		word := outcomeOf(one)
		counts[word]++
		if (outcome == "" || word == outcome) && one.Name > after && len(list) < limit {
			list = append(list, RingHost{Name: one.Name, Outcome: word, Note: noteOf(one)})
		}
	}
	return list, counts, nil
}

func outcomeOf(s rollout.Standing) string {
	switch {
	case s.Outcome == rollout.Converged:
		return "converged"
	case s.Outcome == rollout.Failed:
		return "failed"
	case s.Given:
		return "waiting"
	}
	return "ahead"
}

func noteOf(s rollout.Standing) string {
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
	return strings.Join(notes, "; ")
}

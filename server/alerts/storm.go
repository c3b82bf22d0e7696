package alerts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plumb/server/store"
)

const (
	// stormSpan is the time in which no more alerts of a kind are told than the settings say.
	stormSpan = time.Minute
	// stormWait is how long the alert that tells of the others waits until it is told.
	stormWait = 15 * time.Second
	// stormNames is how many subjects it names.
	stormNames = 5
)

// about is the kind that receivers choose by: a storm is for those who want what it is of.
func about(e store.Episode) string {
	if e.Kind == Storm {
		return e.Subject
	}
	return e.Kind
}

// gather tells which of the new conditions are too many to be told one by one, and adds to what is
// seen a condition of each storm. A storm is in sight while one of what it gathered is.
func (s *Station) gather(open []store.Episode, v *view, now time.Time) map[string]bool {
	known, fresh := map[string]store.Episode{}, map[string]int{}
	for _, e := range open {
		known[e.Key] = e
		if age := now.Sub(e.Opened); !e.Gathered && age >= 0 && age < stormSpan {
			fresh[e.Kind]++
		}
	}
	gathered, storms := map[string]bool{}, map[string][]Condition{}
	for _, c := range v.seen {
		e, ok := known[c.Key]
		if !ok {
			fresh[c.Kind]++
			gathered[c.Key] = fresh[c.Kind] > s.Config.stormLimit()
		}
		if gathered[c.Key] || e.Gathered {
			storms[c.Kind] = append(storms[c.Kind], c)
		}
	}
	for _, e := range open {
		if e.Kind == Storm && v.looked[e.Subject] {
			v.did(Storm)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(storms)) {
		v.add(Storm, kind, kind, worst(storms[kind]), stormDetail(storms[kind]))
	}
	s.keepStorms(open, v)
	return gathered
}

// keepStorms leaves a storm as it is of whose kind nothing could be looked at.
func (s *Station) keepStorms(open []store.Episode, v *view) {
	for _, e := range open {
		if e.Kind == Storm && !v.looked[e.Subject] && e.Cleared.IsZero() {
			v.seen = append(v.seen, Condition{Key: e.Key, Kind: Storm, Subject: e.Subject, Severity: e.Severity, Detail: e.Detail})
		}
	}
}

func worst(list []Condition) string {
	rank := 0
	for _, c := range list {
		rank = max(rank, slices.Index(severities(), c.Severity))
	}
	return severities()[rank]
}

func stormDetail(list []Condition) string {
	var names []string
	for _, c := range list[:min(len(list), stormNames)] {
		names = append(names, c.Subject)
	}
	text := strings.Join(names, ", ")
	if more := len(list) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("and %d more beside those that were told: %s; plumb alert list --kind %s shows all", len(list), text, list[0].Kind)
}

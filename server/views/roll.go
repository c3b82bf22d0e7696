package views

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/server/store"
)

// Roll is all hosts at one moment, made for searching and counting them at once: a page of it and
// the numbers beside the page are of the same moment, and agree. It never changes.
type Roll struct {
	// At is when it was called, Took how long that took.
	At   time.Time
	Took time.Duration

	rows   []rollRow // by name
	facets []facetIndex
	number map[string]int // of each facet
	orders map[string]func() []int32
}

// rollRow is one host. Values are numbers of values, one for each facet that says something of it.
type rollRow struct {
	store.Entry
	labels map[string]string
	paused *protocol.Pause
	text   string
	values []facetValue
}

// facetValue is the number of a facet and of one of its values.
type facetValue struct{ facet, value int32 }

// facetIndex is a question that has one answer for each host, or some, or none.
type facetIndex struct {
	name   string
	values []string
	number map[string]int32
}

// The names of facets. Labels and rings have one for each key and rollout.
const (
	FacetStatus  = "status"
	FacetState   = "state"
	FacetRelease = "release"
	FacetGroup   = "group"
	FacetOS      = "os"
	FacetRing    = "ring:"
	FacetLabel   = "label:"
)

// briefsAtOnce bounds how many briefs of old facts are made before a page is shown.
const briefsAtOnce = 500

// Roll calls the roll. Rings are known as far as the rollouts tell them.
func (r Reader) Roll(ctx context.Context, g Glancer, now time.Time) (*Roll, error) {
	begun := time.Now()
	if err := r.memory().brief(ctx, r.Store); err != nil {
		return nil, err
	}
	entries, err := r.Store.Roll(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := r.groupsOf(ctx, entries)
	if err != nil {
		return nil, err
	}
	roll := newRoll(entries, groups, ringsOf(g), now)
	roll.Took = time.Since(begun)
	return roll, nil
}

// brief makes the briefs that old facts lack. Once none lacks, none will: facts come with theirs.
func (m *Memory) brief(ctx context.Context, s *store.Store) error {
	if m.briefed.Load() {
		return nil
	}
	made, err := s.MakeBriefs(ctx, briefsAtOnce)
	if err == nil && made < briefsAtOnce {
		m.briefed.Store(true)
	}
	return err
}

// groupsOf tells the groups of hosts by the digest of their terms, which many hosts share.
func (r Reader) groupsOf(ctx context.Context, entries []store.Entry) (map[string][]string, error) {
	groups := map[string][]string{}
	for _, e := range entries {
		if _, known := groups[e.Terms]; known || e.Terms == "" {
			continue
		}
		var terms struct {
			Groups []string `json:"groups"`
		}
		raw, err := r.object(ctx, store.KindTerms, e.Terms)
		if err != nil {
			return nil, err
		}
		if raw != nil && json.Unmarshal(raw, &terms) != nil {
			terms.Groups = nil
		}
		groups[e.Terms] = terms.Groups
	}
	return groups, nil
}

// ringsOf tells for each rollout in which ring each host is.
func ringsOf(g Glancer) map[string]map[string]string {
	all := map[string]map[string]string{}
	if g == nil {
		return all
	}
	for _, one := range g.Glimpses() {
		newest := one.Book[0]
		rings := map[string]string{}
		for _, ring := range newest.Plan.Rings {
			standings, err := g.Standings(newest.ID(), ring.Name)
			if err != nil {
				continue // nobody has looked at it yet
			}
			for _, s := range standings {
				rings[s.Name] = ring.Name
			}
		}
		all[cmp.Or(one.Name, "releases")] = rings
	}
	return all
}

func newRoll(entries []store.Entry, groups map[string][]string, rings map[string]map[string]string, now time.Time) *Roll {
	roll := &Roll{At: now, number: map[string]int{}, rows: make([]rollRow, 0, len(entries))}
	for _, name := range []string{FacetStatus, FacetState, FacetGroup, FacetRelease, FacetOS} {
		roll.facet(name)
	}
	for _, name := range keysOf(rings) {
		roll.facet(FacetRing + name)
	}
	known := map[string]map[string]string{} // labels by their JSON: many hosts share them
	for _, e := range entries {
		row := rollRow{Entry: e, labels: known[e.Labels]}
		if row.labels == nil && json.Unmarshal([]byte(e.Labels), &row.labels) == nil {
			known[e.Labels] = row.labels
		}
		if e.Paused != "" && json.Unmarshal([]byte(e.Paused), &row.paused) != nil {
			row.paused = nil
		}
		for _, group := range groups[e.Terms] {
			row.say(roll, FacetGroup, group)
		}
		roll.rows = append(roll.rows, roll.fill(row, rings))
	}
	roll.orders = map[string]func() []int32{}
	for name := range sorts() {
		roll.orders[name] = sync.OnceValue(func() []int32 { return roll.order(name) })
	}
	return roll
}

func keysOf[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (roll *Roll) fill(row rollRow, rings map[string]map[string]string) rollRow {
	row.say(roll, FacetStatus, string(orUnknown(row.Status)))
	for _, state := range row.states() {
		row.say(roll, FacetState, state)
	}
	if row.Release > 0 {
		row.say(roll, FacetRelease, fmt.Sprint(row.Release))
	}
	if row.OS != "" {
		row.say(roll, FacetOS, row.OS)
	}
	for name, of := range rings {
		if ring := of[row.Name]; ring != "" {
			row.say(roll, FacetRing+name, ring)
		}
	}
	var words strings.Builder
	words.WriteString(strings.ToLower(row.Name))
	for _, key := range keysOf(row.labels) {
		row.say(roll, FacetLabel+key, row.labels[key])
		words.WriteString("\n" + strings.ToLower(key+"="+row.labels[key]))
	}
	row.text = words.String()
	return row
}

// say adds an answer of the host to a facet.
func (row *rollRow) say(roll *Roll, facet, value string) {
	f := roll.facet(facet)
	v, ok := roll.facets[f].number[value]
	if !ok {
		v = int32(len(roll.facets[f].values))
		roll.facets[f].values = append(roll.facets[f].values, value)
		roll.facets[f].number[value] = v
	}
	row.values = append(row.values, facetValue{int32(f), v})
}

// facet returns the number of a facet, and makes it.
func (roll *Roll) facet(name string) int {
	n, ok := roll.number[name]
	if !ok {
		n = len(roll.facets)
		roll.number[name] = n
		roll.facets = append(roll.facets, facetIndex{name: name, number: map[string]int32{}})
	}
	return n
}

// states are the things about a host that a person should know besides its status.
func (row *rollRow) states() []string {
	var list []string
	for _, one := range []struct {
		word string
		is   bool
	}{{"audit", row.Audit}, {"expired", row.Expired}, {"flapping", row.Flapping}, {"mismatch", row.Mismatch}, {"paused", row.paused != nil}, {"problem", row.Problem != ""}, {"revoked", !row.Revoked.IsZero()}} {
		if one.is {
			list = append(list, one.word)
		}
	}
	return list
}

// host is the row as lists show it.
func (row *rollRow) host() Host {
	return Host{
		ID: string(row.ID), Name: row.Name, Labels: orNone(row.labels), Status: orUnknown(row.Status), Since: stamp(row.Since),
		Counts: map[policies.Status]int{}, Release: row.Release, LastSeen: stamp(row.LastSeen), Audit: row.Audit, Paused: row.paused,
		Revoked: stamp(row.Revoked), LeaseExpired: row.Expired, Mismatch: row.Mismatch, Problem: row.Problem,
	}
}

// sorts are the ways to sort: each host's number, the lowest first; equal ones are sorted by name.
func sorts() map[string]func(*rollRow) int64 {
	return map[string]func(*rollRow) int64{
		"name":   func(*rollRow) int64 { return 0 },
		"status": func(r *rollRow) int64 { return -int64(orUnknown(r.Status).Rank()) },
		"since":  func(r *rollRow) int64 { return -r.Since.UnixMilli() },
		"seen":   func(r *rollRow) int64 { return r.LastSeen.UnixMilli() },
	}
}

func (roll *Roll) order(name string) []int32 {
	number := sorts()[name]
	order := make([]int32, len(roll.rows))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(number(&roll.rows[a]), number(&roll.rows[b])) })
	return order
}

package views

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
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

// rollRow is one host. There may be many: what hosts often share they share in memory, and times are milliseconds, 0
// for none. Values are numbers of values, one for each facet that says something of it.
type rollRow struct {
	id              inventory.HostID
	name, lower     string
	problem, words  string
	status          policies.Status
	labels          *rollLabels
	paused          *protocol.Pause
	values          []facetValue
	release         uint64
	since, seen     int64
	revoked         int64
	terms           int32
	mismatch, audit bool
	expired         bool
}

// rollLabels are the labels of hosts, also as what can be looked for.
type rollLabels struct {
	all    map[string]string
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
	begun, rings := time.Now(), ringsOf(g)
	call, err := r.call(ctx, rings, now)
	if err != nil {
		return nil, err
	}
	made, err := r.memory().brief(ctx, r.Store, call.unbriefed)
	if err == nil && made > 0 {
		call, err = r.call(ctx, rings, now)
	}
	if err != nil {
		return nil, err
	}
	groups, err := r.groupsOf(ctx, call.terms)
	if err != nil {
		return nil, err
	}
	roll := call.over(groups)
	roll.Took = time.Since(begun)
	return roll, nil
}

func (r Reader) call(ctx context.Context, rings map[string]map[string]string, now time.Time) (*call, error) {
	c := newCall(rings, now)
	return c, r.Store.Roll(ctx, c.add)
}

// brief makes the briefs that old facts lack, if any do, and returns how many it made. Once none lacks, none
// will: facts come with theirs.
func (m *Memory) brief(ctx context.Context, s *store.Store, lacking bool) (int, error) {
	if !lacking || m.briefed.Load() {
		return 0, nil
	}
	made, err := s.MakeBriefs(ctx, briefsAtOnce)
	if err == nil && made < briefsAtOnce {
		m.briefed.Store(true)
	}
	return made, err
}

// groupsOf tells the groups of hosts by the digest of their terms, which many hosts share.
func (r Reader) groupsOf(ctx context.Context, digests []string) (map[string][]string, error) {
	groups := map[string][]string{}
	for _, digest := range digests {
		if digest == "" {
			continue
		}
		var terms struct {
			Groups []string `json:"groups"`
		}
		raw, err := r.object(ctx, store.KindTerms, digest)
		if err != nil {
			return nil, err
		}
		if raw != nil && json.Unmarshal(raw, &terms) != nil {
			terms.Groups = nil
		}
		groups[digest] = terms.Groups
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

// value is the number of a value of a facet.
func (roll *Roll) value(facet, value string) facetValue {
	f := roll.facet(facet)
	v, ok := roll.facets[f].number[value]
	if !ok {
		v = int32(len(roll.facets[f].values))
		roll.facets[f].values = append(roll.facets[f].values, value)
		roll.facets[f].number[value] = v
	}
	return facetValue{int32(f), v}
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

// host is the row as lists show it.
func (row *rollRow) host() Host {
	return Host{
		ID: string(row.id), Name: row.name, Labels: orNone(row.labels.all), Status: orUnknown(row.status), Since: stampOf(row.since),
		Counts: map[policies.Status]int{}, Release: row.release, LastSeen: stampOf(row.seen), Audit: row.audit, Paused: row.paused,
		Revoked: stampOf(row.revoked), LeaseExpired: row.expired, Mismatch: row.mismatch, Problem: row.problem,
	}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func stampOf(millis int64) *time.Time {
	if millis == 0 {
		return nil
	}
	return stamp(time.UnixMilli(millis))
}

// sorts are the ways to sort: each host's number, the lowest first; equal ones are sorted by name.
func sorts() map[string]func(*rollRow) int64 {
	return map[string]func(*rollRow) int64{
		"name":   func(*rollRow) int64 { return 0 },
		"status": func(r *rollRow) int64 { return -int64(orUnknown(r.status).Rank()) },
		"since":  func(r *rollRow) int64 { return -r.since },
		"seen":   func(r *rollRow) int64 { return r.seen },
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

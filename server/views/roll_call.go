package views

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"plumb/server/store"
)

// call is a roll that is being called, host by host.
type call struct {
	*Roll
	rings map[string]map[string]string
	// rollouts are the names of those that have rings, sorted.
	rollouts []string
	// terms are the digests of what policy says about patching; place tells where each is among them.
	terms  []string
	place  map[string]int32
	labels map[string]*rollLabels // by their JSON
	shared map[string][]facetValue
	// own are the values of the host that is being added, key is how they are found among the shared ones.
	own []facetValue
	key []byte
	// unbriefed is true when a host came whose facts have no brief yet.
	unbriefed bool
}

func newCall(rings map[string]map[string]string, now time.Time) *call {
	c := &call{Roll: &Roll{At: now, number: map[string]int{}, orders: map[string]func() []int32{}}, rings: rings, rollouts: keysOf(rings),
		place: map[string]int32{}, labels: map[string]*rollLabels{}, shared: map[string][]facetValue{}}
	for _, name := range []string{FacetStatus, FacetState, FacetGroup, FacetRelease, FacetOS} {
		c.facet(name)
	}
	for _, name := range c.rollouts {
		c.facet(FacetRing + name)
	}
	return c
}

// add adds a host.
func (c *call) add(e store.Entry) {
	row := rollRow{id: e.ID, name: e.Name, lower: strings.ToLower(e.Name), problem: e.Problem, words: e.Words, status: e.Status, labels: c.labelsOf(e.Labels),
		release: e.Release, since: millis(e.Since), seen: millis(e.LastSeen), revoked: millis(e.Revoked), terms: c.termsOf(e.Terms),
		mismatch: e.Mismatch, audit: e.Audit, expired: e.Expired}
	if e.Paused != "" && json.Unmarshal([]byte(e.Paused), &row.paused) != nil {
		row.paused = nil
	}
	c.unbriefed = c.unbriefed || e.Unbriefed
	c.own = append(c.own[:0], row.labels.values...)
	c.say(FacetStatus, string(orUnknown(e.Status)))
	for _, one := range []struct {
		word string
		is   bool
	}{{"audit", e.Audit}, {"expired", e.Expired}, {"flapping", e.Flapping}, {"mismatch", e.Mismatch}, {"paused", row.paused != nil}, {"problem", e.Problem != ""}, {"revoked", !e.Revoked.IsZero()}} {
		if one.is {
			c.say(FacetState, one.word)
		}
	}
	if e.Release > 0 {
		c.say(FacetRelease, strconv.FormatUint(e.Release, 10))
	}
	if e.OS != "" {
		c.say(FacetOS, e.OS)
	}
	for _, name := range c.rollouts {
		if ring := c.rings[name][e.Name]; ring != "" {
			c.say(FacetRing+name, ring)
		}
	}
	row.values = c.share()
	c.rows = append(c.rows, row)
}

// say adds an answer of the host to a facet.
func (c *call) say(facet, value string) { c.own = append(c.own, c.value(facet, value)) }

// share returns the values of the host, which those of its kind have together.
func (c *call) share() []facetValue {
	c.key = c.key[:0]
	for _, one := range c.own {
		c.key = binary.AppendVarint(binary.AppendVarint(c.key, int64(one.facet)), int64(one.value))
	}
	known, ok := c.shared[string(c.key)]
	if !ok {
		known = slices.Clone(c.own)
		c.shared[string(c.key)] = known
	}
	return known
}

func (c *call) labelsOf(column string) *rollLabels {
	if known := c.labels[column]; known != nil {
		return known
	}
	l := &rollLabels{}
	if json.Unmarshal([]byte(column), &l.all) != nil {
		l.all = nil
	}
	for _, key := range keysOf(l.all) {
		l.values = append(l.values, c.value(FacetLabel+key, l.all[key]))
		l.text += "\n" + strings.ToLower(key+"="+l.all[key])
	}
	c.labels[column] = l
	return l
}

func (c *call) termsOf(digest string) int32 {
	n, known := c.place[digest]
	if !known {
		n = int32(len(c.terms))
		c.place[digest], c.terms = n, append(c.terms, digest)
	}
	return n
}

// over adds the groups, by the digest of the terms, and returns the roll. There is nothing to add to it from then on.
func (c *call) over(groups map[string][]string) *Roll {
	type kind struct {
		values *facetValue
		terms  int32
	}
	grouped := map[kind][]facetValue{}
	for i := range c.rows {
		row := &c.rows[i]
		of := kind{&row.values[0], row.terms} // all have a status
		if grouped[of] == nil {
			c.own = append(c.own[:0], row.values...)
			for _, group := range groups[c.terms[row.terms]] {
				c.say(FacetGroup, group)
			}
			grouped[of] = c.share()
		}
		row.values = grouped[of]
	}
	c.rows = slices.Clip(c.rows)
	for name := range sorts() {
		c.orders[name] = sync.OnceValue(func() []int32 { return c.order(name) })
	}
	return c.Roll
}

func keysOf[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

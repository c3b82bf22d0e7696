package patching

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
)

// exposed remembers what is stored of each host's exposures, so that a look which finds nothing
// new writes nothing.
type exposed map[inventory.HostID]string

// exposeAtOnce bounds for how long others wait to write.
const exposeAtOnce = 100

// expose stores since when hosts lack the answers to advisories, and when they got them. A host of
// which nothing is known keeps its exposures: silence is no answer.
func (m *Maker) expose(ctx context.Context, seen *Sight) error {
	if m.exposed == nil {
		if err := m.recall(ctx); err != nil {
			return err
		}
	}
	fresh := map[inventory.HostID][]string{}
	for _, a := range seen.Groups {
		ids := seen.lacking(a)
		for _, h := range a.Hosts {
			if m.exposed[h.ID] != strings.Join(ids, " ") {
				fresh[h.ID] = ids
			}
		}
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(fresh)), exposeAtOnce) {
		part := map[inventory.HostID][]string{}
		for _, id := range some {
			part[id] = fresh[id]
		}
		if err := m.Store.SetExposed(ctx, part, m.Now()); err != nil {
			return err
		}
		for id, ids := range part {
			m.exposed[id] = strings.Join(ids, " ")
		}
	}
	return nil
}

// recall reads what was stored by the process before.
func (m *Maker) recall(ctx context.Context) error {
	never := time.Unix(1<<40, 0) // only those that last
	open, err := m.Store.Exposures(ctx, never)
	if err != nil {
		return err
	}
	m.exposed = exposed{}
	for _, e := range open {
		m.exposed[e.Host] = strings.TrimSpace(m.exposed[e.Host] + " " + e.Advisory)
	}
	return nil
}

// lacking returns the advisories whose answer is on offer to hosts, and so not installed, sorted.
func (s *Sight) lacking(a *Alike) []string {
	ids := map[string]bool{}
	for _, o := range a.Offers.List {
		for _, one := range s.Answered(a, o) {
			ids[one.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

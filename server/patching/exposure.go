package patching

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
)

// exposed remembers what is stored of each host's exposures, so that a look which finds nothing
// new writes nothing.
type exposed map[inventory.HostID]string

// exposeAtOnce bounds how many exposures are looked at in one transaction, and so for how long
// others wait to write.
const exposeAtOnce = 2_000

// expose stores since when hosts lack the answers to advisories, and when they got them. A host of
// which nothing is known keeps its exposures: silence is no answer.
func (m *Maker) expose(ctx context.Context, seen *Sight) error {
	if m.exposed == nil {
		if err := m.recall(ctx); err != nil {
			return err
		}
	}
	fresh, words := map[inventory.HostID][]string{}, exposed{}
	for _, a := range seen.Groups {
		ids := seen.lacking(a)
		joined := strings.Join(ids, " ")
		for _, h := range a.Hosts {
			if m.exposed[h.ID] == joined {
				continue
			}
			if len(fresh) > 0 && (len(fresh)+1)*len(ids) > exposeAtOnce {
				if err := m.setExposed(ctx, fresh, words); err != nil {
					return err
				}
				clear(fresh)
			}
			fresh[h.ID], words[h.ID] = ids, joined
		}
	}
	return m.setExposed(ctx, fresh, words)
}

func (m *Maker) setExposed(ctx context.Context, fresh map[inventory.HostID][]string, words exposed) error {
	if len(fresh) == 0 {
		return nil
	}
	if err := m.Store.SetExposed(ctx, fresh, m.Now()); err != nil {
		return err
	}
	for id := range fresh {
		m.exposed[id] = words[id]
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

// lacking returns the advisories whose answer is on offer to hosts, and so not installed, sorted:
// those that an SLA of the hosts has a time for. The others are far too many.
func (s *Sight) lacking(a *Alike) []string {
	ids := map[string]bool{}
	for _, o := range a.Offers.List {
		for _, one := range s.Answered(a, o) {
			if slices.ContainsFunc(a.Terms.SLAs, func(sla patch.SLA) bool {
				_, counts := patch.Due(one.Advisory, sla, one.FirstSeen)
				return counts
			}) {
				ids[one.ID] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

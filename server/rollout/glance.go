package rollout

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies/calendar"
	"plumb/server/store"
)

// Glimpse is one way through the fleet, that of releases or that of a rollout's patch cycles, as
// the newest step saw it. It costs no step, no look into the store, and waits for none, so pages may ask often.
type Glimpse struct {
	// Name is that of the rollout of patch cycles, empty for releases.
	Name string
	// Seen is when the hosts were looked at; zero when that is longer ago than this process runs.
	Seen time.Time
	// Book has the newest first. Only the first one has tallies, and only when hosts were seen.
	Book []Picture
	// Windows are those of the policy, by name, as far as they are known.
	Windows map[string]calendar.Window
	// Samples names one host of each ring that has any.
	Samples map[string]string
}

// Glimpses returns all ways through the fleet, releases first, and then by name. One that has no
// rings is left out. They are worked out once a step for all who ask, and nobody may write them, but for windows.
func (d *Driver) Glimpses() []Glimpse {
	p := d.shown.Load()
	if p == nil {
		return nil
	}
	all := slices.Clone(p.glimpses())
	for i := range all {
		all[i].Windows = maps.Clone(all[i].Windows)
	}
	return all
}

// glimpse is the way as it was published.
func (w *way) glimpse() Glimpse {
	t := &w.track
	g := Glimpse{Name: t.name, Seen: t.seen.at, Windows: w.windows, Samples: map[string]string{}}
	for ring, ids := range t.seen.members {
		g.Samples[ring] = t.seen.names[ids[0]]
	}
	for i, s := range t.book {
		if s.Plan == nil {
			continue
		}
		p := Picture{State: s}
		if i == 0 && !t.seen.at.IsZero() {
			t.tell(&p)
		}
		g.Book = append(g.Book, p)
	}
	return g
}

// windowsOf are those that the engine knows by a bundle, by any for releases.
func (d *Driver) windowsOf(t *track) map[string]calendar.Window {
	windows, bundle := map[string]calendar.Window{}, t.book[0].Bundle
	for key, known := range d.groupings {
		if key == bundle || bundle == "" && t.name == "" {
			maps.Copy(windows, known.windows)
		}
	}
	return windows
}

// tell adds how the rings fare to the picture of the newest change.
func (t *track) tell(p *Picture) {
	p.Tallies, p.Waits, p.Failed, p.Lacking = map[string]Tally{}, map[string]string{}, map[string][]string{}, map[string][]string{}
	for i, r := range p.Rings {
		tally := p.survey(r, t.seen.members[r.Name], t.seen.hosts)
		p.Tallies[r.Name] = tally
		p.Failed[r.Name], p.Lacking[r.Name] = t.seen.called(tally.Culprits), t.seen.called(tally.Unconverged)
		if p.Active() {
			p.Waits[r.Name] = p.waits(i, tally)
		}
	}
}

// survey counts as Survey does. What is done is for every host, whether it was given to it or not.
func (s State) survey(r Ring, members []inventory.HostID, hosts map[inventory.HostID]Host) Tally {
	if s.Done.IsZero() {
		return s.Survey(r, members, hosts)
	}
	t := Tally{Members: len(members), Given: len(members)}
	for _, id := range members {
		switch s.fares(id, hosts[id]) {
		case Converged:
			t.Converged++
		case Failed:
			t.Failed++
			t.Culprits = append(t.Culprits, id)
		default:
			t.Waiting++
		}
	}
	return t
}

// fares judges a host as far as the change was given to it. One that gets it only because it is
// done is not to blame for having been silent.
func (s State) fares(id inventory.HostID, h Host) Outcome {
	g, given := s.Hosts[id]
	if !given && s.Done.IsZero() {
		return Unknown
	}
	if !given {
		g = Grant{Seen: h.LastSeen}
	}
	return Judge(s.Release, g, h)
}

// Standing is how one host of a ring fares.
type Standing struct {
	Name string
	// Given tells whether it may have the change.
	Given   bool
	Outcome Outcome
	// Silent is true while it misses its check-ins; Closed while it may not change, and Opens is
	// when it may again.
	Silent bool
	Closed bool
	Opens  time.Time
}

// Standings returns the hosts of a ring by name, as the newest step saw them. It is
// store.ErrNotFound for all but the newest change of its kind: of others it is not known any more.
// Nobody may write them: they are worked out once a step for all who ask.
func (d *Driver) Standings(id ID, ring string) ([]Standing, error) {
	p := d.shown.Load()
	if p == nil {
		return nil, store.ErrNotFound
	}
	i := slices.IndexFunc(p.ways, func(w *way) bool { return w.name == id.Rollout })
	if i < 0 {
		return nil, store.ErrNotFound
	}
	t := p.ways[i]
	if t.book[0].Release != id.Number || t.book[0].ring(ring) == nil || t.seen.at.IsZero() {
		return nil, store.ErrNotFound
	}
	return t.standings(ring), nil
}

func (w *way) standings(ring string) []Standing {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.stands[ring]; ok {
		return known
	}
	s := w.book[0]
	list := make([]Standing, 0, len(w.seen.members[ring]))
	for _, host := range w.seen.members[ring] {
		h := w.seen.hosts[host]
		_, given := s.Hosts[host]
		list = append(list, Standing{Name: w.seen.names[host], Given: given || !s.Done.IsZero(), Outcome: s.fares(host, h),
			Silent: h.Silent, Closed: h.Closed && !given, Opens: h.Opens})
	}
	slices.SortFunc(list, func(a, b Standing) int { return cmp.Compare(a.Name, b.Name) })
	w.stands[ring] = list
	return list
}

package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// track is one way through the fleet: that of releases, or that of the patch cycles of a rollout.
type track struct {
	// name is that of the rollout, empty for releases.
	name string
	// book is what is stored, the newest first; see load.
	book []State
	seen sight
	// hours are those of the newest in the book.
	hours *hours
	// stepped is when it was last looked at, with the monotonic clock, and watched for how long
	// hosts were watched since the state was stored.
	stepped time.Time
	watched time.Duration
}

// sight is what the newest step saw of the hosts.
type sight struct {
	at      time.Time
	members Members
	rings   map[inventory.HostID]string
	hosts   map[inventory.HostID]Host
	names   map[inventory.HostID]string
}

// relook is how often a cycle that is done has its hosts looked at.
const relook = 5 * time.Minute

// due tells whether the hosts have to be looked at now.
func (t *track) due(now time.Time) bool {
	if len(t.book) == 0 || t.book[0].Plan == nil {
		return false
	}
	s := t.book[0]
	if s.Active() || s.trails() {
		return true
	}
	age := now.Sub(t.seen.at)
	return t.name != "" && (t.seen.rings == nil || age < 0 || age >= relook)
}

// watch counts the time in which this process watched the hosts, by the clock that does not jump.
// What a server slept through is no soak.
func (t *track) watch(now time.Time) {
	if !t.stepped.IsZero() {
		t.watched += max(now.Sub(t.stepped), 0)
	}
	t.stepped = now
}

// look finds out how the hosts stand and which rings of the newest rollout they are in.
func (d *Driver) look(ctx context.Context, t *track, c *crowd, now time.Time) error {
	g, err := d.groupingOf(ctx, t.book[0])
	if err != nil {
		return err
	}
	places, err := g.of(ctx, c.members)
	if err != nil {
		return err
	}
	hosts, err := d.hosts(ctx, t, c)
	if err != nil {
		return err
	}
	if t.hours == nil || t.hours.of != t.book[0].ID() {
		t.hours = hoursOf(t.book[0], g.windows, now)
	}
	t.hours.at(now)
	t.seen = t.sight(c, places, hosts, now)
	return nil
}

// sight puts together what is known of the hosts: their rings, and how they stand.
func (t *track) sight(c *crowd, places map[inventory.HostID]*placement, hosts []Host, now time.Time) sight {
	n := len(c.members)
	seen := sight{at: now, members: place(t.book[0], places), rings: make(map[inventory.HostID]string, n), hosts: make(map[inventory.HostID]Host, n), names: make(map[inventory.HostID]string, n)}
	for ring, ids := range seen.members {
		for _, id := range ids {
			seen.rings[id] = ring
		}
	}
	for i := range c.members {
		h, one := &c.members[i], hosts[i]
		t.hours.shut(t.book[0], seen.rings[h.ID], places[h.ID], h.ID, &one)
		if c := t.book[0].Plan.Cluster; c != nil {
			one.Cluster = h.Labels[c.Label]
		}
		seen.hosts[h.ID], seen.names[h.ID] = one, h.Name
	}
	return seen
}

// hosts says how each host stands with the newest release, or the newest cycle, of the track.
func (d *Driver) hosts(ctx context.Context, t *track, c *crowd) ([]Host, error) {
	list := make([]Host, len(c.members))
	if t.name == "" {
		for i := range c.members {
			list[i] = Look(c.members[i].host(), c.members[i].verdict, wanted(t.book[1:], c.members[i].ID))
		}
		return list, nil
	}
	told := make([]bool, len(c.members))
	stand := func(i int32, row store.PatchHost) {
		h := c.members[i].host()
		list[i], told[i] = LookCycle(h, row, c.members[i].verdict), true
		list[i].Busy, list[i].Unsure = busy(t.book[1:], h, row)
	}
	err := d.Store.EachPatchHost(ctx, t.name, func(row store.PatchHost) {
		if i, known := c.at[row.Host]; known {
			stand(i, row)
		}
	})
	for i := range list {
		if !told[i] {
			stand(int32(i), store.PatchHost{})
		}
	}
	return list, err
}

// busy tells whether an older cycle may be under way on a host, and whether that is unsure: it was
// given one and never said that it began. One that has not called since knows nothing of it; one
// that has and fell silent may be in the middle of it.
func busy(older []State, h store.Host, row store.PatchHost) (busy, unsure bool) {
	for _, s := range older {
		if row.Cycle > s.Release {
			break
		}
		if row.Cycle == s.Release && !untouched(row.Phase) {
			ended := row.Phase == policies.PhaseDone || row.Phase == policies.PhaseRolledBack
			return busy || !ended, unsure && ended
		}
		if g, given := s.Hosts[h.ID]; given {
			if g.Away {
				return true, false // what took it away is not told any more: only a cycle that ends brings it back
			}
			busy, unsure = busy || !g.Seen.Equal(h.LastSeen), true
		}
	}
	return busy, unsure
}

// groupingOf returns what the bundle of a rollout makes of hosts.
func (d *Driver) groupingOf(ctx context.Context, s State) (*grouping, error) {
	bundle := s.Bundle
	if s.Rollout == "" {
		release, err := d.Store.Release(ctx, s.Release)
		if err != nil {
			return nil, err
		}
		bundle = release.Bundle
	}
	if d.groupings == nil {
		d.groupings = map[string]*grouping{}
	}
	if d.groupings[bundle] == nil {
		d.groupings[bundle] = &grouping{store: d.Store, compiler: d.Compiler, bundle: bundle}
	}
	d.asked[bundle] = true
	return d.groupings[bundle], nil
}

// forget lets go of the bundles that nobody asked about in this step.
func (d *Driver) forget() {
	maps.DeleteFunc(d.groupings, func(bundle string, _ *grouping) bool { return !d.asked[bundle] })
}

// decide asks the engine about the newest of a track, and tells whether the answer is worth storing.
func (d *Driver) decide(t *track, frozen bool, now time.Time) (State, bool) {
	state := t.book[0]
	t.watch(d.Now())
	worth := state.Frozen != frozen || t.watched >= resave
	state.Frozen, state.Ticked = frozen, now.Add(-t.watched)
	state.Rings = slices.Clone(state.Rings)
	worth = d.answer(&state, now) || worth
	next, decisions := Decide(state, t.seen.members, t.seen.hosts, now)
	for _, one := range decisions {
		if one.Host == "" {
			d.Log.Info("rollout", "of", next.Title(), "ring", one.Ring, "phase", one.What, "why", one.Why)
		}
	}
	return next, worth || len(decisions) > 0 || len(next.Hosts) != len(state.Hosts)
}

// advance takes a track one step further and returns the states that have to be stored.
func (d *Driver) advance(ctx context.Context, t *track, c func() (*crowd, error), frozen bool, now time.Time) ([]State, error) {
	changed := takeOver(t.book, now)
	if !t.due(now) {
		return changed, nil
	}
	all, err := c()
	if err == nil {
		err = d.look(ctx, t, all, now)
	}
	if err != nil {
		t.seen, t.stepped = sight{}, time.Time{}
		return changed, fmt.Errorf("%w: %w", errUndecided, err)
	}
	if !t.book[0].Active() && !t.book[0].trails() {
		return changed, nil
	}
	next, worth := d.decide(t, frozen, now)
	if t.book[0] = next; worth {
		changed = append(changed, next)
	}
	return changed, nil
}

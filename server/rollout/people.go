package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"plumb/server/store"
)

// Verb is what a person can do to a rollout.
type Verb string

// The verbs.
const (
	Promote  Verb = "promote"
	Pause    Verb = "pause"
	Resume   Verb = "resume"
	Rollback Verb = "rollback"
)

// Do does what a person decided about the rollout of a release or about a patch cycle, and what
// follows from it. The error is a [Refusal] when it is not possible.
func (d *Driver) Do(ctx context.Context, id ID, verb Verb, ring string, act Act) (Picture, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.settle(ctx); err != nil { // so that it acts on what is true now
		return Picture{}, err
	}
	state, err := d.state(ctx, id)
	if err != nil {
		return Picture{}, err
	}
	id.Number = state.Release // a newer one may come meanwhile
	if state, err = d.act(state, verb, ring, act); err != nil {
		return Picture{}, err
	}
	if err := d.save(ctx, state); err != nil {
		return Picture{}, err
	}
	if err := d.settle(ctx); err != nil {
		return Picture{}, err
	}
	return d.picture(ctx, id)
}

func (d *Driver) act(s State, verb Verb, ring string, act Act) (State, error) {
	switch verb {
	case Promote:
		return s.Promote(ring, act)
	case Pause:
		return s.Pause(act)
	case Resume:
		seen := d.sight(s)
		return s.Resume(act, seen.members, seen.hosts)
	case Rollback:
		return s.Rollback(ring, act)
	}
	return s, refuse("", "nobody can %q a rollout", verb)
}

// Freeze stops all change but the mending of drift, on every host, from its next check-in on.
func (d *Driver) Freeze(ctx context.Context, act Act) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := act.Check(); err != nil {
		return err
	}
	old, err := d.freeze(ctx)
	if err != nil {
		return err
	}
	if old != nil {
		return refuse("`plumb unfreeze` ends it", "%s froze everything already: %s", old.Who, old.Why)
	}
	if err := d.setFreeze(ctx, &act); err != nil {
		return err
	}
	return d.settle(ctx)
}

// Unfreeze ends a freeze.
func (d *Driver) Unfreeze(ctx context.Context, act Act) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := act.Check(); err != nil {
		return err
	}
	old, err := d.freeze(ctx)
	if err != nil {
		return err
	}
	if old == nil {
		return refuse("", "nothing is frozen")
	}
	if err := d.setFreeze(ctx, nil); err != nil {
		return err
	}
	return d.settle(ctx)
}

// Freezing returns the freeze in force, nil when there is none.
func (d *Driver) Freezing(ctx context.Context) (*Act, error) { return d.freeze(ctx) }

// Picture is a rollout as people look at it.
type Picture struct {
	State
	// Tallies and Waits are how each ring fares and what it waits for, by its name; there are
	// none for a rollout that is over.
	Tallies map[string]Tally
	Waits   map[string]string
	// Failed and Lacking name the hosts that failed, and those that have not converged (some), by ring.
	Failed, Lacking map[string][]string
	// Strays are hosts in no ring, by name, sorted.
	Strays []string
}

// Show returns a rollout: store.ErrNotFound when there is no such release or cycle.
func (d *Driver) Show(ctx context.Context, id ID) (Picture, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.settle(ctx); err != nil {
		return Picture{}, err
	}
	return d.picture(ctx, id)
}

// List returns the newest rollouts of releases and the newest patch cycles, those made last first.
func (d *Driver) List(ctx context.Context, max int) ([]State, error) {
	all := []State{}
	switch newest, err := d.Store.LatestRelease(ctx); {
	case err == nil:
		rows, err := d.Store.Rollouts(ctx, max, newest.Number+1)
		if err != nil {
			return nil, err
		}
		if all, err = read(all, rows, Read); err != nil {
			return nil, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	rows, err := d.Store.RecentCycles(ctx, max)
	if err != nil {
		return nil, err
	}
	if all, err = read(all, rows, ReadCycle); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b State) int { return b.Made.Compare(a.Made) })
	if max > 0 && len(all) > max {
		all = all[:max]
	}
	return all, nil
}

func read[T any](all []State, rows []T, one func(T) (State, error)) ([]State, error) {
	for _, row := range rows {
		s, err := one(row)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// state returns what is stored of a release's rollout, or of a patch cycle.
func (d *Driver) state(ctx context.Context, id ID) (State, error) {
	if id.Rollout != "" {
		return d.cycle(ctx, id)
	}
	if id.Number == 0 {
		newest, err := d.Store.LatestRelease(ctx)
		if err != nil {
			return State{}, err
		}
		id.Number = newest.Number
	}
	release, err := d.Store.Release(ctx, id.Number)
	if err != nil {
		return State{}, err
	}
	rows, err := d.Store.Rollouts(ctx, 1, id.Number+1)
	if err != nil {
		return State{}, err
	}
	if len(rows) == 0 || rows[0].Release != id.Number {
		return New(release, nil), nil
	}
	return Read(rows[0])
}

func (d *Driver) cycle(ctx context.Context, id ID) (State, error) {
	before := id.Number + 1
	if id.Number == 0 {
		before = 0
	}
	rows, err := d.Store.Cycles(ctx, id.Rollout, 1, before)
	if err != nil {
		return State{}, err
	}
	if len(rows) == 0 || id.Number > 0 && rows[0].Number != id.Number {
		return State{}, store.ErrNotFound
	}
	return ReadCycle(rows[0])
}

// sight is what the newest step saw of the hosts of a rollout.
func (d *Driver) sight(s State) sight {
	if t := d.tracks[s.Rollout]; t != nil && len(t.book) > 0 && t.book[0].Release == s.Release {
		return t.seen
	}
	return sight{}
}

func (d *Driver) picture(ctx context.Context, id ID) (Picture, error) {
	s, err := d.state(ctx, id)
	if err != nil {
		return Picture{}, fmt.Errorf("cannot show %s: %w", id, err)
	}
	p := Picture{State: s, Tallies: map[string]Tally{}, Waits: map[string]string{}, Failed: map[string][]string{}, Lacking: map[string][]string{}, Strays: []string{}}
	if !s.Active() {
		return p, nil
	}
	seen := d.sight(s)
	for i, r := range s.Rings {
		t := s.Survey(r, seen.members[r.Name], seen.hosts)
		p.Tallies[r.Name], p.Waits[r.Name] = t, s.waits(i, t)
		p.Failed[r.Name], p.Lacking[r.Name] = seen.called(t.Culprits), seen.called(t.Unconverged)
	}
	if s.Rollout != "" {
		return p, nil // patches need not concern every host
	}
	for _, id := range sortedIDs(seen.hosts) {
		if _, placed := seen.rings[id]; !placed {
			p.Strays = append(p.Strays, seen.names[id])
		}
	}
	return p, nil
}

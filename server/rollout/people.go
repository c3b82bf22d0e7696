package rollout

import (
	"context"
	"errors"
	"fmt"

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

// Do does what a person decided about the rollout of a release, and what follows from it. The
// error is a [Refusal] when it is not possible.
func (d *Driver) Do(ctx context.Context, number uint64, verb Verb, ring string, act Act) (Picture, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.settle(ctx); err != nil { // so that it acts on what is true now
		return Picture{}, err
	}
	state, err := d.state(ctx, number)
	if err != nil {
		return Picture{}, err
	}
	if state, err = d.act(state, verb, ring, act); err != nil {
		return Picture{}, err
	}
	if err := d.save(ctx, state); err != nil {
		return Picture{}, err
	}
	if err := d.settle(ctx); err != nil {
		return Picture{}, err
	}
	return d.picture(ctx, number)
}

func (d *Driver) act(s State, verb Verb, ring string, act Act) (State, error) {
	switch verb {
	case Promote:
		return s.Promote(ring, act)
	case Pause:
		return s.Pause(act)
	case Resume:
		return s.Resume(act, d.seen.members, d.seen.hosts)
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

// Show returns the rollout of a release: store.ErrNotFound when there is no such release.
func (d *Driver) Show(ctx context.Context, number uint64) (Picture, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.settle(ctx); err != nil {
		return Picture{}, err
	}
	return d.picture(ctx, number)
}

// List returns the newest rollouts, the newest first.
func (d *Driver) List(ctx context.Context, max int) ([]State, error) {
	newest, err := d.Store.LatestRelease(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return []State{}, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := d.Store.Rollouts(ctx, max, newest.Number+1)
	if err != nil {
		return nil, err
	}
	all := make([]State, 0, len(rows))
	for _, row := range rows {
		s, err := Read(row)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// state returns what is stored of a release's rollout.
func (d *Driver) state(ctx context.Context, number uint64) (State, error) {
	release, err := d.Store.Release(ctx, number)
	if err != nil {
		return State{}, err
	}
	rows, err := d.Store.Rollouts(ctx, 1, number+1)
	if err != nil {
		return State{}, err
	}
	if len(rows) == 0 || rows[0].Release != number {
		return New(release, nil), nil
	}
	return Read(rows[0])
}

func (d *Driver) picture(ctx context.Context, number uint64) (Picture, error) {
	s, err := d.state(ctx, number)
	if err != nil {
		return Picture{}, fmt.Errorf("cannot show the rollout of release %d: %w", number, err)
	}
	p := Picture{State: s, Tallies: map[string]Tally{}, Waits: map[string]string{}, Failed: map[string][]string{}, Lacking: map[string][]string{}, Strays: []string{}}
	if !s.Active() {
		return p, nil
	}
	placed := map[string]bool{}
	for i, r := range s.Rings {
		members := d.seen.members[r.Name]
		t := s.Survey(r, members, d.seen.hosts)
		p.Tallies[r.Name], p.Waits[r.Name] = t, s.waits(i, t)
		p.Failed[r.Name], p.Lacking[r.Name] = d.names(t.Culprits), d.names(t.Unconverged)
		for _, id := range members {
			placed[string(id)] = true
		}
	}
	for _, id := range sortedIDs(d.seen.hosts) {
		if !placed[string(id)] {
			p.Strays = append(p.Strays, d.seen.names[id])
		}
	}
	return p, nil
}

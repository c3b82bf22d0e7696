package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/server/store"
)

// Cycle is what a new patch cycle carries.
type Cycle struct {
	// Plan is the rollout block, Bundle the digest of the bundle that says who is in which ring.
	Plan   policies.Rollout
	Bundle string
	// Set is the digest of the patch set.
	Set string
	// Emergency takes the lane for what cannot wait.
	Emergency bool
	// By is the person who asked for it, nil when nobody did.
	By *Act
}

// BeginCycle begins a patch cycle and returns its number. A cycle of the same rollout that is
// under way ends there. When it returns without an error the cycle is stored.
func (d *Driver) BeginCycle(ctx context.Context, c Cycle) (uint64, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	number := uint64(1)
	switch newest, err := d.Store.NewestCycle(ctx, c.Plan.Name); {
	case err == nil:
		number = newest.Number + 1
	case !errors.Is(err, store.ErrNotFound):
		return 0, err
	}
	if err := d.save(ctx, c.state(number, d.Now().UTC())); err != nil {
		return 0, err
	}
	if err := d.settle(ctx); err != nil {
		d.Log.Error("cannot take the patch cycle further", "rollout", c.Plan.Name, "cycle", number, "error", err)
	}
	return number, nil
}

func (c Cycle) check() error {
	switch {
	case c.Plan.Name == "" || c.Plan.Carries == policies.CarriesReleases || len(c.Plan.Rings) == 0:
		return fmt.Errorf("the rollout %q carries no patches through rings", c.Plan.Name)
	case c.Bundle == "" || c.Set == "":
		return errors.New("a patch cycle needs a bundle and a patch set")
	case c.By != nil:
		return c.By.Check()
	}
	return nil
}

func (c Cycle) state(number uint64, now time.Time) State {
	s := State{Rollout: c.Plan.Name, Release: number, Set: c.Set, Bundle: c.Bundle, Emergency: c.Emergency, Made: now, Plan: &c.Plan, Rings: []Ring{}, History: []Entry{}}
	s.begin()
	begun := Entry{At: now, What: "begun"}
	if c.Emergency {
		begun.Why = "an emergency"
	}
	if c.By != nil {
		begun.Who, begun.Why = c.By.Who, c.By.Why
	}
	s.note(begun)
	return s
}

// Grants returns the patch cycles that a host may take part in: of each rollout the newest that
// was given to it and that it may begin with, or has begun. A cycle that is done is for every host
// in one of the rings.
func (d *Driver) Grants(h store.Host) []protocol.PatchGrant {
	p := d.shown.Load()
	if p == nil {
		return nil // nothing is known yet
	}
	var grants []protocol.PatchGrant
	for _, t := range p.cycles {
		for i, s := range t.book {
			if !s.reaches(h) || s.stops(h, t.seen.hosts[h.ID], i > 0) {
				continue
			}
			ring, inRing := t.seen.rings[h.ID]
			if _, known := t.seen.names[h.ID]; s.concerns(h) || inRing || !known {
				grants = append(grants, s.grant(h, ring))
			}
			break
		}
	}
	return grants
}

// concerns tells whether the host itself was given the cycle.
func (s State) concerns(h store.Host) bool {
	_, given := s.Hosts[h.ID]
	return given
}

// reaches tells whether the cycle is open to a host: it was given to it, or to everybody. Hosts of
// a cluster go on one after the other, also when the cycle is done.
func (s State) reaches(h store.Host) bool {
	if s.Withdrawn != nil {
		return false
	}
	clustered := s.Plan.Cluster != nil && h.Labels[s.Plan.Cluster.Label] != ""
	return s.concerns(h) || !s.Done.IsZero() && !clustered
}

// stops tells whether a host that was given the cycle must not begin with it now: its ring is
// halted, somebody holds the cycle back, or it is older than the newest. A host that has begun
// keeps it, to come to an end.
func (s State) stops(h store.Host, seen Host, older bool) bool {
	g, given := s.Hosts[h.ID]
	if !given {
		return false
	}
	r := s.ring(g.Ring)
	stopped := s.Paused != nil || older || r != nil && r.Phase == Halted
	return stopped && (seen.Release != s.Release || seen.Untouched)
}

// grant is what a lease says of the cycle; ring is the host's ring where it is known.
func (s State) grant(h store.Host, ring string) protocol.PatchGrant {
	g := protocol.PatchGrant{Rollout: s.Rollout, Cycle: s.Release, Set: s.Set, Emergency: s.Emergency}
	if given, ok := s.Hosts[h.ID]; ok {
		ring = given.Ring
		r := s.ring(ring)
		g.Undo = r != nil && r.Phase == RolledBack
	}
	g.Offered = s.offered(ring)
	if h.Enrolled.After(g.Offered) {
		g.Offered = h.Enrolled
	}
	g.Offered = g.Offered.UTC()
	return g
}

// offered is when a ring could first be given the cycle. Where the ring is not known it is when
// the last one could.
func (s State) offered(ring string) time.Time {
	at := s.Made
	for _, r := range s.Rings {
		if r.Name == ring && !r.Offered.IsZero() {
			return r.Offered
		}
		if r.Offered.After(at) {
			at = r.Offered
		}
	}
	return at
}

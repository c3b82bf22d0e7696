package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/server/store"
)

// Driver feeds the engine from the store, keeps what it decides, and tells the fleet. Call Open
// once before hosts are served, and Run for the rest of the time.
type Driver struct {
	Store    *store.Store
	Compiler Compiler
	// Asker answers the queries of gates; without it no gate with a query passes by itself.
	Asker Asker
	// Now is the clock.
	Now func() time.Time
	// Log gets what is decided and what goes wrong.
	Log *slog.Logger

	mu        sync.Mutex           // one step, or one person's act, at a time
	groupings map[string]*grouping // by bundle
	asked     map[string]bool      // the bundles that this step asked about
	verdicts  verdicts
	crowded   int               // about how many hosts there are
	decoded   map[ID]*decoded   // the states of the newest step
	tracks    map[string]*track // by the name of the rollout; releases have none
	answers   map[string]Answer // by query
	followed  string            // the bundle that cycles follow; see Follow
	once      sync.Once
	poke      chan struct{}
	shown     atomic.Pointer[published]
}

// published is what hosts get told. It is only ever replaced as a whole, after it was stored.
type published struct {
	book   []State
	cycles []track // sorted by the name of the rollout
	frozen *Act
	// ways are all that have something to tell; glimpses tells it to people.
	ways     []*way
	glimpses func() []Glimpse
}

// way is a track as it was published, for people to look at.
type way struct {
	track
	windows map[string]calendar.Window

	mu     sync.Mutex
	stands map[string][]Standing // by ring, once somebody has asked
}

// The driver looks this often by itself, and this soon after something happened.
const (
	every  = 2 * time.Second
	gather = 100 * time.Millisecond
	// resave is how much soaking a crash may lose.
	resave = 30 * time.Second
)

// Plan remembers how a release is to go through the fleet, before the release itself is stored:
// there is never a release that nobody planned.
func (d *Driver) Plan(ctx context.Context, r store.Release, rollouts []policies.Rollout) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.save(ctx, New(r, rollouts))
}

// Poke makes Run look soon.
func (d *Driver) Poke() {
	select {
	case d.pokes() <- struct{}{}:
	default:
	}
}

func (d *Driver) pokes() chan struct{} {
	d.once.Do(func() { d.poke = make(chan struct{}, 1) })
	return d.poke
}

// Run steps until ctx ends: by itself every two seconds, and soon after a poke. What is poked at
// once is looked at in one go, and a large fleet is looked at less often.
func (d *Driver) Run(ctx context.Context) {
	if d.Asker != nil {
		var asking sync.WaitGroup
		defer asking.Wait()
		asking.Go(func() { d.askAlong(ctx) })
	}
	var took time.Duration
	for {
		select {
		case <-time.After(max(every, 10*took)):
		case <-d.pokes():
			sleep(ctx, max(gather, 4*took))
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return
		}
		began := time.Now()
		if err := d.Step(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("cannot take the rollout further", "error", err)
		}
		took = time.Since(began)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Step takes the newest rollouts one step further. What it decided is stored before any host gets
// to know it.
func (d *Driver) Step(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.step(ctx)
}

// Open publishes what was decided last, so that hosts can be served before the first step.
func (d *Driver) Open(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	frozen, err := d.freeze(ctx)
	if err != nil {
		return err
	}
	if err := d.load(ctx); err != nil {
		return err
	}
	d.publish(frozen)
	return nil
}

// errUndecided means that all is stored and published, and only the engine could not be asked.
var errUndecided = errors.New("cannot find out how the hosts stand")

// settle is a step for a person's act, which counts also when the engine cannot be asked.
func (d *Driver) settle(ctx context.Context) error {
	err := d.step(ctx)
	if errors.Is(err, errUndecided) {
		d.Log.Error("cannot take the rollout further", "error", err)
		return nil
	}
	return err
}

// step publishes even when the engine could not be asked: a freeze, and a newer release, count at
// once, and nobody gets more than was decided.
func (d *Driver) step(ctx context.Context) error {
	frozen, err := d.freeze(ctx)
	if err != nil {
		return err
	}
	if err := d.load(ctx); err != nil {
		return err
	}
	d.asked = map[string]bool{}
	now := d.Now().UTC()
	crowd := sync.OnceValues(func() (*crowd, error) { return d.gather(ctx) })
	var undecided []error
	changed := map[*track][]State{}
	for _, t := range d.tracks {
		states, err := d.advance(ctx, t, crowd, frozen != nil, now)
		if changed[t] = states; err != nil {
			undecided = append(undecided, err)
		}
	}
	d.forget()
	for t, states := range changed {
		if err := d.save(ctx, states...); err != nil {
			return err
		}
		if len(states) > 0 {
			t.watched = 0
		}
	}
	d.publish(frozen)
	return errors.Join(undecided...)
}

// publish lets hosts know what is stored.
func (d *Driver) publish(frozen *Act) {
	p := &published{frozen: frozen}
	for _, name := range sorted(d.tracks) {
		t := d.tracks[name]
		if name == "" {
			p.book = t.book
		} else {
			p.cycles = append(p.cycles, *t)
		}
		if len(t.book) > 0 && t.book[0].Plan != nil {
			p.ways = append(p.ways, &way{track: *t, windows: d.windowsOf(t), stands: map[string][]Standing{}})
		}
	}
	p.glimpses = sync.OnceValue(func() (all []Glimpse) {
		for _, w := range p.ways {
			all = append(all, w.glimpse())
		}
		return all
	})
	d.shown.Store(p)
}

// takeOver ends the rollouts behind the newest one, and returns those that it ended.
func takeOver(book []State, now time.Time) []State {
	var ended []State
	for i := 1; i < len(book); i++ {
		if s := &book[i]; s.Active() {
			s.Superseded = book[0].Release
			s.note(Entry{At: now, What: "superseded", Why: fmt.Sprintf("%s took its place", book[0].Title())})
			ended = append(ended, *s)
		}
	}
	return ended
}

// wanted is what the rollouts want a host to run: the newest that says something about it counts.
func wanted(book []State, id inventory.HostID) uint64 {
	for _, s := range book {
		if n := s.Wants(id); n > 0 {
			return n
		}
	}
	return 0
}

// Assign returns the release that a host may run, 0 for none. A host keeps what it runs where it
// must not go back to what is wanted.
func (d *Driver) Assign(h store.Host, _ store.Release) uint64 {
	p := d.shown.Load()
	if p == nil {
		return h.Release // nothing is known yet
	}
	if len(p.book) > 0 && p.book[0].Active() && h.Release == p.book[0].Release {
		if _, given := p.book[0].Hosts[h.ID]; !given {
			return h.Release
		}
	}
	n := wanted(p.book, h.ID)
	if n < h.Floor {
		return h.Release
	}
	return n
}

// Frozen tells whether all change is stopped, on the whole server.
func (d *Driver) Frozen() bool {
	p := d.shown.Load()
	return p != nil && p.frozen != nil
}

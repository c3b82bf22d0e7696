package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// Driver feeds the engine from the store, keeps what it decides, and tells the fleet. Call Open
// once before hosts are served, and Run for the rest of the time.
type Driver struct {
	Store    *store.Store
	Compiler Compiler
	// Now is the clock.
	Now func() time.Time
	// Log gets what is decided and what goes wrong.
	Log *slog.Logger

	mu      sync.Mutex // one step, or one person's act, at a time
	groups  grouping
	open    map[string]bool // by digest of a result: something in enforce mode does not hold
	seen    sight
	stepped time.Time     // when the newest step was, with its monotonic clock
	watched time.Duration // for how long hosts were watched since the state was stored
	once    sync.Once
	poke    chan struct{}
	shown   atomic.Pointer[published]
}

// published is what hosts get told. It is only ever replaced as a whole, after it was stored.
type published struct {
	book   []State
	frozen *Act
}

// sight is what the newest step saw of the hosts.
type sight struct {
	members Members
	hosts   map[inventory.HostID]Host
	names   map[inventory.HostID]string
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

// Step takes the newest rollout one step further. What it decided is stored before any host gets
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
	book, err := d.load(ctx)
	if err != nil {
		return err
	}
	d.shown.Store(&published{book: book, frozen: frozen})
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
	book, err := d.load(ctx)
	if err != nil {
		return err
	}
	now := d.Now().UTC()
	changed := takeOver(book, now)
	var failed error
	if len(book) > 0 && book[0].Active() {
		next, worth, err := d.decide(ctx, book, frozen != nil, now)
		if failed = err; worth && err == nil {
			changed = append(changed, next)
		}
		if err == nil {
			book[0] = next
		}
	}
	if err := d.save(ctx, changed...); err != nil {
		return err
	}
	if len(changed) > 0 {
		d.watched = 0
	}
	d.shown.Store(&published{book: book, frozen: frozen})
	return failed
}

// takeOver ends the rollouts behind the newest one, and returns those that it ended.
func takeOver(book []State, now time.Time) []State {
	var ended []State
	for i := 1; i < len(book); i++ {
		if s := &book[i]; s.Active() {
			s.Superseded = book[0].Release
			s.note(Entry{At: now, What: "superseded", Why: fmt.Sprintf("release %d took its place", book[0].Release)})
			ended = append(ended, *s)
		}
	}
	return ended
}

// decide asks the engine about the newest release, and tells whether the answer is worth storing.
func (d *Driver) decide(ctx context.Context, book []State, frozen bool, now time.Time) (State, bool, error) {
	state := book[0]
	if err := d.look(ctx, book); err != nil {
		d.seen = sight{}
		return state, false, fmt.Errorf("%w: %w", errUndecided, err)
	}
	d.watch()
	worth := state.Frozen != frozen || d.watched >= resave
	state.Frozen, state.Ticked = frozen, now.Add(-d.watched)
	next, decisions := Decide(state, d.seen.members, d.seen.hosts, now)
	for _, one := range decisions {
		if one.Host == "" {
			d.Log.Info("rollout", "release", next.Release, "ring", one.Ring, "phase", one.What, "why", one.Why)
		}
	}
	return next, worth || len(decisions) > 0 || len(next.Hosts) != len(state.Hosts), nil
}

// watch counts the time in which this process watched the hosts, by the clock that does not jump.
// What a server slept through is no soak.
func (d *Driver) watch() {
	now := d.Now()
	if !d.stepped.IsZero() {
		d.watched += max(now.Sub(d.stepped), 0)
	}
	d.stepped = now
}

// look finds out how the hosts stand and which rings of the newest rollout they are in.
func (d *Driver) look(ctx context.Context, book []State) error {
	hosts, err := d.Store.Hosts(ctx, store.HostFilter{})
	if err != nil {
		return err
	}
	release, err := d.Store.Release(ctx, book[0].Release)
	if err != nil {
		return err
	}
	if d.groups.store == nil {
		d.groups.store, d.groups.compiler = d.Store, d.Compiler
	}
	groups, err := d.groups.of(ctx, release.Bundle, hosts)
	if err != nil {
		return err
	}
	seen := sight{members: place(*book[0].Plan, groups), hosts: map[inventory.HostID]Host{}, names: map[inventory.HostID]string{}}
	for _, h := range hosts {
		open, err := d.isOpen(ctx, h)
		if err != nil {
			return err
		}
		seen.hosts[h.ID], seen.names[h.ID] = Look(h, open, wanted(book[1:], h.ID)), h.Name
	}
	d.seen = seen
	return nil
}

// isOpen tells whether something that is in enforce mode does not hold on a host. Equal hosts
// share their result, so few of them are read.
func (d *Driver) isOpen(ctx context.Context, h store.Host) (bool, error) {
	if h.Counts[policies.Noncompliant] == 0 || h.Result == "" {
		return false, nil
	}
	if open, known := d.open[h.Result]; known {
		return open, nil
	}
	raw, err := d.Store.Object(ctx, store.Ref{Kind: store.KindResult, Digest: h.Result})
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	var result policies.Result
	if err := json.Unmarshal(raw, &result); err != nil {
		return false, fmt.Errorf("cannot read the result %.12s: %w", h.Result, err)
	}
	if d.open == nil || len(d.open) > 10_000 {
		d.open = map[string]bool{}
	}
	d.open[h.Result] = false
	for _, one := range result.Resources {
		if one.Status == policies.Noncompliant && one.Mode != policies.Audit {
			d.open[h.Result] = true
		}
	}
	return d.open[h.Result], nil
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

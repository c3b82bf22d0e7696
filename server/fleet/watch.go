package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"plumb/inventory"
	"plumb/server/store"
)

// grace is added to two missed check-ins before a host counts as silent.
const grace = 5 * time.Minute

// Watch looks this often, and this long after a host told of something to verify.
const (
	tick   = 30 * time.Second
	gather = 500 * time.Millisecond
)

// Watch marks hosts that fall silent, compares catalogs with expected ones and forgets what has
// run out, until ctx ends. Compiling may take long and holds up nothing else.
func (f *Fleet) Watch(ctx context.Context) {
	started := f.now()
	var wg sync.WaitGroup
	wg.Go(func() {
		f.repeat(ctx, nil, func(now time.Time) error { return f.MarkSilent(ctx, started, now) })
	})
	wg.Go(func() { f.repeat(ctx, f.moves(), func(now time.Time) error { return f.Verify(ctx, now) }) })
	wg.Go(func() { f.repeat(ctx, nil, func(now time.Time) error { return f.Store.Forget(ctx, now) }) })
	wg.Wait()
}

// moves gets a word when a host told of another release, catalog or facts.
func (f *Fleet) moves() chan struct{} {
	f.once.Do(func() { f.moved = make(chan struct{}, 1) })
	return f.moved
}

// tell passes on that reports of a host were stored, which stood as before.
func (f *Fleet) tell(before store.Host, steps []store.Step) {
	if slices.ContainsFunc(steps, func(s store.Step) bool { return !before.SameInput(s.Host) }) {
		select {
		case f.moves() <- struct{}{}:
		default:
		}
	}
	if f.Reported != nil {
		f.Reported()
	}
}

// repeat does the task at once, with each tick, and soon after a word came. One that fails is
// logged and tried again.
func (f *Fleet) repeat(ctx context.Context, soon <-chan struct{}, task func(now time.Time) error) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if err := task(f.now()); err != nil && ctx.Err() == nil {
			f.log().Error("a task of the fleet's watch failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-soon:
			time.Sleep(gather) // many hosts report at once
		}
	}
}

// MarkSilent marks the hosts that have missed two check-ins and a grace of five minutes. A
// server that was down itself gives them that time again from when it started.
func (f *Fleet) MarkSilent(ctx context.Context, started, now time.Time) error {
	limit := now.Add(-2*f.interval() - grace)
	if limit.Before(started) {
		return nil
	}
	_, err := f.Store.MarkStale(ctx, limit, now)
	return err
}

// verifyBatch is how many hosts are verified between two looks at the clock and the context.
const verifyBatch = 200

// Verify compiles, for every host that reported another catalog, facts or release, what it
// should have compiled, and raises the alarm where that differs.
func (f *Fleet) Verify(ctx context.Context, now time.Time) error {
	if f.Compiler == nil {
		return nil
	}
	for ctx.Err() == nil {
		hosts, err := f.Store.Unverified(ctx, verifyBatch)
		if err != nil || len(hosts) == 0 {
			return err
		}
		if err := f.verify(ctx, hosts, now); err != nil {
			return fmt.Errorf("cannot verify the catalogs of %d hosts: %w", len(hosts), err)
		}
	}
	return ctx.Err()
}

// verify stores what hosts should have compiled, which is not known of those that have compiled nothing.
func (f *Fleet) verify(ctx context.Context, hosts []store.Host, now time.Time) error {
	expected := make([]store.Expectation, 0, len(hosts))
	byRelease := map[uint64][]store.Host{}
	for _, h := range hosts {
		if h.Catalog == "" {
			expected = append(expected, store.Expectation{Host: h})
			continue
		}
		byRelease[h.Release] = append(byRelease[h.Release], h)
	}
	for release, some := range byRelease {
		for i, wanted := range f.wanted(ctx, release, some) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			expected = append(expected, f.expected(some[i], wanted))
		}
	}
	err := f.Store.SetExpected(ctx, expected, now)
	if err == nil && f.Reported != nil && slices.ContainsFunc(expected, func(e store.Expectation) bool { return e.Terms != nil }) {
		f.Reported()
	}
	return err
}

// wanted returns what a release makes of hosts.
func (f *Fleet) wanted(ctx context.Context, number uint64, hosts []store.Host) []Wanted {
	release, err := f.Store.Release(ctx, number)
	if err != nil {
		return slices.Repeat([]Wanted{{Err: err}}, len(hosts))
	}
	return f.Compiler.Catalogs(ctx, release.Bundle, hosts)
}

// expected is what a host should have compiled, with what policy says about its patching, so that nobody who asks for that has to
// compile.
func (f *Fleet) expected(h store.Host, wanted Wanted) store.Expectation {
	if wanted.Err != nil {
		// It does not compile here either, or its release is not ours: not known is stored as
		// such, so that the next host gets its turn.
		f.log().Warn("cannot compile the expected catalog", "host", h.Name, "release", h.Release, "error", wanted.Err)
		return store.Expectation{Host: h}
	}
	e := store.Expectation{Host: h, Catalog: wanted.Catalog}
	if wanted.Terms != nil && inventory.Digest(wanted.Terms) != h.Terms {
		e.Terms = wanted.Terms
	}
	if wanted.Before == h.Catalog {
		e.Catalog = wanted.Before // an agent that is older than we are
	}
	return e
}

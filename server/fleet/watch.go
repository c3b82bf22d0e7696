package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"plumb/server/store"
)

// grace is added to two missed check-ins before a host counts as silent.
const grace = 5 * time.Minute

// Watch looks this often, and this long after a report came in.
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
	wg.Go(func() { f.repeat(ctx, f.reports(), func(now time.Time) error { return f.Verify(ctx, now) }) })
	wg.Go(func() { f.repeat(ctx, nil, func(now time.Time) error { return f.Store.Forget(ctx, now) }) })
	wg.Wait()
}

// reports gets a word when reports were stored.
func (f *Fleet) reports() chan struct{} {
	f.once.Do(func() { f.stored = make(chan struct{}, 1) })
	return f.stored
}

// tell passes on that reports were stored.
func (f *Fleet) tell() {
	select {
	case f.reports() <- struct{}{}:
	default:
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
		for _, h := range hosts {
			if err := f.verify(ctx, h, now); err != nil {
				return fmt.Errorf("cannot verify the catalog of %s: %w", h.Name, err)
			}
		}
	}
	return ctx.Err()
}

func (f *Fleet) verify(ctx context.Context, h store.Host, now time.Time) error {
	expected, err := f.Expected(ctx, h)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		// It does not compile here either, or its release is not ours: not known is stored as
		// such, so that the next host gets its turn.
		f.log().Warn("cannot compile the expected catalog", "host", h.Name, "release", h.Release, "error", err)
		expected = ""
	}
	if expected != "" {
		if err := f.keepTerms(ctx, h, now); err != nil {
			f.log().Warn("cannot keep what policy says about patching", "host", h.Name, "error", err)
		}
	}
	err = f.Store.SetExpected(ctx, h, expected, now)
	if errors.Is(err, store.ErrConflict) {
		return nil // it reported again; its next turn comes
	}
	return err
}

// Expected returns the digest of the catalog that a host should have compiled from its release
// and facts; empty when it has compiled none.
func (f *Fleet) Expected(ctx context.Context, h store.Host) (string, error) {
	if h.Catalog == "" {
		return "", nil
	}
	release, err := f.Store.Release(ctx, h.Release)
	if err != nil {
		return "", err
	}
	facts, err := f.Store.Object(ctx, store.Ref{Kind: store.KindFacts, Digest: h.Facts})
	if err != nil {
		return "", err
	}
	digest, before, err := f.Compiler.CatalogDigest(ctx, release.Bundle, h.Host, facts)
	if before != "" && before == h.Catalog {
		return before, err // an agent that is older than we are
	}
	return digest, err
}

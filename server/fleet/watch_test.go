package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/server/store"
)

func TestMarkSilent(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	silent, loud := f.enrol(t, "silent"), f.enrol(t, "loud")
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	_, err := loud.deliver(ctx, at(10))
	must(t, err)
	for _, c := range []struct {
		started, now int
		want         policies.Status
	}{
		{0, 15, policies.Unknown}, // not a moment too early
		{5, 19, policies.Unknown}, // the server itself was away
		{0, 16, policies.Stale},
		{0, 17, policies.Stale}, // once
	} {
		must(t, f.MarkSilent(ctx, at(c.started), at(c.now)))
		h, err := f.Store.Host(ctx, silent.id)
		must(t, err)
		same(t, "status", h.Status, c.want)
	}
	h, err := f.Store.Host(ctx, loud.id)
	must(t, err)
	same(t, "status of the other", h.Status, policies.Unknown)
	_, err = silent.deliver(ctx, at(20), silent.report(1, outcome{"a": policies.Compliant}, at(1)))
	must(t, err)
	events, err := f.Store.Events(ctx, store.EventFilter{Host: silent.id})
	must(t, err)
	got := []string{}
	for _, e := range events {
		got = append(got, e.Kind)
	}
	same(t, "events", got, []string{store.EventReturned, store.EventStale, store.EventEnrolled})
	i, err := f.Store.IntervalAt(ctx, silent.id, at(18))
	must(t, err)
	same(t, "status in the silence", i.Status, policies.Stale)
	i, err = f.Store.IntervalAt(ctx, silent.id, at(20))
	must(t, err)
	same(t, "status after it", i.Status, policies.Compliant)
}

// compiler answers with digests by bundle.
type compiler map[string]string

func (c compiler) Catalogs(_ context.Context, bundle string, hosts []store.Host) []Wanted {
	one := Wanted{Catalog: c[bundle], Before: c["before "+bundle]}
	if one.Catalog == "" {
		one.Err = errors.New("does not compile")
	}
	return slices.Repeat([]Wanted{one}, len(hosts))
}

func TestVerify(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	for n, bundle := range []string{"same", "other", "broken", "older"} {
		must(t, f.Store.AddRelease(ctx, store.Release{Number: uint64(n + 1), Bundle: bundle}))
	}
	f.Log = slog.New(slog.DiscardHandler)
	a := f.enrol(t, "web1")
	_, err := a.deliver(ctx, start, a.report(1, outcome{"a": policies.Compliant}, start))
	must(t, err)
	h, err := f.Store.Host(ctx, a.id)
	must(t, err)
	f.Compiler = compiler{"same": h.Catalog, "other": "something else", "older": "without secrets", "before older": h.Catalog}
	for _, c := range []struct {
		release  uint64
		expected string
		mismatch bool
		alarms   int
	}{
		{1, h.Catalog, false, 0},
		{2, "something else", true, 1},
		{3, "", false, 1},
		{2, "something else", true, 2},
		{9, "", false, 2},
		{4, h.Catalog, false, 2},
	} {
		if c.release != 1 {
			_, err := a.deliver(ctx, start, a.report(c.release, outcome{"a": policies.Compliant}, start))
			must(t, err)
		}
		must(t, f.Verify(ctx, start))
		h, err := f.Store.Host(ctx, a.id)
		must(t, err)
		same(t, "expected and mismatch", []any{h.Expected, h.Mismatch}, []any{c.expected, c.mismatch})
		events, err := f.Store.Events(ctx, store.EventFilter{Kinds: []string{store.EventMismatch}})
		must(t, err)
		same(t, "alarms", len(events), c.alarms)
	}
}

// TestOnlyMovesAreVerifiedSoon has a host report again what was verified, and then something else.
func TestOnlyMovesAreVerifiedSoon(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	for _, c := range []struct {
		release uint64
		found   outcome
		want    int
	}{
		{1, outcome{"a": policies.Compliant}, 1}, {1, outcome{"a": policies.Repaired}, 0}, {1, outcome{"b": policies.Compliant}, 1},
		{2, outcome{"b": policies.Compliant}, 1},
	} {
		_, err := a.deliver(t.Context(), start, a.report(c.release, c.found, start))
		must(t, err)
		same(t, fmt.Sprintf("words that something is to be verified after %v of release %d", c.found, c.release), len(f.moves()), c.want)
		select {
		case <-f.moves():
		default:
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	f := newFleet(t)
	f.Compiler = compiler{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Watch(ctx); close(done) }()
	cancel()
	<-done
}

func TestPauseIsStored(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	pause := &protocol.Pause{Until: "2026-11-22T00:00:00Z", Reason: "move\x1b[31m house"}
	_, err := f.CheckIn(t.Context(), a.id, protocol.CheckIn{Version: 1, Paused: pause}, start)
	must(t, err)
	h, err := f.Store.Host(t.Context(), a.id)
	must(t, err)
	same(t, "reason", h.Paused.Reason, "move [31m house")
}

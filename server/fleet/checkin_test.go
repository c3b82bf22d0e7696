package fleet

import (
	"errors"
	"strings"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/server/authority"
	"plumb/server/store"
)

func TestCheckInTakesReports(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	a := f.enrol(t, "web1")
	first := a.report(1, outcome{"a": policies.Compliant, "b": policies.Noncompliant}, start.Add(time.Minute))
	second := a.report(1, outcome{"a": policies.Compliant, "b": policies.Repaired}, start.Add(2*time.Minute))
	now := start.Add(3 * time.Minute)

	answer, err := f.CheckIn(ctx, a.id, protocol.CheckIn{Version: 1, Reports: []policies.Report{first, second}}, now)
	must(t, err)
	same(t, "accepted before the objects are there", answer.Accepted, uint64(0))
	same(t, "number of wanted objects", len(answer.Want), 4)
	for _, digest := range []string{first.Facts, first.Catalog, first.Result} {
		must(t, f.PutObject(ctx, a.id, digest, a.objects[digest], now))
	}
	answer, err = f.CheckIn(ctx, a.id, protocol.CheckIn{Version: 1, Reports: []policies.Report{first, second}}, now)
	must(t, err)
	same(t, "accepted with a part of the objects", answer.Accepted, uint64(1))
	same(t, "what is still wanted", answer.Want, []string{second.Result})
	answer, err = a.deliver(ctx, now, first, second)
	must(t, err)
	same(t, "answer", answer, protocol.Answer{Epoch: a.epoch, Accepted: 2, Want: []string{}, Interval: 300})

	h, err := f.Store.Host(ctx, a.id)
	must(t, err)
	same(t, "host", []any{h.Status, h.Release, h.Seq, h.Since, h.Counts},
		[]any{policies.Repaired, uint64(1), uint64(2), start.Add(2 * time.Minute), map[policies.Status]int{policies.Compliant: 1, policies.Repaired: 1}})
	events, err := f.Store.Events(ctx, store.EventFilter{Host: a.id, Address: "b"})
	must(t, err)
	got := []string{}
	for _, e := range events {
		got = append(got, e.Kind+" "+e.At.Format("15:04"))
	}
	same(t, "events", got, []string{"closed 12:02", "repaired 12:02", "opened 12:01"})

	answer, err = f.CheckIn(ctx, a.id, protocol.CheckIn{Version: 1}, now)
	must(t, err)
	same(t, "answer to a heartbeat", []any{answer.Epoch, answer.Accepted}, []any{a.epoch, uint64(2)})
}

func TestCheckInLeavesGaps(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	ok := outcome{"a": policies.Compliant}
	first, second, third := a.report(1, ok, start), a.report(1, ok, start), a.report(1, ok, start)
	for _, c := range []struct {
		reports []policies.Report
		want    uint64
	}{
		{[]policies.Report{second, third}, 0},
		{[]policies.Report{first, third}, 1},
		{[]policies.Report{first, second, third}, 3},
		{[]policies.Report{first}, 3},
	} {
		answer, err := a.deliver(t.Context(), start, c.reports...)
		must(t, err)
		same(t, "accepted", answer.Accepted, c.want)
	}
}

func TestNewEpochBeginsAnew(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	a := f.enrol(t, "web1")
	bad := outcome{"a": policies.Noncompliant}
	old := a.report(1, bad, start)
	_, err := a.deliver(ctx, start, old)
	must(t, err)
	a.epoch, a.seq = "epoch-2", 0
	answer, err := a.deliver(ctx, start, a.report(1, bad, start))
	must(t, err)
	same(t, "answer", []any{answer.Epoch, answer.Accepted}, []any{"epoch-2", uint64(1)})
	answer, err = a.deliver(ctx, start, old)
	must(t, err)
	same(t, "answer to an old report", []any{answer.Epoch, answer.Accepted}, []any{"epoch-1", uint64(1)})
	events, err := f.Store.Events(ctx, store.EventFilter{Kinds: []string{store.EventOpened, store.EventReturned}})
	must(t, err)
	same(t, "number of opened and returned events", len(events), 2)
}

func TestCheckInRefuses(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	good := a.report(1, outcome{"a": policies.Compliant}, start)
	with := func(change func(*policies.Report)) protocol.CheckIn {
		r := good
		change(&r)
		return protocol.CheckIn{Version: 1, Reports: []policies.Report{r}}
	}
	for name, in := range map[string]protocol.CheckIn{
		"no version":       {},
		"newer protocol":   {Version: protocol.Version + 1},
		"too many reports": {Version: 1, Reports: make([]policies.Report, protocol.MaxReports+1)},
		"agent version":    {Version: 1, Agent: "1\x1b[2J"},
		"large counter":    {Version: 1, Counter: 1 << 63},
		"two epochs":       {Version: 1, Reports: []policies.Report{good, with(func(r *policies.Report) { r.Epoch = "other" }).Reports[0]}},
		"no epoch":         with(func(r *policies.Report) { r.Epoch = "" }),
		"seq 0":            with(func(r *policies.Report) { r.Seq = 0 }),
		"no digest":        with(func(r *policies.Report) { r.Facts = "../../etc/passwd" }),
		"half a run":       with(func(r *policies.Report) { r.Result = "" }),
		"boot ID":          with(func(r *policies.Report) { r.BootID = "a b" }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.CheckIn(t.Context(), a.id, in, start)
			wantRefused(t, err)
		})
	}
	_, err := f.CheckIn(t.Context(), "nobody", protocol.CheckIn{Version: 1}, start)
	wantRefused(t, err)
	must(t, f.Store.Revoke(t.Context(), a.id, "alice", start))
	_, err = f.CheckIn(t.Context(), a.id, protocol.CheckIn{Version: 1}, start)
	wantRefused(t, err)
}

func TestPutObjectRefuses(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	a := f.enrol(t, "web1")
	bad := []byte(`{"catalog":"","resources":[{"address":"a","status":"missing","mode":"audit"}]}`)
	digest := inventory.Digest(bad)
	wantNotAsked(t, f.PutObject(ctx, a.id, digest, bad, start))
	f.inbox.ask(a.id, []store.Ref{{Kind: store.KindResult, Digest: digest}}, start)
	wantRefused(t, f.PutObject(ctx, a.id, digest, []byte(`{}`), start))
	wantRefused(t, f.PutObject(ctx, a.id, digest, bad, start))
	other := f.enrol(t, "web2")
	wantNotAsked(t, f.PutObject(ctx, other.id, digest, bad, start))
}

// wantNotAsked wants an error after which a host checks in and tries again: it must not take what it
// has for lost.
func wantNotAsked(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errNotAsked) || !errors.Is(err, store.ErrConflict) {
		t.Fatalf("got error %v, want errNotAsked with store.ErrConflict", err)
	}
}

func TestResultOfAnotherCatalogIsNoAnswer(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	strict := a.report(1, outcome{"a": policies.Noncompliant, "b": policies.Noncompliant}, start)
	lax := a.report(1, outcome{"a": policies.Compliant}, start)
	lax.Catalog, lax.Seq = strict.Catalog, 1
	_, err := a.deliver(t.Context(), start, lax)
	must(t, err)
	h, err := f.Store.Host(t.Context(), a.id)
	must(t, err)
	same(t, "counts", h.Counts, map[policies.Status]int{policies.Missing: 2})
	if !strings.Contains(h.Problem, "another catalog") {
		t.Fatalf("Problem = %q, want it to say that the result is of another catalog", h.Problem)
	}
}

func TestLease(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	a := f.enrol(t, "web1")
	in := protocol.CheckIn{Version: 1}
	answer, err := f.CheckIn(ctx, a.id, in, start)
	must(t, err)
	same(t, "lease without a release", answer.Lease, "")
	for n := range uint64(2) {
		must(t, f.Store.AddRelease(ctx, store.Release{Number: n + 1, Tag: "tag", Bundle: "bundle", Made: start}))
	}
	for name, c := range map[string]struct {
		assign  Assigner
		counter uint64
		want    protocol.Lease
	}{
		"newest": {nil, 5, protocol.Lease{Counter: uint64(start.UnixMilli()), Release: 2}},
		"assigned": {func(store.Host, store.Release) uint64 { return 1 }, 5,
			protocol.Lease{Counter: uint64(start.UnixMilli()), Release: 1}},
		"clock went back": {nil, uint64(start.UnixMilli()) + 9, protocol.Lease{Counter: uint64(start.UnixMilli()) + 10, Release: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.enrol(t, strings.ReplaceAll(name, " ", "-"))
			f := &Fleet{Store: f.Store, Authority: f.Authority, Assign: c.assign}
			answer, err := f.CheckIn(ctx, a.id, protocol.CheckIn{Version: 1, Counter: c.counter}, start)
			must(t, err)
			lease, err := protocol.OpenLease(answer.Lease, f.Authority.(*authority.Authority).LeaseKey())
			must(t, err)
			c.want.Host, c.want.Tag, c.want.Bundle = a.id, "tag", "bundle"
			c.want.Issued, c.want.Expires = start, start.Add(24*time.Hour)
			same(t, "lease", lease, c.want)
		})
	}
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

func TestAcceptMakesIntervals(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
		same1 := step("e", 2, "r1", minute(2))
		same1.NewInterval = false
		must(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r1", minute(1)), same1}, minute(2)))
		must(t, s.Seen(ctx, id, Heartbeat{Agent: "1"}, minute(3)))
		must(t, s.Accept(ctx, id, "e", 2, []Step{step("e", 3, "r2", minute(4))}, minute(4)))

		got, err := s.Intervals(ctx, id, 10)
		must(t, err)
		counts := map[policies.Status]int{policies.Compliant: 3}
		same(t, "intervals", got, []Interval{
			{Host: id, Since: minute(4), LastCheckIn: minute(3), Release: 1, Commit: "c1", Catalog: "catalog", Facts: "facts", Result: "r2", Status: policies.Compliant, Counts: counts},
			{Host: id, Since: minute(1), Until: minute(4), LastCheckIn: minute(3), Release: 1, Commit: "c1", Catalog: "catalog", Facts: "facts", Result: "r1", Status: policies.Compliant, Counts: counts},
			{Host: id, Since: start, Until: minute(1), LastCheckIn: start, Status: policies.Unknown, Counts: map[policies.Status]int{}},
		})
		h, err := s.Host(ctx, id)
		must(t, err)
		same(t, "since, ran and seq", []any{h.Since, h.Ran, h.Seq, h.Result}, []any{minute(4), minute(4), uint64(3), "r2"})
	})
}

func TestAcceptNeverGoesBackInTime(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		must(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r1", start.Add(time.Hour))}, start.Add(time.Hour)))
		must(t, s.Accept(ctx, id, "e", 1, []Step{step("e", 2, "r2", start)}, start.Add(time.Hour)))
		i, err := s.IntervalAt(ctx, id, start.Add(time.Hour))
		must(t, err)
		same(t, "interval", []any{i.Since, i.Result}, []any{start.Add(time.Hour), "r2"})
	})
}

func TestAcceptCountsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		one := step("e", 1, "r1", start)
		one.Events = []Event{{At: start, Kind: EventRepaired, Address: "a"}}
		errs := make(chan error, 8)
		var wg sync.WaitGroup
		for range cap(errs) {
			wg.Go(func() { errs <- s.Accept(ctx, id, "", 0, []Step{one}, start) })
		}
		wg.Wait()
		accepted := 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				accepted++
			case !errors.Is(err, ErrConflict):
				t.Fatal(err)
			}
		}
		same(t, "times accepted", accepted, 1)
		events, err := s.Events(ctx, EventFilter{Address: "a"})
		must(t, err)
		same(t, "events", len(events), 1)

		// An epoch that comes back cannot count its old reports again.
		must(t, s.Accept(ctx, id, "e", 1, []Step{step("f", 1, "r2", start)}, start))
		wantErr(t, s.Accept(ctx, id, "f", 1, []Step{one}, start), ErrConflict)
		for epoch, want := range map[string]uint64{"e": 1, "f": 1, "g": 0} {
			seq, err := s.Accepted(ctx, id, epoch)
			must(t, err)
			same(t, "accepted of "+epoch, seq, want)
		}
	})
}

// TestEpochIsKnownWhenItIsLeft has a host report three times in an epoch, which only its own row counts, and then in another: the first
// one goes on where it was left, also in a database in which each report was counted in both places.
func TestEpochIsKnownWhenItIsLeft(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		for seq := range uint64(3) {
			epoch := map[bool]string{true: "", false: "e"}[seq == 0]
			must(t, s.Accept(ctx, id, epoch, seq, []Step{step("e", seq+1, fmt.Sprint("r", seq), start)}, start))
		}
		accepted := func(epoch string, want uint64) {
			t.Helper()
			seq, err := s.Accepted(ctx, id, epoch)
			must(t, err)
			same(t, "accepted of "+epoch, seq, want)
		}
		accepted("e", 3)
		wantErr(t, s.Accept(ctx, id, "e", 3, []Step{step("e", 3, "again", start)}, start), ErrConflict)
		must(t, s.Accept(ctx, id, "e", 3, []Step{step("f", 1, "x", start)}, start))
		accepted("e", 3)
		wantErr(t, s.Accept(ctx, id, "f", 1, []Step{step("e", 3, "again", start)}, start), ErrConflict)
		must(t, s.Accept(ctx, id, "f", 1, []Step{step("e", 4, "y", start), step("e", 5, "z", start)}, start))
		accepted("e", 5)
		accepted("f", 1)
		must(t, s.write(ctx, "count as before", func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE epochs SET seq = 5 WHERE epoch = 'e'`)
			return err
		}))
		must(t, s.Accept(ctx, id, "e", 5, []Step{step("f", 2, "x", start)}, start))
		accepted("e", 5)
	})
}

func TestAcceptIsAllOrNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		good, twice := step("e", 1, "r1", start), step("e", 2, "r2", start)
		good.Events = []Event{{At: start, Kind: EventRepaired}}
		twice.Report.Seq = 0 // an epoch never goes back: the second part fails
		must(t, s.Accept(ctx, id, "", 0, []Step{good}, start))
		wantErr(t, s.Accept(ctx, id, "e", 1, []Step{step("f", 1, "x", start), twice}, start), ErrConflict)
		h, err := s.Host(ctx, id)
		must(t, err)
		same(t, "epoch and seq", []any{h.Epoch, h.Seq, h.Result}, []any{"e", uint64(1), "r1"})
		seq, err := s.Accepted(ctx, id, "f")
		must(t, err)
		same(t, "accepted of the epoch that failed", seq, uint64(0))
	})
}

func finding(address string, status policies.Status, since time.Time, controls ...string) Finding {
	return Finding{Address: address, Status: status, Since: since, Mode: policies.Audit, Cause: policies.Corrective,
		Changes: []policies.Change{{Attribute: "mode", Before: "0644", After: "0600"}}, Message: "differs", Policy: "p",
		Severity: "high", Controls: append([]string{}, controls...), Source: policies.Position{File: "p.hcl", Line: 3}}
}

func TestFindings(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		other := enrol(t, s, "web2", start)
		first := step("e", 1, "r1", start)
		first.Findings = []Finding{finding("a", policies.Noncompliant, start, "cis:1", "cis:2"), finding("b", policies.Noncompliant, start, "cis:1")}
		must(t, s.Accept(ctx, id, "", 0, []Step{first}, start))
		must(t, s.Accept(ctx, other, "", 0, []Step{first}, start))
		later := start.Add(time.Hour)
		second := step("e", 2, "r2", later)
		second.Findings = []Finding{finding("a", policies.Failed, later, "cis:3"), finding("c", policies.Unknown, later)}
		unchanged := step("e", 3, "r2", later)
		unchanged.NewInterval = false
		must(t, s.Accept(ctx, id, "e", 1, []Step{second, unchanged}, later))

		a, c := finding("a", policies.Failed, start, "cis:3"), finding("c", policies.Unknown, later)
		a.Host, a.HostName, c.Host, c.HostName = id, "web1", id, "web1"
		got, err := s.Findings(ctx, FindingFilter{Host: id})
		must(t, err)
		same(t, "findings", got, []Finding{a, c})
		addresses, err := s.FindingsByAddress(ctx)
		must(t, err)
		same(t, "hosts by address", addresses, map[string]int{"a": 2, "b": 1, "c": 1})

		for name, c := range map[string]struct {
			filter FindingFilter
			want   []string
		}{
			"status":            {FindingFilter{Status: policies.Noncompliant}, []string{"web2 a", "web2 b"}},
			"address":           {FindingFilter{Address: "a"}, []string{"web1 a", "web2 a"}},
			"control":           {FindingFilter{Control: "cis:3"}, []string{"web1 a"}},
			"control of before": {FindingFilter{Control: "cis:1"}, []string{"web2 a", "web2 b"}},
			"page":              {FindingFilter{After: &a, Limit: 2}, []string{"web1 c", "web2 a"}},
		} {
			found, err := s.Findings(ctx, c.filter)
			must(t, err)
			names := []string{}
			for _, f := range found {
				names = append(names, f.HostName+" "+f.Address)
			}
			same(t, "findings by "+name, names, c.want)
		}
		must(t, s.Revoke(ctx, id, "alice", later))
		addresses, err = s.FindingsByAddress(ctx)
		must(t, err)
		same(t, "hosts by address after a revocation", addresses, map[string]int{"a": 1, "b": 1})
	})
}

// TestFindingsOfSeveralReports delivers reports together: what each leaves is compared with what the one before left.
func TestFindingsOfSeveralReports(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
		steps := make([]Step, 4)
		for i, found := range [][]Finding{
			{finding("a", policies.Noncompliant, minute(0), "cis:1"), finding("b", policies.Failed, minute(0))},
			{finding("b", policies.Noncompliant, minute(0), "cis:2")},
			{finding("a", policies.Noncompliant, minute(2), "cis:1"), finding("b", policies.Noncompliant, minute(0), "cis:2")},
			{finding("a", policies.Noncompliant, minute(2), "cis:1")},
		} {
			steps[i] = step("e", uint64(i)+1, fmt.Sprint("r", i), minute(i))
			steps[i].Findings = found
		}
		must(t, s.Accept(ctx, id, "", 0, steps, minute(4)))
		want := finding("a", policies.Noncompliant, minute(2), "cis:1")
		want.Host, want.HostName = id, "web1"
		got, err := s.Findings(ctx, FindingFilter{Host: id})
		must(t, err)
		same(t, "findings", got, []Finding{want})
		for control, n := range map[string]int{"cis:1": 1, "cis:2": 0} {
			got, err := s.Findings(ctx, FindingFilter{Control: control})
			must(t, err)
			same(t, "findings of "+control, len(got), n)
		}
	})
}

func TestEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		one := step("e", 1, "r1", start)
		full := Event{Seq: 1, At: start.Add(time.Minute), Kind: EventRepaired, Address: "a", Cause: policies.Corrective, Status: policies.Repaired,
			Before: policies.Noncompliant, Changes: []policies.Change{{Attribute: "x", Before: "1", After: "2", Diff: "-1\n+2\n"}},
			Release: 2, Commit: "c2", FromCommit: "c1", Message: "mended"}
		one.Events = []Event{full, {Seq: 1, At: start.Add(2 * time.Minute), Kind: EventOpened, Address: "b", Cause: policies.Initial}}
		must(t, s.Accept(ctx, id, "", 0, []Step{one}, start))
		all, err := s.Events(ctx, EventFilter{})
		must(t, err)
		same(t, "kinds", kinds(all), []string{EventOpened, EventRepaired, EventEnrolled})
		full.ID, full.Host, full.HostName = all[1].ID, id, "web1"
		same(t, "event", all[1], full)
		for name, c := range map[string]struct {
			filter EventFilter
			want   []string
		}{
			"host":    {EventFilter{Host: "nobody"}, []string{}},
			"address": {EventFilter{Address: "b"}, []string{EventOpened}},
			"kinds":   {EventFilter{Kinds: []string{EventRepaired, EventEnrolled}}, []string{EventRepaired, EventEnrolled}},
			"causes":  {EventFilter{Causes: []policies.Cause{policies.Initial}}, []string{EventOpened}},
			"time":    {EventFilter{Since: start.Add(time.Minute), Until: start.Add(2 * time.Minute)}, []string{EventRepaired}},
			"release": {EventFilter{Release: 2}, []string{EventRepaired}},
			"own":     {EventFilter{Release: 2, Own: true}, []string{}},
			"page":    {EventFilter{Before: all[0].ID, Limit: 1}, []string{EventRepaired}},
		} {
			got, err := s.Events(ctx, c.filter)
			must(t, err)
			same(t, "events by "+name, kinds(got), c.want)
		}
	})
}

func TestExpected(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		due := func(want int) Host {
			t.Helper()
			hosts, err := s.Unverified(ctx, 10)
			must(t, err)
			same(t, "hosts to verify", len(hosts), want)
			if want == 0 {
				return Host{}
			}
			return hosts[0]
		}
		due(0)
		must(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r1", start)}, start))
		h := due(1)
		must(t, s.SetExpected(ctx, []Expectation{{Host: h, Catalog: "another"}}, start))
		due(0)
		must(t, s.Accept(ctx, id, "e", 1, []Step{step("e", 2, "r2", start)}, start))
		due(0) // another result of the same catalog
		next := step("e", 3, "r3", start)
		next.Host.Catalog = "catalog2"
		must(t, s.Accept(ctx, id, "e", 2, []Step{next}, start))
		must(t, s.SetExpected(ctx, []Expectation{{Host: h, Catalog: "catalog", Terms: []byte(`{"old":1}`)}}, start)) // it has moved on since
		still := due(1)
		same(t, "mismatch until it is verified", []any{still.Mismatch, still.Expected}, []any{true, ""})
		terms := []byte(`{"new":1}`)
		must(t, s.SetExpected(ctx, []Expectation{{Host: h, Catalog: "catalog"}, {Host: still, Catalog: "catalog2", Terms: terms}}, start))
		now, err := s.Host(ctx, id)
		must(t, err)
		same(t, "mismatch and terms", []any{now.Mismatch, now.Expected, now.Terms}, []any{false, "catalog2", inventory.Digest(terms)})
		kept, err := s.Object(ctx, Ref{KindTerms, now.Terms})
		must(t, err)
		same(t, "terms", string(kept), string(terms))
		must(t, s.SetExpected(ctx, []Expectation{{Host: now, Catalog: "catalog2"}}, start))
		now, err = s.Host(ctx, id)
		must(t, err)
		same(t, "terms when nothing is said of them", now.Terms, inventory.Digest(terms))
		events, err := s.Events(ctx, EventFilter{Kinds: []string{EventMismatch}})
		must(t, err)
		same(t, "alarms", len(events), 1)
	})
}

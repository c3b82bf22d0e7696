package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

func TestPast(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		one, two := enrol(t, s, "a", start), enrol(t, s, "b", start)
		enrol(t, s, "c", start)
		report := step("e", 1, "r1", start.Add(time.Minute))
		report.Events = []Event{{Seq: 1, At: start.Add(time.Minute), Kind: EventRepaired, Address: "p", Cause: policies.Corrective,
			Status: policies.Repaired, Release: 1, Checked: start}}
		must(t, s.Accept(ctx, two, "", 0, []Step{report}, start.Add(time.Minute)))
		var events []PastEvent
		must(t, s.PastEvents(ctx, PastRange{Hosts: []inventory.HostID{two, one}}, time.Time{}, func(e PastEvent) { events = append(events, e) }))
		same(t, "events", events, []PastEvent{
			{Host: one, At: start, Kind: EventEnrolled},
			{Host: two, At: start, Kind: EventEnrolled},
			{Host: two, At: start.Add(time.Minute), Kind: EventRepaired, Address: "p", Cause: "corrective", Status: "repaired", Release: 1, Checked: start},
		})
		var whole []PastEvent
		must(t, s.PastEvents(ctx, PastRange{Hosts: []inventory.HostID{one, two}, Whole: true}, time.Time{}, func(e PastEvent) { whole = append(whole, e) }))
		same(t, "events of the first host to the last", whole, events)
		var intervals []PastInterval
		must(t, s.PastIntervals(ctx, PastRange{Hosts: []inventory.HostID{two}}, time.Time{}, func(i PastInterval) { intervals = append(intervals, i) }))
		same(t, "intervals", intervals, []PastInterval{
			{Host: two, Since: start, Until: start.Add(time.Minute), LastCheckIn: start, Status: "unknown", Counts: "{}"},
			{Host: two, Since: start.Add(time.Minute), LastCheckIn: start, Release: 1, Status: "compliant", Counts: `{"compliant":3}`},
		})
		next := step("e", 2, "r1", start.Add(2*time.Minute))
		next.Events = []Event{{Seq: 2, At: start.Add(2 * time.Minute), Kind: EventOpened, Address: "p"}, {Seq: 2, At: start.Add(2 * time.Minute), Kind: EventFailed, Address: "p"}}
		must(t, s.Accept(ctx, two, "e", 1, []Step{next}, start.Add(2*time.Minute)))
		var kinds []string
		must(t, s.PastEvents(ctx, PastRange{Hosts: []inventory.HostID{two}}, start.Add(time.Hour), func(e PastEvent) { kinds = append(kinds, e.Kind) }))
		same(t, "what counts for ever", kinds, []string{EventOpened})
		later, rows := start.Add(time.Minute), 0
		must(t, s.PastEvents(ctx, PastRange{Hosts: []inventory.HostID{one, two}}, later, func(PastEvent) { rows++ }))
		must(t, s.PastIntervals(ctx, PastRange{Hosts: []inventory.HostID{one, two}}, later, func(PastInterval) { rows++ }))
		same(t, "rows that count later", rows, 6) // three events of two, its last two intervals, and the open one of one
	})
}

// FillPast is not a test: it makes the past of a fleet, for BenchmarkPast.
func fillPast(b *testing.B, s *Store, hosts, events int) []inventory.HostID {
	b.Helper()
	fill(b, s, hosts)
	var ids []inventory.HostID
	for i := range hosts {
		ids = append(ids, benchID(i))
	}
	for n := 0; n < events; n += 10 { // as reports come in: host after host, over and over
		must(b, s.write(b.Context(), "fill", func(ctx context.Context, tx *sql.Tx) error {
			for _, id := range ids {
				for k := range 10 {
					if err := insertPast(ctx, tx, id, start.Add(time.Duration(n+k)*time.Hour)); err != nil {
						return err
					}
				}
			}
			return nil
		}))
	}
	return ids
}

func insertPast(ctx context.Context, tx *sql.Tx, id inventory.HostID, at time.Time) error {
	e := Event{Host: id, Seq: 2, At: at, Kind: EventRepaired, Address: "policy.p.file.f1", Cause: policies.Corrective, Status: policies.Repaired,
		Changes: []policies.Change{{Attribute: "mode", Before: "0644", After: "0600"}}, Release: 1, Commit: "c1"}
	if err := insertEvent(ctx, tx, e); err != nil {
		return err
	}
	return insertInterval(ctx, tx, Interval{Host: id, Since: at, LastCheckIn: at, Release: 1, Commit: "c1", Catalog: "c", Facts: "f", Result: "r",
		Status: policies.Repaired, Counts: map[policies.Status]int{policies.Compliant: 299, policies.Repaired: 1}})
}

// BenchmarkPast reads 100 events and 100 intervals of each of 10,000 hosts, 200 hosts at a time.
func BenchmarkPast(b *testing.B) {
	s := open(b, b.TempDir()+"/plumb.db")
	ids := fillPast(b, s, 10_000, 100)
	for _, what := range []string{"events", "intervals"} {
		b.Run(what, func(b *testing.B) {
			for b.Loop() {
				rows := 0
				for from := 0; from < len(ids); from += 200 {
					batch := ids[from:min(from+200, len(ids))]
					if what == "events" {
						must(b, s.PastEvents(b.Context(), PastRange{Hosts: batch}, time.Time{}, func(PastEvent) { rows++ }))
					} else {
						must(b, s.PastIntervals(b.Context(), PastRange{Hosts: batch}, time.Time{}, func(PastInterval) { rows++ }))
					}
				}
				if rows < 1_000_000 {
					b.Fatal(fmt.Sprint(rows))
				}
			}
		})
	}
}

func TestCycleReach(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for i, name := range []string{"a", "b"} {
			report := step("e", 1, "r1", start)
			for minute, kind := range map[int]string{1: EventRepaired, 2: EventRepaired, 10 + i: EventFailed} {
				report.Events = append(report.Events, Event{Seq: 1, At: start.Add(time.Duration(minute) * time.Minute), Kind: kind, Address: "rollout.security"})
			}
			must(t, s.Accept(t.Context(), enrol(t, s, name, start), "", 0, []Step{report}, start))
		}
		first, err := s.CycleReach(t.Context(), "security", start, start.Add(10*time.Minute))
		must(t, err)
		same(t, "first cycle", first, map[string]int{EventRepaired: 2})
		second, err := s.CycleReach(t.Context(), "security", start.Add(11*time.Minute), time.Time{})
		must(t, err)
		same(t, "second cycle", second, map[string]int{EventFailed: 1})
		other, err := s.CycleReach(t.Context(), "kernel", start, time.Time{})
		must(t, err)
		same(t, "another rollout", other, map[string]int{})
	})
}

// TestPastHosts holds the short form of hosts against the long one.
func TestPastHosts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for _, name := range []string{"web2", "web1", "db1"} {
			enrol(t, s, name, start)
		}
		must(t, s.Revoke(t.Context(), "id-web2", "alice", start.Add(time.Hour)))
		must(t, s.Seen(t.Context(), "id-web1", Heartbeat{}, start.Add(time.Minute)))
		h, err := s.Host(t.Context(), "id-web1")
		must(t, err)
		must(t, s.SetExpected(t.Context(), []Expectation{{Host: h, Terms: []byte("terms")}}, start))
		hosts, err := s.Hosts(t.Context(), HostFilter{Revoked: true})
		must(t, err)
		want := []PastHost{}
		for _, h := range hosts {
			want = append(want, h.Past())
		}
		slices.SortFunc(want, func(a, b PastHost) int { return strings.Compare(string(a.ID), string(b.ID)) })
		got, err := s.PastHosts(t.Context())
		must(t, err)
		same(t, "hosts", got, want)
	})
}

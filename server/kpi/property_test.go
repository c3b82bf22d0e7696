package kpi

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fleet draws a history minute by minute: rows are only added, as the server adds them, so each
// instant has its own version of it.
type fleet struct {
	changes []Change
	hosts   []Host
}

// copied shares nothing that later minutes change.
func (f fleet) copied() fleet {
	c := fleet{}
	for _, one := range f.changes {
		one.Entries = append([]Entry(nil), one.Entries...)
		c.changes = append(c.changes, one)
	}
	for _, h := range f.hosts {
		h.Intervals = append([]Interval(nil), h.Intervals...)
		h.Events = append([]Event(nil), h.Events...)
		c.hosts = append(c.hosts, h)
	}
	return c
}

func (f *fleet) minute(t *rapid.T, m float64) {
	now := at(m)
	if rapid.IntRange(0, 9).Draw(t, "release") == 0 {
		f.release(now, m)
	}
	for i := range f.changes {
		f.changes[i].Entries = append(f.changes[i].Entries, drawEntry(t, now)...)
	}
	for i := range f.hosts {
		f.hosts[i].minute(t, now, uint64(len(f.changes)))
	}
}

func (f *fleet) release(now time.Time, m float64) {
	if n := len(f.changes); n > 0 {
		f.changes[n-1].Next = now
	}
	n := uint64(len(f.changes) + 1)
	f.changes = append(f.changes, Change{ID: fmt.Sprint(n), Kind: Release, Number: n, Made: now, Committed: at(m - 5), Planned: n%2 == 0})
}

func drawEntry(t *rapid.T, now time.Time) []Entry {
	what := rapid.SampledFrom([]string{"", "", "", "", rolling, halted, "passed", rolledBack, superseded, done}).Draw(t, "entry")
	switch what {
	case "":
		return nil
	case superseded, done:
		return []Entry{{At: now, What: what}}
	}
	return []Entry{{At: now, Ring: "r", What: what}}
}

// minute is what a host does: mostly it just calls, or is silent.
func (h *Host) minute(t *rapid.T, now time.Time, newest uint64) {
	last := &h.Intervals[len(h.Intervals)-1]
	switch what := rapid.SampledFrom([]string{"call", "call", "call", "stale", "event", "event", "late", "interval", "revoke"}).Draw(t, "does"); {
	case !h.Revoked.IsZero():
	case what == "stale" && !last.Silent:
		h.Events = append(h.Events, Event{At: now, Kind: "stale"})
		h.next(now, func(i *Interval) { i.Silent = true })
	case last.Silent && what == "late": // it calls again, and tells what was before
		h.Events = append(h.Events, Event{At: now, Kind: "returned"}, drawEvent(t, last.Since, newest))
		h.next(now, func(i *Interval) { i.Silent = false })
	case last.Silent:
	case what == "revoke" && rapid.IntRange(0, 5).Draw(t, "really") == 0:
		h.Revoked, last.Until, last.LastCheckIn = now, now, now
		h.Events = append(h.Events, Event{At: now, Kind: "revoked"})
	case what == "event":
		last.LastCheckIn = now
		h.Events = append(h.Events, drawEvent(t, now, newest))
	case what == "interval":
		last.LastCheckIn = now
		h.next(now, func(i *Interval) {
			i.Release, i.InOrder = uint64(rapid.IntRange(0, int(newest)).Draw(t, "runs")), rapid.IntRange(0, 3).Draw(t, "in order")
			i.Sound, i.Waits = rapid.Bool().Draw(t, "sound"), rapid.Bool().Draw(t, "waits")
		})
	default:
		last.LastCheckIn = now
	}
}

func (h *Host) next(now time.Time, change func(*Interval)) {
	last := &h.Intervals[len(h.Intervals)-1]
	last.Until = now
	i := *last
	i.Since, i.Until, i.LastCheckIn = now, time.Time{}, now
	change(&i)
	h.Intervals = append(h.Intervals, i)
}

func drawEvent(t *rapid.T, now time.Time, newest uint64) Event {
	return Event{
		At:      now,
		Kind:    rapid.SampledFrom([]string{"opened", "changed", "closed", "repaired", "failed", "refused", "mismatch"}).Draw(t, "kind"),
		Cause:   rapid.SampledFrom([]string{"corrective", "corrective", "intentional", ""}).Draw(t, "cause"),
		Status:  rapid.SampledFrom([]string{"compliant", "repaired", "error", "waived", ""}).Draw(t, "status"),
		Address: rapid.SampledFrom([]string{"policy.a.file.x", "policy.b.file.y"}).Draw(t, "address"),
		Release: uint64(rapid.IntRange(0, int(newest)).Draw(t, "release")),
	}
}

const length = 40 // minutes

// history draws a whole history and returns what was stored at the minute mid, and at the end.
// At mid each host that is not silent calls, so that its last call is as far as is known.
func history(t *rapid.T) (early, late fleet, mid float64) {
	mid = float64(rapid.IntRange(1, length-1).Draw(t, "mid"))
	f := fleet{}
	for range rapid.IntRange(1, 3).Draw(t, "hosts") {
		f.hosts = append(f.hosts, Host{Enrolled: noon, Intervals: []Interval{{Since: noon, LastCheckIn: noon}}})
	}
	for m := 0.0; m < length; m++ {
		f.minute(t, m)
		if m != mid {
			continue
		}
		for i := range f.hosts {
			if last := &f.hosts[i].Intervals[len(f.hosts[i].Intervals)-1]; !last.Silent && last.Until.IsZero() {
				last.LastCheckIn = at(m)
			}
		}
		early = f.copied()
	}
	return early, f, mid
}

// TestLaterRowsChangeNothing is that a figure as of an instant stays what it was then.
func TestLaterRowsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		early, late, mid := history(t)
		q := Query{From: noon, To: at(length), AsOf: at(mid)}
		before, after := compute(q, early.changes, early.hosts...), compute(q, late.changes, late.hosts...)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("what came after minute %g changed a figure as of then (-then +later):\n%s", mid, diff)
		}
	})
}

func TestPartsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, f, mid := history(t)
		whole := Query{From: noon, To: at(length), AsOf: at(length)}
		first, second := whole, whole
		first.To, second.From = at(mid), at(mid)
		all, a, b := compute(whole, f.changes, f.hosts...), compute(first, f.changes, f.hosts...), compute(second, f.changes, f.hosts...)
		for i, n := range counts(all) {
			if parts := counts(a)[i] + counts(b)[i]; parts != n {
				t.Errorf("count %d = %d in the whole and %d in the parts", i, n, parts)
			}
		}
		if d := all.Drift.InOrder - a.Drift.InOrder - b.Drift.InOrder; d > 1e-6 || d < -1e-6 {
			t.Errorf("time in order differs by %g s", d)
		}
	})
}

// counts are those that belong to the instant at which something happened.
func counts(f Figures) []int {
	return []int{
		f.Changes.Succeeded, f.Changes.Failed, f.Changes.Void, f.Executions.Converged, f.Executions.Failed, f.LeadTime.N, f.LeadTime95.N,
		f.Frequency.Count, f.Restore.N, f.Restore.Unknown, f.Drift.Episodes, f.Drift.Mended, f.Drift.AtOnce, f.Drift.Dropped,
		f.Drift.Detect.N, f.Drift.Repair.N, f.Incidents.Total, f.Incidents.Drift, f.Incidents.Halts, f.Incidents.Silent,
	}
}

func TestFiguresArePossible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, f, mid := history(t)
		got := compute(Query{From: at(mid / 2), To: at(length), AsOf: at(length)}, f.changes, f.hosts...)
		for _, r := range []Rate{got.Changes.Success, got.Changes.Failure, got.Executions.Success} {
			if (r.Share == nil) != (r.Of == 0) || r.Share != nil && (*r.Share < 0 || *r.Share > 1) {
				t.Errorf("rate %+v", r)
			}
		}
		for _, s := range []Spread{got.LeadTime, got.LeadTime95, got.Restore.Spread, got.Drift.Detect, got.Drift.Repair} {
			if s.N > 0 && (*s.Median < 0 || *s.P90 < *s.Median || *s.Max < *s.P90 || *s.Mean > *s.Max) {
				t.Errorf("spread %+v", s)
			}
		}
		if d := got.Drift; d.AtOnce > d.Mended || d.AtOnce > d.Episodes || d.Detect.N > d.Episodes || d.Repair.N != d.Mended {
			t.Errorf("drift %+v", d)
		}
		longest := (length * time.Minute).Seconds() * 3 * float64(len(f.hosts))
		if got.Drift.InOrder < 0 || got.Drift.InOrder > longest {
			t.Errorf("in order for %g s, of %g at most", got.Drift.InOrder, longest)
		}
	})
}

package kpi

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// noon is when the histories begin; at is so many minutes after it.
var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }

// day asks for the first 24 hours with the knowledge of their end.
func day() Query { return Query{From: noon, To: at(1440), AsOf: at(1440)} }

// row is an interval in minutes; an end of 0 means that it lasts. The host calls until its end.
func row(since, until float64, release uint64, inOrder int) Interval {
	i := Interval{Since: at(since), LastCheckIn: at(until), Release: release, Sound: true, InOrder: inOrder}
	if until > 0 {
		i.Until = at(until)
	} else {
		i.LastCheckIn = at(1e6)
	}
	return i
}

func unsound(i Interval) Interval { i.Sound = false; return i }
func silent(i Interval) Interval  { i.Silent = true; return i }
func waits(i Interval) Interval   { i.Sound, i.Waits = false, true; return i }

func lastCall(i Interval, minutes float64) Interval { i.LastCheckIn = at(minutes); return i }

func event(minutes float64, kind, cause, status string) Event {
	return Event{At: at(minutes), Kind: kind, Cause: cause, Status: status, Address: "policy.motd.file.motd", Release: 1}
}

func checked(minutes float64, e Event) Event { e.Checked = at(minutes); return e }

func compute(q Query, changes []Change, hosts ...Host) Figures {
	return Compute(q, changes, slices.Values(hosts))
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

// text shows a spread in minutes: n, mean, median, 90 %, longest.
func text(s Spread) string {
	if s.N == 0 {
		return "none"
	}
	return fmt.Sprintf("%d: %g %g %g %g", s.N, *s.Mean/60, *s.Median/60, *s.P90/60, *s.Max/60)
}

func share(r Rate) string {
	if r.Share == nil {
		return "none"
	}
	return fmt.Sprintf("%d/%d=%.3f", r.Count, r.Of, *r.Share)
}

func TestNothingIsNoData(t *testing.T) {
	f := compute(day(), nil)
	for what, got := range map[string]string{
		"success": share(f.Changes.Success), "failure": share(f.Changes.Failure), "executions": share(f.Executions.Success),
		"lead": text(f.LeadTime), "lead95": text(f.LeadTime95), "restore": text(f.Restore.Spread),
		"detect": text(f.Drift.Detect), "repair": text(f.Drift.Repair),
	} {
		if got != "none" {
			t.Errorf("%s of nothing = %s, want none", what, got)
		}
	}
	if f.Drift.Between != nil {
		t.Errorf("time between no episodes = %g, want none", *f.Drift.Between)
	}
	if *f.Frequency.PerWeek != 0 { // that nothing was deployed is known
		t.Errorf("deployments = %g, want 0", *f.Frequency.PerWeek)
	}
	if f := compute(Query{From: noon, To: noon, AsOf: noon}, nil); f.Frequency.PerWeek != nil {
		t.Errorf("deployments in no time = %g, want none", *f.Frequency.PerWeek)
	}
}

// TestDrift has one resource on one host, in the first day unless it says otherwise. The columns
// are those of the table in docs/kpis.md.
func TestDrift(t *testing.T) {
	// The host is in order from minute 0. Where drift was found at minute 60, the newest report
	// before it is of minute 0: it was there for at most 60 minutes.
	plain := []Interval{row(0, 60, 1, 10), row(60, 0, 1, 10)}
	type want struct {
		episodes, open, mended, atOnce, dropped int
		detect, repair                          string
	}
	for name, c := range map[string]struct {
		intervals []Interval
		events    []Event
		query     func(Query) Query
		want      want
	}{
		"found and mended by one run": {
			intervals: plain,
			events:    []Event{event(60, "repaired", "corrective", "repaired")},
			want:      want{episodes: 1, mended: 1, atOnce: 1, detect: "1: 60 60 60 60", repair: "1: 0 0 0 0"},
		},
		"left open and mended later": { // 90 − 60 = 30 minutes
			intervals: plain,
			events: []Event{event(60, "failed", "corrective", "error"), event(60, "opened", "corrective", "error"),
				event(90, "repaired", "corrective", "repaired"), event(90, "closed", "corrective", "repaired")},
			want: want{episodes: 1, mended: 1, detect: "1: 60 60 60 60", repair: "1: 30 30 30 30"},
		},
		"went back by somebody else's hand": {
			intervals: plain,
			events:    []Event{event(60, "opened", "corrective", "noncompliant"), event(100, "closed", "", "compliant")},
			want:      want{episodes: 1, mended: 1, detect: "1: 60 60 60 60", repair: "1: 40 40 40 40"},
		},
		"still open": {
			intervals: plain,
			events:    []Event{event(60, "opened", "corrective", "noncompliant"), event(70, "changed", "corrective", "error")},
			want:      want{episodes: 1, open: 1, detect: "1: 60 60 60 60", repair: "none"},
		},
		"waived": {
			intervals: plain,
			events:    []Event{event(60, "opened", "corrective", "noncompliant"), event(70, "changed", "corrective", "waived")},
			want:      want{episodes: 1, dropped: 1, detect: "1: 60 60 60 60", repair: "none"},
		},
		"no longer wanted": {
			intervals: plain,
			events:    []Event{event(60, "opened", "corrective", "noncompliant"), event(70, "closed", "", "")},
			want:      want{episodes: 1, dropped: 1, detect: "1: 60 60 60 60", repair: "none"},
		},
		"the policy changed, which is no drift": {
			intervals: plain,
			events: []Event{event(60, "repaired", "intentional", "repaired"), event(70, "opened", "intentional", "error"),
				event(80, "closed", "", "compliant"), event(90, "repaired", "initial", "repaired"), event(95, "repaired", "upstream", "repaired")},
			want: want{detect: "none", repair: "none"},
		},
		"the end of a waiver, which is no drift": {
			intervals: plain,
			events: []Event{event(60, "opened", "corrective", "waived"), event(70, "changed", "reverted_waiver", "noncompliant"),
				event(80, "repaired", "reverted_waiver", "repaired"), event(80, "closed", "reverted_waiver", "repaired"),
				event(90, "repaired", "corrective", "repaired")},
			want: want{episodes: 1, mended: 1, atOnce: 1, detect: "1: 30 30 30 30", repair: "1: 0 0 0 0"},
		},
		"patching is no drift": {
			intervals: plain,
			events:    []Event{{At: at(60), Kind: "repaired", Cause: "corrective", Status: "repaired", Address: "rollout.security"}},
			want:      want{detect: "none", repair: "none"},
		},
		"a report while a resource waits is no witness": { // minute 30 does not count, minute 0 does
			intervals: []Interval{row(0, 30, 1, 10), waits(row(30, 60, 1, 9)), row(60, 0, 1, 10)},
			events:    []Event{event(60, "repaired", "corrective", "repaired")},
			want:      want{episodes: 1, mended: 1, atOnce: 1, detect: "1: 60 60 60 60", repair: "1: 0 0 0 0"},
		},
		"that a silent host calls again is no witness": { // neither minute 20, nor minute 30
			intervals: []Interval{row(0, 20, 1, 10), silent(row(20, 30, 1, 10)), row(30, 60, 1, 10), row(60, 0, 1, 10)},
			events:    []Event{event(60, "repaired", "corrective", "repaired")},
			want:      want{episodes: 1, mended: 1, atOnce: 1, detect: "1: 60 60 60 60", repair: "1: 0 0 0 0"},
		},
		"last seen in order by a run that changed nothing": { // 60 − 55, and not 60 − 0
			intervals: plain,
			events:    []Event{checked(55, event(60, "repaired", "corrective", "repaired"))},
			want:      want{episodes: 1, mended: 1, atOnce: 1, detect: "1: 5 5 5 5", repair: "1: 0 0 0 0"},
		},
		"last seen in order while another one waited": { // which is no witness, but a look at this one
			intervals: []Interval{waits(row(0, 60, 1, 9)), row(60, 0, 1, 9)},
			events:    []Event{checked(30, event(60, "opened", "corrective", "noncompliant"))},
			want:      want{episodes: 1, open: 1, detect: "1: 30 30 30 30", repair: "none"},
		},
		"nothing is known of before": {
			intervals: []Interval{unsound(row(0, 60, 0, 0)), row(60, 0, 1, 10)},
			events:    []Event{event(60, "repaired", "corrective", "repaired")},
			want:      want{episodes: 1, mended: 1, atOnce: 1, detect: "none", repair: "1: 0 0 0 0"},
		},
		"two episodes": { // detected after 60 and after 120 − 60; mended after 30 and 10
			intervals: []Interval{row(0, 60, 1, 10), row(60, 90, 1, 9), row(90, 120, 1, 10), row(120, 0, 1, 9)},
			events: []Event{event(60, "opened", "corrective", "noncompliant"), event(90, "closed", "", "compliant"),
				event(120, "opened", "corrective", "noncompliant"), event(130, "closed", "", "compliant")},
			want: want{episodes: 2, mended: 2, detect: "2: 45 30 60 60", repair: "2: 20 10 30 30"},
		},
		"the period begins between": { // detected before it, mended in it
			intervals: plain,
			events:    []Event{event(60, "opened", "corrective", "noncompliant"), event(90, "closed", "", "compliant")},
			query:     func(q Query) Query { q.From = at(75); return q },
			want:      want{mended: 1, detect: "none", repair: "1: 30 30 30 30"},
		},
		"as of an instant at which it was open": {
			intervals: plain,
			events:    []Event{event(60, "opened", "corrective", "noncompliant"), event(90, "closed", "", "compliant")},
			query:     func(q Query) Query { q.AsOf = at(89); return q },
			want:      want{episodes: 1, open: 1, detect: "1: 60 60 60 60", repair: "none"},
		},
		"told late": { // the host was silent at minute 80, and told at 200 what was at 60
			intervals: plain,
			events: []Event{{At: at(80), Kind: "stale"}, {At: at(200), Kind: "returned"},
				event(60, "repaired", "corrective", "repaired")},
			query: func(q Query) Query { q.AsOf = at(199); return q },
			want:  want{detect: "none", repair: "none"},
		},
		"of another policy": {
			intervals: plain,
			events:    []Event{event(60, "repaired", "corrective", "repaired")},
			query:     func(q Query) Query { q.Policy = "mot"; return q },
			want:      want{detect: "none", repair: "none"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := day()
			if c.query != nil {
				q = c.query(q)
			}
			d := compute(q, nil, Host{Enrolled: noon, Intervals: c.intervals, Events: c.events}).Drift
			got := want{d.Episodes, d.Open, d.Mended, d.AtOnce, d.Dropped, text(d.Detect), text(d.Repair)}
			if got != c.want {
				t.Errorf("drift = %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestBetween has ten resources that are in order until minute 60, then nine until 90. The host
// last calls at 150, is marked silent at 160, and comes back at 300 with ten.
func TestBetween(t *testing.T) {
	h := Host{Enrolled: noon, Intervals: []Interval{
		row(0, 60, 1, 10), unsound(row(60, 90, 1, 9)), lastCall(row(90, 160, 1, 10), 150),
		silent(row(160, 300, 1, 10)), row(300, 0, 1, 10),
	}, Events: []Event{event(60, "opened", "corrective", "error"), event(90, "repaired", "corrective", "repaired"),
		event(90, "closed", "corrective", "repaired"), {At: at(160), Kind: "stale"}, {At: at(300), Kind: "returned"}}}
	f := compute(Query{From: noon, To: at(400), AsOf: at(400)}, nil, h)
	// 60·10 + 30·9 + (150−90)·10 + (400−300)·10 = 600 + 270 + 600 + 1000 = 2470 minutes, one episode.
	same(t, "in order", f.Drift.InOrder/60, 2470.0)
	same(t, "between", *f.Drift.Between/60, 2470.0)
	same(t, "incidents", f.Incidents, Incidents{Total: 2, Drift: 1, Silent: 1})
	// From minute 30 to 100, as of 95: 30·10 + 30·9 + 5·10 = 620.
	f = compute(Query{From: at(30), To: at(100), AsOf: at(95)}, nil, h)
	same(t, "in order as of 95", f.Drift.InOrder/60, 620.0)
	// A revoked host is in order no longer: 60·10 + 20·9 until minute 80.
	h.Revoked, h.Intervals[1].Until = at(80), at(80)
	h.Intervals = h.Intervals[:2]
	h.Events = []Event{h.Events[0], {At: at(80), Kind: "revoked"}}
	f = compute(day(), nil, h)
	same(t, "in order until revoked", f.Drift.InOrder/60, 780.0)
	same(t, "dropped", f.Drift.Dropped, 1)
	if f = compute(Query{From: noon, To: at(400), AsOf: at(400), Policy: "motd"}, nil, h); f.Drift.Between != nil {
		t.Errorf("time between episodes of one policy = %g, but intervals do not tell it", *f.Drift.Between)
	}
}

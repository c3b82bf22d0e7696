package kpi

import (
	"testing"
)

// release is one that was committed at minute −30 and made at minute 0.
func release(entries ...Entry) Change {
	return Change{ID: "2", Kind: Release, Number: 2, Committed: at(-30), Made: noon, Planned: len(entries) > 0, Entries: entries}
}

func entry(minutes float64, ring, what string) Entry {
	return Entry{At: at(minutes), Ring: ring, What: what}
}

// through are the entries of a release that came through two rings.
func through() []Entry {
	return []Entry{entry(0, "canary", "eligible"), entry(0, "canary", rolling), entry(10, "canary", "soaking"), entry(20, "canary", "passed"),
		entry(20, "broad", "eligible"), entry(20, "broad", rolling), entry(40, "broad", "soaking"), entry(60, "broad", "passed"), entry(60, "", done)}
}

// host ran release 1 from long ago, and then what is given.
func host(more ...Interval) Host {
	first := row(-1000, 0, 1, 3)
	if len(more) > 0 {
		first.Until, first.LastCheckIn = more[0].Since, more[0].Since
	}
	return Host{Enrolled: at(-1000), Intervals: append([]Interval{first}, more...)}
}

func failing(h Host, minutes float64, release uint64) Host {
	h.Events = append(h.Events, Event{At: at(minutes), Kind: "failed", Cause: "intentional", Status: "error", Address: "policy.p.file.f", Release: release})
	return h
}

func TestChange(t *testing.T) {
	type want struct {
		outcome string
		closed  float64 // minutes, −1 for open
		lead    string
		lead95  string
		hosts   string // executions
	}
	overtaken := release()
	overtaken.Next = at(50)
	void := release(entry(0, "canary", "eligible"), entry(5, "", superseded))
	cut := release(entry(0, "canary", "eligible"), entry(0, "canary", rolling), entry(15, "", superseded))
	for name, c := range map[string]struct {
		change Change
		hosts  []Host
		query  func(Query) Query
		want   want
	}{
		"through two rings": { // lead: 60 + 30; both hosts were there at minute 30, so 30 + 30
			change: release(through()...),
			hosts:  []Host{host(row(10, 0, 2, 3)), host(row(30, 0, 2, 3))},
			want:   want{Succeeded, 60, "1: 90 90 90 90", "1: 60 60 60 60", "2/2=1.000"},
		},
		"one host comes after the last ring": { // the gate let it be; it counts
			change: release(through()...),
			hosts:  []Host{host(row(10, 0, 2, 3)), host(row(100, 0, 2, 3))},
			want:   want{Succeeded, 100, "1: 90 90 90 90", "1: 130 130 130 130", "2/2=1.000"},
		},
		"one host waits for its window": {
			change: release(through()...),
			hosts:  []Host{host(row(10, 0, 2, 3)), host(waits(row(30, 0, 2, 2)))},
			want:   want{Open, -1, "none", "none", "1/1=1.000"},
		},
		"one host is silent": { // it was marked at minute 15 and does not count; of two, 95 % are not there
			change: release(through()...),
			hosts:  []Host{host(row(10, 0, 2, 3)), host(silent(row(15, 0, 1, 3)))},
			want:   want{Succeeded, 60, "1: 90 90 90 90", "none", "1/1=1.000"},
		},
		"one host enrolled later": {
			change: release(through()...),
			hosts:  []Host{host(row(10, 0, 2, 3)), {Enrolled: at(5), Intervals: []Interval{unsound(row(5, 0, 0, 0))}}},
			want:   want{Succeeded, 60, "1: 90 90 90 90", "1: 40 40 40 40", "1/1=1.000"},
		},
		"failed first and converged then": { // the change came through; on one of two hosts not at once
			change: release(through()...),
			hosts:  []Host{host(row(10, 0, 2, 3)), failing(host(unsound(row(30, 35, 2, 2)), row(35, 0, 2, 3)), 30, 2)},
			want:   want{Succeeded, 60, "1: 90 90 90 90", "1: 65 65 65 65", "1/2=0.500"},
		},
		"halted and then came through": {
			change: release(entry(0, "canary", rolling), entry(10, "canary", halted), entry(20, "canary", rolling), entry(60, "canary", "passed"), entry(60, "", done)),
			hosts:  []Host{failing(host(unsound(row(10, 35, 2, 2)), row(35, 0, 2, 3)), 10, 2)},
			want:   want{Failed, 60, "none", "none", "0/1=0.000"},
		},
		"halted now": {
			change: release(entry(0, "canary", rolling), entry(10, "canary", halted)),
			hosts:  []Host{failing(host(unsound(row(10, 0, 2, 2))), 10, 2)},
			want:   want{Open, -1, "none", "none", "0/1=0.000"},
		},
		"rolled back": {
			change: release(entry(0, "canary", rolling), entry(10, "canary", halted), entry(20, "canary", rolledBack)),
			hosts:  []Host{failing(host(unsound(row(10, 30, 2, 2)), row(30, 0, 1, 3)), 10, 2)},
			want:   want{Failed, 20, "none", "none", "0/1=0.000"},
		},
		"superseded before it reached anybody": {change: void, hosts: []Host{host()}, want: want{Void, 5, "none", "none", "none"}},
		"superseded on its way":                {change: cut, hosts: []Host{host(row(10, 0, 2, 3))}, want: want{Failed, 15, "none", "none", "1/1=1.000"}},
		"to all at once": { // no ring, so no first lead time
			change: release(), hosts: []Host{host(row(10, 0, 2, 3)), host(row(30, 0, 2, 3))},
			want: want{Succeeded, 30, "none", "1: 60 60 60 60", "2/2=1.000"},
		},
		"to all at once, and overtaken": {
			change: overtaken, hosts: []Host{host(row(10, 0, 2, 3)), host(row(70, 0, 3, 3))},
			want: want{Failed, 50, "none", "none", "1/1=1.000"},
		},
		"to nobody yet": {change: release(), hosts: []Host{host()}, want: want{Open, -1, "none", "none", "none"}},
		"as of before the last ring": {
			change: release(through()...), hosts: []Host{host(row(10, 0, 2, 3)), host(row(30, 0, 2, 3))},
			query: func(q Query) Query { q.AsOf = at(59); return q },
			want:  want{Open, -1, "none", "none", "2/2=1.000"},
		},
		"drift that could not be mended is not its doing": {
			change: release(through()...),
			hosts: []Host{func() Host {
				h := host(row(10, 0, 2, 3))
				h.Events = []Event{{At: at(5), Kind: "failed", Cause: "corrective", Address: "a", Release: 2}}
				return h
			}()},
			want: want{Succeeded, 60, "1: 90 90 90 90", "1: 40 40 40 40", "1/1=1.000"},
		},
		"a commit from the future has no lead time": {
			change: func() Change { c := release(through()...); c.Committed = at(1); return c }(),
			hosts:  []Host{host(row(10, 0, 2, 3))},
			want:   want{Succeeded, 60, "none", "none", "1/1=1.000"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := day()
			if c.query != nil {
				q = c.query(q)
			}
			f := compute(q, []Change{c.change}, c.hosts...)
			r := f.List[0]
			got := want{r.Outcome, -1, text(f.LeadTime), text(f.LeadTime95), share(f.Executions.Success)}
			if !r.Closed.IsZero() {
				got.closed = r.Closed.Sub(noon).Minutes()
			}
			if got != c.want {
				t.Errorf("change = %+v (%s), want %+v", got, r.Why, c.want)
			}
		})
	}
}

// TestRates has three changes that succeeded, one that failed, one void and one that is halted.
func TestRates(t *testing.T) {
	var changes []Change
	h := host()
	h.Intervals[0].Until, h.Intervals[0].LastCheckIn = at(10), at(10)
	for n := uint64(2); n <= 4; n++ { // each reaches the host after ten minutes, and takes twenty
		m := float64(n-2) * 100
		changes = append(changes, Change{ID: "x", Kind: Release, Number: n, Committed: at(m - 10), Made: at(m), Planned: true,
			Entries: []Entry{entry(m, "all", rolling), entry(m+20, "all", "passed"), entry(m+20, "", done)}})
		h.Intervals = append(h.Intervals, row(m+10, m+110, n, 3))
	}
	h.Intervals = append(h.Intervals, unsound(row(310, 330, 5, 2)), row(330, 510, 4, 3), unsound(row(510, 0, 7, 2)))
	h = failing(failing(h, 310, 5), 510, 7)
	changes = append(changes,
		Change{ID: "5", Kind: Release, Number: 5, Made: at(300), Planned: true, Entries: []Entry{entry(300, "all", rolling),
			entry(311, "all", halted), entry(320, "all", rolledBack), entry(400, "", superseded)}},
		Change{ID: "6", Kind: Release, Number: 6, Made: at(400), Planned: true, Entries: []Entry{entry(405, "", superseded)}},
		Change{ID: "7", Kind: Release, Number: 7, Made: at(500), Planned: true, Entries: []Entry{entry(500, "all", rolling), entry(511, "all", halted)}})
	f := compute(Query{From: noon, To: at(7 * 1440), AsOf: at(7 * 1440)}, changes, h)
	if got, want := share(f.Changes.Success)+" "+share(f.Changes.Failure), "3/4=0.750 1/4=0.250"; got != want {
		t.Errorf("rates = %s, want %s", got, want)
	}
	same(t, "void, open, halted", []int{f.Changes.Void, f.Changes.Open, f.Changes.Halted}, []int{1, 1, 1})
	// Three good executions and two bad ones; 5 of the 6 reached the host, in one week.
	same(t, "executions", share(f.Executions.Success), "3/5=0.600")
	same(t, "per week", *f.Frequency.PerWeek, 5.0)
	same(t, "lead", text(f.LeadTime), "3: 30 30 30 30")
	// Of the halt at 311 the host was well at 330: 19 minutes. That of 511 is not over.
	same(t, "restore", text(f.Restore.Spread), "1: 19 19 19 19")
	same(t, "open halts", f.Restore.Open, 1)
	same(t, "incidents", f.Incidents, Incidents{Total: 2, Halts: 2})
}

// TestRefusal has a host that quarantines release 2 and says so twice: with its run, and with the
// next one, which is of release 1 again.
func TestRefusal(t *testing.T) {
	h := host(unsound(row(10, 12, 2, 0)), row(12, 0, 1, 3))
	h = failing(h, 10, 2)
	h.Events = append(h.Events, Event{At: at(10), Kind: "refused", Release: 2}, Event{At: at(12), Kind: "refused", Release: 1})
	changes := []Change{{ID: "1", Kind: Release, Number: 1, Made: at(-2000), Next: noon}, release(entry(0, "all", rolling), entry(11, "all", halted))}
	f := compute(day(), changes, h)
	same(t, "executions", share(f.Executions.Success), "0/1=0.000")
	same(t, "incidents", f.Incidents, Incidents{Total: 2, Halts: 1, Refused: 1})
	same(t, "restore", text(f.Restore.Spread), "1: 1 1 1 1") // halted at 11, well at 12
}

// TestRestoreOfTheUnknown is a halt of which no host that failed is left.
func TestRestoreOfTheUnknown(t *testing.T) {
	c := release(entry(0, "canary", rolling), entry(10, "canary", halted))
	f := compute(day(), []Change{c}, host())
	same(t, "restore", f.Restore, Restore{Unknown: 1})
	// A host that ran it and was silent then counts as failed, until it calls again and is well.
	f = compute(day(), []Change{c}, host(row(2, 8, 2, 3), silent(row(8, 45, 2, 3)), row(45, 0, 2, 3)))
	same(t, "restore of a silent host", text(f.Restore.Spread), "1: 35 35 35 35")
}

// TestCycle has two patch cycles of one rollout: the first is through after 30 minutes, the
// second was rolled back.
func TestCycle(t *testing.T) {
	cycle := func(id string, number uint64, from float64, entries ...Entry) Change {
		return Change{ID: id, Kind: Cycle, Rollout: "security", Number: number, Made: at(from), Planned: true, Entries: entries}
	}
	patched := func(minutes float64, kind, status string) Event {
		return Event{At: at(minutes), Kind: kind, Cause: "corrective", Status: status, Address: "rollout.security", Release: 1}
	}
	changes := []Change{
		cycle("security/1", 1, 0, entry(0, "all", rolling), entry(30, "all", "passed"), entry(30, "", done)),
		cycle("security/2", 2, 100, entry(100, "all", rolling), entry(120, "all", rolledBack)),
	}
	one, two := host(), host()
	one.Events = []Event{patched(10, "repaired", "repaired"), patched(110, "failed", "error")}
	two.Events = []Event{patched(20, "repaired", "repaired")}
	f := compute(day(), changes, one, two)
	same(t, "success", share(f.Changes.Success), "1/2=0.500")
	same(t, "executions", share(f.Executions.Success), "2/3=0.667")
	same(t, "lead", text(f.LeadTime), "none") // a cycle has no commit
	same(t, "deployments", f.Frequency.Count, 2)
	same(t, "list", f.List, []Record{
		{ID: "security/1", Kind: Cycle, Made: noon, Outcome: Succeeded, Why: "each host that could be reached converged", Closed: at(30), Converged: 2},
		{ID: "security/2", Kind: Cycle, Made: at(100), Outcome: Failed, Why: "a ring was rolled back", Closed: at(120), Failed: 1},
	})
	// A cycle that had nothing to do anywhere is a success, too.
	f = compute(day(), changes[:1], host())
	same(t, "nothing to do", share(f.Changes.Success), "1/1=1.000")
	same(t, "deployments of nothing to do", f.Frequency.Count, 1)
}

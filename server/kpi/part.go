package kpi

import (
	"iter"
	"slices"
	"time"
)

// clocks is by how much the clock of a host may be behind that of the server.
const clocks = 24 * time.Hour

// Since is from when on rows are needed for a question, zero for all. Those of a change that ended, and
// was followed by another, before the period are not: it counts nowhere in it.
//
// Of the time before, the intervals are needed in which hosts were at that instant, and the events by
// which findings opened, changed and closed.
func Since(q Query, changes []Change) time.Time { return since(q, changes, clocks) }

func since(q Query, changes []Change, margin time.Duration) time.Time {
	if q.From.IsZero() {
		return time.Time{}
	}
	from := q.edge()
	for _, c := range changes {
		if !c.Made.After(q.AsOf) && c.Made.Before(from) && !c.settled(q) {
			from = c.Made
		}
	}
	return from.Add(-margin)
}

// edge is the instant before which nothing counts as such.
func (q Query) edge() time.Time {
	if q.AsOf.Before(q.From) {
		return q.AsOf
	}
	return q.From
}

// settled tells whether a change ended, was followed, and halted for the last time before the period.
func (c Change) settled(q Query) bool {
	over := earliest(c.first(rolledBack, q.AsOf), c.overtaken(q.AsOf))
	late := func(e Entry) bool { return e.What == halted && !e.At.Before(q.edge()) }
	return !over.IsZero() && over.Before(q.edge()) && !c.Next.IsZero() && c.Next.Before(q.edge()) && !slices.ContainsFunc(c.Entries, late)
}

// Enough returns a test whether the rows since an instant tell all of a host that the question needs.
// They do not where it was unwell, ran what is older than all of them, or drifted before anything
// in them shows it in order; then all of its rows are needed.
func Enough(q Query, since time.Time, changes []Change) func(Host) bool {
	old := map[uint64]bool{}
	for _, c := range changes {
		if c.Kind == Release && c.Made.Before(since) {
			old[c.Number] = true
		}
	}
	return func(h Host) bool {
		if since.IsZero() || !h.Enrolled.Before(since) || !h.Revoked.IsZero() && h.Revoked.Before(since) {
			return true
		}
		return h.wellAt(since) && h.wellAt(q.edge().Add(-time.Millisecond)) && !h.ranOld(old) && h.witnessed(q)
	}
}

// wellAt tells whether a host was known to be in order at an instant.
func (h Host) wellAt(t time.Time) bool {
	return slices.ContainsFunc(h.Intervals, func(i Interval) bool {
		return !i.Since.After(t) && (i.Until.IsZero() || i.Until.After(t)) && i.Sound && !i.Silent && i.InOrder > 0
	})
}

// ranOld tells whether an old release shows in the rows, beside the one that the first interval is of.
func (h Host) ranOld(old map[uint64]bool) bool {
	first := h.Intervals[0].Release
	return slices.ContainsFunc(h.Intervals, func(i Interval) bool { return i.Release != first && old[i.Release] }) ||
		slices.ContainsFunc(h.Events, func(e Event) bool {
			return (e.Kind == "refused" || e.Kind == "failed") && e.Release != first && old[e.Release]
		})
}

// witnessed tells whether the rows show since when each drift of the period can have been there. Whether
// the first interval is a witness hangs on the one before it, so it is taken for none.
func (h Host) witnessed(q Query) bool {
	good := Host{Intervals: h.Intervals[1:]}.witnesses()
	if h.Intervals[0].Silent && len(good) > 0 && len(h.Intervals) > 1 && good[0].Equal(h.Intervals[1].Since) {
		good = good[1:]
	}
	return !slices.ContainsFunc(h.Events, func(e Event) bool {
		found := e.Kind == "opened" || e.Kind == "repaired"
		return found && e.Checked.IsZero() && q.in(e.At) && (len(good) == 0 || !good[0].Before(e.At))
	})
}

// ComputeSince is [Compute] of rows since an instant. It is not whole when they turn out not to suffice; then
// all rows are needed.
func ComputeSince(q Query, since time.Time, changes []Change, hosts iter.Seq[Host]) (f Figures, whole bool) {
	t := tallied(q, changes, hosts)
	return t.figures(), !slices.ContainsFunc(t.changes, func(j *journey) bool { return j.Made.Before(since) && j.open(q) })
}

// open tells whether a change of before still counts: a host that failed under it was still unwell when the
// period began, or it seems to have reached its first host in it.
func (j *journey) open(q Query) bool {
	last := q.edge().Add(-time.Millisecond)
	for _, h := range j.halts {
		if slices.ContainsFunc(h.ills, func(s span) bool { return !s.since.After(last) && s.until.After(last) }) {
			return true
		}
	}
	return q.in(j.begun(q.AsOf))
}

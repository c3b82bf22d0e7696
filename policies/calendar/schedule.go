package calendar

import (
	"iter"
	"time"
)

// schedule is a window that was read, in one zone. Its rule is expanded on a naive wall clock,
// which is kept as UTC and knows no daylight saving; only then is each start put into the zone.
type schedule struct {
	window Window
	zone   *time.Location
	// naive yields the wall clock times of the rule at begin or later, in order, up to end.
	naive func(begin, end time.Time) iter.Seq[time.Time]
}

// horizon is how far ahead a start is looked for. After 28 years the days of the week fall on
// the same dates again, so what did not come by then never does.
const horizon = 28 * 366

func (w Window) schedule(host *time.Location) (schedule, error) {
	zone, err := w.zone(host)
	if err != nil {
		return schedule{}, err
	}
	s := schedule{window: w, zone: zone}
	s.naive, err = w.rule(zone)
	return s, err
}

// starts yields the instants after the given one at which the window opens, in order.
func (s schedule) starts(after time.Time) iter.Seq[time.Time] {
	w := s.window
	if !after.After(w.From) && !w.From.IsZero() {
		after = w.From.Add(-time.Nanosecond)
	}
	begin := wall(after, s.zone).AddDate(0, 0, -w.OffsetDays-2) // two days are more than any zone jumps
	return func(yield func(time.Time) bool) {
		last := after
		for naive := range s.naive(begin, begin.AddDate(0, 0, horizon)) {
			start := instant(naive.AddDate(0, 0, w.OffsetDays), s.zone)
			if !start.After(last) { // two starts in one gap of the clock are one
				continue
			}
			if !w.Until.IsZero() && !start.Before(w.Until) || !yield(start) {
				return
			}
			last = start
		}
	}
}

// wall returns what the clock of the zone shows, as if it were UTC.
func wall(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// instant returns the first instant at which the clock of the zone shows the naive time, or,
// when the clock jumps over it, the first instant after the jump.
func instant(naive time.Time, zone *time.Location) time.Time {
	const farthest = 16 * time.Hour // no zone is so far from UTC
	for at := naive.Add(-farthest).In(zone); ; {
		_, offset := at.Zone()
		begins, ends := bounds(at)
		shown := naive.Add(-time.Duration(offset) * time.Second).In(zone)
		switch {
		case !begins.IsZero() && shown.Before(begins):
			return begins
		case ends.IsZero() || shown.Before(ends):
			return shown
		}
		at = ends
	}
}

// bounds returns when the offset that holds at an instant begins and ends, the end behind the instant. On the last day of
// a leap year, after the transitions that the zone's file lists, Go says that the offset ended when that day began.
func bounds(at time.Time) (begins, ends time.Time) {
	begins, ends = at.ZoneBounds()
	if !ends.IsZero() && !ends.After(at) {
		ends = at.Add(24 * time.Hour)
	}
	return begins, ends
}

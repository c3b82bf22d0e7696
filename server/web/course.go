package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// course is how a host stood over some days, drawn: a strip of statuses, and below it a lane for
// each kind of thing that happened. The list of what happened says the same in words.
type course struct {
	// Words are for those who do not see it.
	Words string
	// Spans leads to other lengths of time.
	Spans []choice
	Parts []stretchPart
	Lanes []lane
	Ticks []tick
	// Cut is true when not all that happened is drawn.
	Cut bool
}

// stretchPart is a time with one status; X and Width are in thousandths.
type stretchPart struct {
	X, Width float64
	Status   policies.Status
	Words    string
}

// lane is one kind of thing that happened.
type lane struct {
	Words string
	Mark  string
	Count int
	Link  string
	Marks []laneMark
}

// laneMark is a moment in which it happened, once or more often.
type laneMark struct {
	X     float64
	Words string
}

// courseDays are the lengths of time that can be drawn, in days.
var courseDays = []int{1, 14, 90}

// laneSlots is how many moments of a lane can be told apart in the drawing.
const laneSlots = 250

// laneKind is a kind of things that are drawn: what its history is called, and which events are of it.
type laneKind struct {
	words, mark, what string
	is                func(views.Event) bool
}

func lanes() []laneKind {
	kind := func(kinds ...string) func(views.Event) bool {
		return func(e views.Event) bool { return slices.Contains(kinds, e.Kind) }
	}
	return []laneKind{
		{"drift", "noncompliant", "drift", func(e views.Event) bool {
			return e.Cause == policies.Corrective && (e.Kind == store.EventOpened || e.Kind == store.EventRepaired) || e.Kind == store.EventFlapping
		}},
		{"changes", "repaired", "changes", func(e views.Event) bool {
			return e.Kind == store.EventRepaired && e.Cause != policies.Corrective
		}},
		{"trouble", "error", "trouble", kind(store.EventFailed, store.EventRefused, store.EventMismatch)},
		{"boots", "rolling", "host", kind(store.EventRebooted)},
		{"silence", "stale", "host", kind(store.EventStale)},
	}
}

func newCourse(c views.Course, name string, days int) course {
	drawn := course{Cut: c.Cut, Ticks: ticks(c.From, c.To, 7)}
	path := "/hosts/" + url.PathEscape(name)
	for _, n := range courseDays {
		drawn.Spans = append(drawn.Spans, choice{Words: plural(n, "day", "days"), Link: fmt.Sprintf("%s?days=%d#course", path, n), Chosen: n == days})
	}
	drawn.strip(c)
	for _, l := range lanes() {
		drawn.lane(c, lane{Words: l.words, Mark: l.mark, Link: path + "/history?what=" + l.what}, l.is)
	}
	return drawn
}

// at is the place of an instant in thousandths of the drawing.
func (drawn *course) at(c views.Course, t time.Time) float64 {
	return 1000 * float64(t.Sub(c.From)) / float64(c.To.Sub(c.From))
}

func (drawn *course) strip(c views.Course) {
	times := map[policies.Status]time.Duration{}
	for _, s := range c.Stretches {
		x, end := drawn.at(c, s.From), drawn.at(c, s.To)
		times[s.Status] += s.To.Sub(s.From)
		drawn.Parts = append(drawn.Parts, stretchPart{X: x, Width: max(end-x, 1.5), Status: s.Status,
			Words: fmt.Sprintf("%s from %s to %s", views.Words(s.Status), exactly(s.From), exactly(s.To))})
	}
	var words []string
	for _, s := range policies.Statuses {
		if times[s] > 0 {
			words = append(words, views.Words(s)+" for "+lasting(times[s]))
		}
	}
	drawn.Words = "Status from " + exactly(c.From) + " to " + exactly(c.To) + ": " + strings.Join(words, ", ")
}

// lasting is how long something was, as people say it.
func lasting(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return plural(int(d.Minutes()), "minute", "minutes")
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour", "hours")
	}
	return plural(int(d.Hours()/24), "day", "days")
}

func (drawn *course) lane(c views.Course, l lane, is func(views.Event) bool) {
	counts := map[int]int{}
	first := map[int]views.Event{}
	var order []int
	for _, e := range c.Events {
		if !is(e) || e.At.Before(c.From) {
			continue
		}
		l.Count++
		slot := min(laneSlots-1, int(drawn.at(c, e.At)*laneSlots/1000))
		if counts[slot]++; counts[slot] == 1 {
			first[slot] = e
			order = append(order, slot)
		}
	}
	for _, slot := range order {
		e := first[slot]
		words := exactly(e.At) + ": " + e.Kind + " " + e.Address
		if counts[slot] > 1 {
			words += fmt.Sprintf(" and %d more", counts[slot]-1)
		}
		l.Marks = append(l.Marks, laneMark{float64(slot) * 1000 / laneSlots, words})
	}
	if l.Count > 0 {
		drawn.Lanes = append(drawn.Lanes, l)
	}
}

// courseSpan reads for how many days a course is drawn.
func courseSpan(c *api.Call) int {
	for _, n := range courseDays {
		if c.Query("days") == fmt.Sprint(n) {
			return n
		}
	}
	return 14
}

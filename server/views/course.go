package views

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// Course is how a host stood over some time.
type Course struct {
	From, To time.Time
	// Stretches are without gaps but for the time before its enrolment, the oldest first.
	Stretches []Stretch
	// Events are those of that time, the oldest first; Cut is true when there were more.
	Events []Event
	Cut    bool
}

// Stretch is a time with one status.
type Stretch struct {
	From, To time.Time
	Status   policies.Status
}

const (
	// maxStretches and maxCourse bound what one drawing is made of.
	maxStretches = 2000
	maxCourse    = 2000
)

// Course returns how a host stood from an instant on, until now.
func (r Reader) Course(ctx context.Context, name string, from, now time.Time) (Course, error) {
	h, err := r.Store.HostByName(ctx, name)
	if err != nil {
		return Course{}, fmt.Errorf("cannot find the host %q: %w", name, err)
	}
	c := Course{From: from, To: now}
	intervals, err := r.Store.Intervals(ctx, h.ID, maxStretches)
	if err != nil {
		return Course{}, err
	}
	for i := len(intervals) - 1; i >= 0; i-- {
		c.add(intervals[i])
	}
	events, err := r.Events(ctx, store.EventFilter{Host: h.ID, Since: from, Until: now.Add(time.Second), Limit: maxCourse + 1})
	if err != nil {
		return Course{}, err
	}
	c.Cut = len(events) > maxCourse
	for i := min(len(events), maxCourse) - 1; i >= 0; i-- {
		c.Events = append(c.Events, events[i])
	}
	return c, nil
}

// add puts an interval behind those before, joined with one of the same status.
func (c *Course) add(i store.Interval) {
	s := Stretch{From: i.Since, To: i.Until, Status: orUnknown(i.Status)}
	if s.To.IsZero() || s.To.After(c.To) {
		s.To = c.To
	}
	if s.From.Before(c.From) {
		s.From = c.From
	}
	if !s.From.Before(s.To) {
		return
	}
	if n := len(c.Stretches); n > 0 && c.Stretches[n-1].Status == s.Status && c.Stretches[n-1].To.Equal(s.From) {
		c.Stretches[n-1].To = s.To
		return
	}
	c.Stretches = append(c.Stretches, s)
}

package calendar

import (
	"cmp"
	"time"
)

// HostZone is the timezone of a window that follows each host's own clock.
const HostZone = "host"

// The classes of change that windows and freezes tell apart.
const (
	Config  = "config"
	Package = "package"
	Reboot  = "reboot"
)

// Classes lists them.
func Classes() []string { return []string{Config, Package, Reboot} }

// Window is when change may start, again and again.
type Window struct {
	Name string `json:"name"`
	// Cron has five fields and holds the hour too.
	Cron string `json:"cron,omitempty"`
	// RRule is the rule of RFC 5545 for the days, FREQ=DAILY or rarer; Start has the hour.
	RRule string `json:"rrule,omitempty"`
	// Start is HH:MM on the clock of the zone, for RRule only.
	Start string `json:"start,omitempty"`
	// Duration is how long it is open, in seconds.
	Duration int `json:"duration"`
	// Cutoff is how long before the end nothing is started any more, in seconds.
	Cutoff int `json:"cutoff,omitempty"`
	// Timezone is an IANA name, or host (also when empty) for the host's own.
	Timezone string `json:"timezone,omitempty"`
	// OffsetDays moves each start to so many days later: 7 on the second Tuesday is the
	// Tuesday after patch Tuesday.
	OffsetDays int `json:"offset_days,omitempty"`
	// Classes are what may change in it; none stands for all.
	Classes []string `json:"classes,omitempty"`
	// From and Until bound its starts: from the one on, before the other. From is also the day
	// that an INTERVAL counts from.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Occurrence is one opening of a window.
type Occurrence struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Cutoff is the instant from which nothing is started any more; End where there is none.
	Cutoff time.Time `json:"cutoff"`
}

// Open tells whether something may start at t.
func (o Occurrence) Open(t time.Time) bool { return !t.Before(o.Start) && t.Before(o.Cutoff) }

// Permits tells whether the window is one for the class.
func (w Window) Permits(class string) bool { return covers(w.Classes, class) }

func (w Window) duration() time.Duration { return time.Duration(w.Duration) * time.Second }

func (w Window) occurrence(start time.Time) Occurrence {
	end := start.Add(w.duration())
	return Occurrence{Start: start, End: end, Cutoff: end.Add(-time.Duration(w.Cutoff) * time.Second)}
}

// zone returns where the window's clock hangs.
func (w Window) zone(host *time.Location) (*time.Location, error) {
	if w.FollowsHost() {
		return cmp.Or(host, time.UTC), nil
	}
	return time.LoadLocation(w.Timezone)
}

// FollowsHost tells whether the window is open at another instant in another zone.
func (w Window) FollowsHost() bool { return w.Timezone == "" || w.Timezone == HostZone }

// At returns the occurrence under way at t. Of several that overlap it is the one that
// began last, which is open the longest. A window that cannot be read is never open.
func (w Window) At(t time.Time, host *time.Location) (Occurrence, bool) {
	s, err := w.schedule(host)
	if err != nil {
		return Occurrence{}, false
	}
	return s.at(t)
}

// Next returns the first occurrence that starts after the time.
func (w Window) Next(after time.Time, host *time.Location) (Occurrence, bool) {
	s, err := w.schedule(host)
	if err != nil {
		return Occurrence{}, false
	}
	return s.next(after)
}

// MaxBetween is the most occurrences that Between returns.
const MaxBetween = 1000

// Between returns the occurrences that start at from or later, and before to; the first
// [MaxBetween] of them.
func (w Window) Between(from, to time.Time, host *time.Location) []Occurrence {
	list := []Occurrence{}
	s, err := w.schedule(host)
	if err != nil {
		return list
	}
	for start := range s.starts(from.Add(-time.Nanosecond)) {
		if !start.Before(to) || len(list) == MaxBetween {
			return list
		}
		list = append(list, w.occurrence(start))
	}
	return list
}

func (s schedule) at(t time.Time) (Occurrence, bool) {
	var found Occurrence
	for start := range s.starts(t.Add(-s.window.duration())) {
		if start.After(t) {
			break
		}
		found = s.window.occurrence(start)
	}
	return found, t.Before(found.End)
}

func (s schedule) next(after time.Time) (Occurrence, bool) {
	for start := range s.starts(after) {
		return s.window.occurrence(start), true
	}
	return Occurrence{}, false
}

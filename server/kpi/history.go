package kpi

import (
	"slices"
	"time"
)

// Query is what is asked for.
type Query struct {
	// From is included, To is not. Counts belong to the instant at which something happened, and
	// times that something took belong to the instant at which it ended.
	From, To time.Time
	// AsOf is the instant whose knowledge counts. What came to be known later is left out.
	AsOf time.Time
	// Policy, when set, narrows drift to the resources of one policy.
	Policy string
	// Step, when set, also cuts the period into slices of that length, for drawing.
	Step time.Duration
}

// in tells whether an instant lies in the period.
func (q Query) in(t time.Time) bool { return !t.IsZero() && !t.Before(q.From) && t.Before(q.To) }

// Host is all that is remembered of one host.
type Host struct {
	Name     string
	Enrolled time.Time
	// Revoked is zero while the host may call.
	Revoked time.Time
	// Intervals are in order of time, Events in order of storing.
	Intervals []Interval
	Events    []Event
}

// Interval is a time in which nothing changed about a host.
type Interval struct {
	Since time.Time
	// Until is zero while it lasts. LastCheckIn is when the host last called in it.
	Until, LastCheckIn time.Time
	Release            uint64
	// Silent is true for a time in which the host did not call.
	Silent bool
	// Sound says that nothing failed and nothing waits: each resource is compliant, repaired,
	// waived, not applicable or noncompliant, and there is at least one answer.
	Sound bool
	// Waits says that a resource waits for a window or for the end of a freeze.
	Waits bool
	// InOrder counts the resources that are compliant or repaired, PolicyInOrder those of them that are
	// of the policy that is asked for.
	InOrder, PolicyInOrder int
}

// Event is one thing that happened on a host.
type Event struct {
	// At is when it happened, by the host's clock as far as the server believed it.
	At time.Time
	// Checked is when the resource was last seen in order before, zero when that is not known.
	Checked time.Time
	// Kind, Cause and Status are words of the store and of policies.
	Kind, Cause, Status string
	// Address is the resource, empty for events of the whole host.
	Address string
	// Release is the one that was in force.
	Release uint64
}

// Kinds of change.
const (
	Release = "release" // one release on its way through the fleet
	Cycle   = "cycle"   // one patch cycle of a rollout
)

// Change is one release or one patch cycle on its way through the fleet.
type Change struct {
	// ID is the release's number, or ROLLOUT/N for a patch cycle.
	ID string
	// Kind is Release or Cycle; Rollout is the name of the cycle's rollout.
	Kind, Rollout string
	// Number is that of the release or of the cycle.
	Number uint64
	// Committed is when the commit was made, zero for cycles; Made when the change was made.
	Committed, Made time.Time
	// Planned is false when the change went to all hosts at once.
	Planned bool
	// Next is when the change after it was made, zero while there is none.
	Next time.Time
	// Entries are what happened to its rings, the oldest first.
	Entries []Entry
}

// Entry is one thing that happened to a ring, or to all of them when Ring is empty.
type Entry struct {
	At   time.Time
	Ring string
	What string
}

// What an entry may say, as far as it counts here.
const (
	rolling    = "rolling"
	halted     = "halted"
	rolledBack = "rolled_back"
	superseded = "superseded"
	done       = "done"
)

// first returns when an entry first said so, zero when none does until then.
func (c Change) first(what string, until time.Time) time.Time {
	for _, e := range c.Entries {
		if e.What == what && !e.At.After(until) {
			return e.At
		}
	}
	return time.Time{}
}

// finished is when the last ring passed. A change without rings is finished when it is made.
func (c Change) finished(until time.Time) time.Time {
	if !c.Planned && !c.Made.After(until) {
		return c.Made
	}
	return c.first(done, until)
}

// overtaken is when a newer change took its place.
func (c Change) overtaken(until time.Time) time.Time {
	if t := c.first(superseded, until); !t.IsZero() {
		return t
	}
	if c.finished(until).IsZero() || c.Next.After(until) {
		return time.Time{}
	}
	return c.Next
}

// asOf returns the host as it was known at an instant, and whether it was known at all.
//
// An event does not say when the server got to know it. But the server stamps with its own clock
// that a silent host called again, and stores that before what the host has to tell. So in the
// order of storing nothing behind the first event of a later time was known.
func (h Host) asOf(t time.Time) (Host, bool) {
	if h.Enrolled.After(t) {
		return h, false
	}
	if h.Revoked.After(t) {
		h.Revoked = time.Time{}
	}
	if i := slices.IndexFunc(h.Events, func(e Event) bool { return e.At.After(t) }); i >= 0 {
		h.Events = h.Events[:i]
	}
	if i := slices.IndexFunc(h.Intervals, func(i Interval) bool { return i.Since.After(t) }); i >= 0 {
		h.Intervals = h.Intervals[:i]
	}
	return h, true
}

// end is when an interval ended, at the latest at t and at the end of the host.
func (h Host) end(i Interval, t time.Time) time.Time {
	end := t
	for _, other := range []time.Time{i.Until, h.Revoked} {
		if !other.IsZero() && other.Before(end) {
			end = other
		}
	}
	return end
}

// seen is until when something was known of the host in an interval: the time between its last
// call and its silence is not known, and silence itself is not either.
func (h Host) seen(i Interval, t time.Time) time.Time {
	end := h.end(i, t)
	if i.Silent || i.LastCheckIn.Before(i.Since) {
		return i.Since
	}
	if i.LastCheckIn.Before(end) {
		return i.LastCheckIn
	}
	return end
}

package web

import (
	"time"

	"plumb/server/views"
)

// eventList is events as pages show them: the newest open, the rest folded away.
type eventList struct {
	First, Rest []views.Event
	Now         time.Time
	// Host is true when each event should name its host, which leads to how that was at the instant of Past.
	Host bool
	Past past
}

// newFeed lists what happened to many hosts.
func newFeed(events []views.Event, then past, now time.Time) eventList {
	return eventList{First: events, Now: now, Host: true, Past: then}
}

const eventsOpen = 25

func newEvents(events []views.Event, now time.Time, host bool) eventList {
	cut := min(len(events), eventsOpen)
	return eventList{First: events[:cut], Rest: events[cut:], Now: now, Host: host}
}

// oneEvent is an event in its list.
type oneEvent struct {
	views.Event
	Now time.Time
	// Named is true when it should name its host.
	Named bool
	Past  past
}

// One is the event as the template shows it.
func (l eventList) One(e views.Event) oneEvent {
	return oneEvent{Event: e, Now: l.Now, Named: l.Host, Past: l.Past}
}

package views

import (
	"context"
	"time"

	"plumb/server/store"
)

// Alert is one episode in which something needed a person.
type Alert struct {
	ID       int64     `json:"id"`
	Kind     string    `json:"kind"`
	Subject  string    `json:"subject"`
	Severity string    `json:"severity"`
	Detail   string    `json:"detail"`
	Opened   time.Time `json:"opened"`
	// Cleared is since when its cause is out of sight; it is closed once that has lasted.
	Cleared *time.Time `json:"cleared,omitempty"`
	Closed  *time.Time `json:"closed,omitempty"`
	// Returns counts how often its cause came back in between.
	Returns int `json:"returns"`
}

// AlertList is what alerts there are, and who is told of them.
type AlertList struct {
	// Alerts are the newest first.
	Alerts []Alert `json:"alerts"`
	// Receivers are those in the server's settings.
	Receivers []AlertReceiver `json:"receivers"`
}

// AlertReceiver is somebody who is told of alerts.
type AlertReceiver struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// AlertDelivery is one thing that one receiver is told.
type AlertDelivery struct {
	ID       int64  `json:"id"`
	Receiver string `json:"receiver"`
	// Alert is 0 for a test.
	Alert int64 `json:"alert"`
	// What is opened, closed or test; State is pending, delivered, failed or skipped.
	What     string    `json:"what"`
	State    string    `json:"state"`
	Attempts int       `json:"attempts"`
	Made     time.Time `json:"made"`
	// Next is when it is tried again, Done when it came to its end.
	Next *time.Time `json:"next,omitempty"`
	Done *time.Time `json:"done,omitempty"`
	// Answer says what came of the newest attempt when that was not good.
	Answer string `json:"answer,omitempty"`
	// Ticket is what the receiver calls what it made of it.
	Ticket string `json:"ticket,omitempty"`
}

// Alerts returns the selected alerts, the newest first.
func (r Reader) Alerts(ctx context.Context, f store.EpisodeFilter) ([]Alert, error) {
	rows, err := r.Store.Episodes(ctx, f)
	if err != nil {
		return nil, err
	}
	all := make([]Alert, 0, len(rows))
	for _, e := range rows {
		all = append(all, Alert{ID: e.ID, Kind: e.Kind, Subject: e.Subject, Severity: e.Severity, Detail: e.Detail,
			Opened: e.Opened.UTC(), Cleared: stamp(e.Cleared), Closed: stamp(e.Closed), Returns: e.Returns})
	}
	return all, nil
}

// AlertDeliveries returns the selected deliveries, the newest first.
func (r Reader) AlertDeliveries(ctx context.Context, f store.DeliveryFilter) ([]AlertDelivery, error) {
	rows, err := r.Store.Deliveries(ctx, f)
	if err != nil {
		return nil, err
	}
	all := make([]AlertDelivery, 0, len(rows))
	for _, d := range rows {
		all = append(all, AlertDeliveryOf(d))
	}
	return all, nil
}

// AlertDeliveryOf is the view of one delivery.
func AlertDeliveryOf(d store.Delivery) AlertDelivery {
	v := AlertDelivery{ID: d.ID, Receiver: d.Sink, Alert: d.Episode, What: d.What, State: d.State, Attempts: d.Attempts,
		Made: d.Made.UTC(), Done: stamp(d.Done), Answer: d.Answer, Ticket: d.Ref}
	if d.State == store.DeliveryPending {
		v.Next = stamp(d.Next)
	}
	return v
}

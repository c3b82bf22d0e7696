package views

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// Event is one thing that happened.
type Event struct {
	ID   int64     `json:"id"`
	At   time.Time `json:"at"`
	Host string    `json:"host"`
	// Kind is one of the kinds of store: opened, repaired, closed, refused …
	Kind    string            `json:"kind"`
	Address string            `json:"address,omitempty"`
	Cause   policies.Cause    `json:"cause,omitempty"`
	Status  policies.Status   `json:"status,omitempty"`
	Before  policies.Status   `json:"before,omitempty"`
	Changes []policies.Change `json:"changes"`
	Release uint64            `json:"release,omitempty"`
	Commit  string            `json:"commit,omitempty"`
	// From is the commit before. For the cause intentional policy came to want this between From and
	// To; they are equal when what changed was a fact.
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	Message string `json:"message,omitempty"`
	// By says who changed it, as far as the host's kernel told.
	By string `json:"by,omitempty"`
}

// Events returns events, the newest first.
func (r Reader) Events(ctx context.Context, f store.EventFilter) ([]Event, error) {
	rows, err := r.Store.Events(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("cannot list events: %w", err)
	}
	events := make([]Event, 0, len(rows))
	for _, e := range rows {
		events = append(events, Event{
			ID: e.ID, At: e.At.UTC(), Host: e.HostName, Kind: e.Kind, Address: e.Address, Cause: e.Cause,
			Status: e.Status, Before: e.Before, Changes: list(e.Changes), Release: e.Release,
			Commit: e.Commit, From: e.FromCommit, To: e.ToCommit, Message: e.Message, By: e.By,
		})
	}
	return events, nil
}

// Finding is one resource of one host that does not pass now.
type Finding struct {
	Host    string          `json:"host"`
	Address string          `json:"address"`
	Status  policies.Status `json:"status"`
	Since   time.Time       `json:"since"`
	Mode    policies.Mode   `json:"mode"`
	Cause   policies.Cause  `json:"cause,omitempty"`
	// From and To are the commits between which policy came to want it, for the cause intentional.
	From     string            `json:"from,omitempty"`
	To       string            `json:"to,omitempty"`
	Severity string            `json:"severity,omitempty"`
	Controls []string          `json:"controls"`
	Changes  []policies.Change `json:"changes"`
	Message  string            `json:"message,omitempty"`
	Source   policies.Position `json:"source"`
	// By says who changed it, as far as the host's kernel told.
	By string `json:"by,omitempty"`
	// Flapping is set while the host leaves it alone because somebody else fights for it.
	Flapping *policies.Flapping `json:"flapping,omitempty"`
}

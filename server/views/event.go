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
	// From is the commit before, for an intentional change.
	From    string `json:"from,omitempty"`
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
			Commit: e.Commit, From: e.FromCommit, Message: e.Message, By: e.By,
		})
	}
	return events, nil
}

// Finding is one resource of one host that does not pass now.
type Finding struct {
	Host     string            `json:"host"`
	Address  string            `json:"address"`
	Status   policies.Status   `json:"status"`
	Since    time.Time         `json:"since"`
	Mode     policies.Mode     `json:"mode"`
	Cause    policies.Cause    `json:"cause,omitempty"`
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

// Drift is where reality differs from policy now, and where it lately did and was mended.
type Drift struct {
	Findings []Finding `json:"findings"`
	Repairs  []Event   `json:"repairs"`
}

// Drift returns what does not pass now, and the newest corrective repairs.
func (r Reader) Drift(ctx context.Context, f store.FindingFilter) (Drift, error) {
	rows, err := r.Store.Findings(ctx, f)
	if err != nil {
		return Drift{}, fmt.Errorf("cannot list findings: %w", err)
	}
	d := Drift{Findings: make([]Finding, 0, len(rows))}
	for _, one := range rows {
		d.Findings = append(d.Findings, Finding{
			Host: one.HostName, Address: one.Address, Status: one.Status, Since: one.Since.UTC(), Mode: one.Mode,
			Cause: one.Cause, Severity: one.Severity, Controls: list(one.Controls), Changes: list(one.Changes),
			Message: one.Message, Source: one.Source, By: one.By, Flapping: one.Flapping,
		})
	}
	d.Repairs, err = r.Events(ctx, store.EventFilter{
		Host: f.Host, Address: f.Address, Limit: 100,
		Kinds: []string{store.EventRepaired}, Causes: []policies.Cause{policies.Corrective},
	})
	return d, err
}

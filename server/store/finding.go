package store

import (
	"context"
	"database/sql"
	"fmt"

	"plumb/inventory"
	"plumb/policies"
)

// detail is the part of a finding by which nobody selects.
type detail struct {
	Mode     policies.Mode     `json:"mode"`
	Cause    policies.Cause    `json:"cause"`
	Changes  []policies.Change `json:"changes"`
	Message  string            `json:"message"`
	Policy   string            `json:"policy"`
	Controls []string          `json:"controls"`
	Source   policies.Position `json:"source"`
	By       string            `json:"by,omitempty"`
	From     string            `json:"from,omitempty"`
	To       string            `json:"to,omitempty"`

	Flapping *policies.Flapping `json:"flapping,omitempty"`
}

func (f Finding) detail() string {
	return encode(detail{Mode: f.Mode, Cause: f.Cause, Changes: f.Changes, Message: f.Message,
		Policy: f.Policy, Controls: f.Controls, Source: f.Source, By: f.By, From: f.From, To: f.To, Flapping: f.Flapping})
}

const findingColumns = `f.host, h.name, f.address, f.status, f.since, f.severity, f.detail`

func scanFinding(scan func(...any) error) (Finding, error) {
	var f Finding
	var since int64
	var column string
	if err := scan(&f.Host, &f.HostName, &f.Address, &f.Status, &since, &f.Severity, &column); err != nil {
		return Finding{}, err
	}
	var d detail
	if err := decode(column, &d); err != nil {
		return Finding{}, err
	}
	f.Since, f.Mode, f.Cause, f.Message, f.Policy, f.Source = at(since), d.Mode, d.Cause, d.Message, d.Policy, d.Source
	f.By, f.From, f.To, f.Flapping = d.By, d.From, d.To, d.Flapping
	f.Changes, f.Controls = append([]policies.Change{}, d.Changes...), append([]string{}, d.Controls...)
	return f, nil
}

// Findings returns the selected findings by host and address.
func (s *Store) Findings(ctx context.Context, filter FindingFilter) ([]Finding, error) {
	w := filter.where()
	rows, err := s.r.QueryContext(ctx, `SELECT `+findingColumns+` FROM findings f JOIN hosts h ON h.id = f.host`+w.String()+
		` ORDER BY f.host, f.address`+limit(filter.Limit, standardPage), w.args...)
	all, err := list(rows, err, scanFinding)
	if err != nil {
		return nil, fmt.Errorf("cannot list findings: %w", err)
	}
	return all, nil
}

func (filter FindingFilter) where() *where {
	w := &where{}
	if filter.Host != "" {
		w.and(`f.host = ?`, string(filter.Host))
	}
	if filter.Address != "" {
		w.and(`f.address = ?`, filter.Address)
	}
	if filter.Status != "" {
		w.and(`f.status = ?`, string(filter.Status))
	}
	if filter.Control != "" {
		w.and(`EXISTS (SELECT 1 FROM finding_controls c WHERE c.control = ? AND c.host = f.host AND c.address = f.address)`, filter.Control)
	}
	if filter.Flapping {
		w.and(`f.flapping = 1`)
	}
	if filter.Policy != "" { // the sign after the point sorts behind it
		w.and(`f.address > ? AND f.address < ?`, "policy."+filter.Policy+".", "policy."+filter.Policy+"/")
	}
	if !filter.Since.IsZero() {
		w.and(`f.since >= ?`, ms(filter.Since))
	}
	if filter.After != nil {
		w.and(`(f.host, f.address) > (?, ?)`, string(filter.After.Host), filter.After.Address)
	}
	return w
}

const countFindings = `SELECT address, COUNT(*) FROM findings WHERE status <> '` + string(policies.Waived) + `' GROUP BY address`

// FindingsByAddress counts, for each address, the hosts on which it does not pass and nobody agreed
// to that.
func (s *Store) FindingsByAddress(ctx context.Context) (map[string]int, error) {
	rows, err := s.r.QueryContext(ctx, countFindings)
	return tally(rows, err)
}

func tally(rows *sql.Rows, err error) (map[string]int, error) {
	counts := map[string]int{}
	err = walk(rows, err, func(scan func(...any) error) error {
		var key string
		var n int
		err := scan(&key, &n)
		counts[key] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot count: %w", err)
	}
	return counts, nil
}

// FindingsOf returns all findings of a host by address. Their HostName is empty.
func (s *Store) FindingsOf(ctx context.Context, id inventory.HostID) ([]Finding, error) {
	rows, err := s.many(ctx, `SELECT f.host, '', f.address, f.status, f.since, f.severity, f.detail FROM findings f WHERE f.host = $1 ORDER BY f.address`, string(id))
	all, err := list(rows, err, scanFinding)
	if err != nil {
		return nil, fmt.Errorf("cannot list the findings of a host: %w", err)
	}
	return all, nil
}

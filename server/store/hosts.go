package store

import (
	"context"
	"fmt"
	"strings"

	"plumb/policies"
)

// Hosts returns the selected hosts by name.
func (s *Store) Hosts(ctx context.Context, f HostFilter) ([]Host, error) {
	w := f.where()
	rows, err := s.r.QueryContext(ctx, `SELECT `+hostColumns+` FROM hosts`+w.String()+` ORDER BY name`+limit(f.Limit, allHosts), w.args...)
	hosts, err := list(rows, err, scanHost)
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts: %w", err)
	}
	return hosts, nil
}

// allHosts is more hosts than any server has.
const allHosts = 10_000_000

func (f HostFilter) where() *where {
	w := &where{}
	if !f.Revoked {
		w.and(`revoked = 0`)
	}
	if f.Prefix != "" {
		w.and(`name >= ? AND name < ?`, f.Prefix, f.Prefix+"\x7f")
	}
	if f.Contains != "" {
		w.and(`name LIKE ? ESCAPE '\'`, "%"+likeEscaper.Replace(f.Contains)+"%")
	}
	if f.Status != "" {
		w.and(`status = ?`, string(f.Status))
	}
	if f.Release != 0 {
		w.and(`release = ?`, int64(f.Release))
	}
	if f.Mismatch {
		w.and(`mismatch = 1`)
	}
	if f.Problem {
		w.and(`problem <> ''`)
	}
	if f.After != "" {
		w.and(`name > ?`, f.After)
	}
	for label, value := range f.Labels {
		w.and(`EXISTS (SELECT 1 FROM host_labels l WHERE l.label = ? AND l.value = ? AND l.host = hosts.id)`, label, value)
	}
	return w
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// FleetCounts counts hosts by how they stand.
func (s *Store) FleetCounts(ctx context.Context) (FleetCounts, error) {
	counts := FleetCounts{Status: map[policies.Status]int{}}
	var all int
	err := s.r.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM hosts),
		(SELECT COUNT(*) FROM hosts WHERE mismatch = 1 AND revoked = 0),
		(SELECT COUNT(*) FROM hosts WHERE problem <> '' AND revoked = 0)`).Scan(&all, &counts.Mismatch, &counts.Problems)
	if err != nil {
		return FleetCounts{}, fmt.Errorf("cannot count hosts: %w", err)
	}
	rows, err := s.r.QueryContext(ctx, `SELECT status, COUNT(*) FROM hosts WHERE revoked = 0 GROUP BY status`)
	byStatus, err := tally(rows, err)
	if err != nil {
		return FleetCounts{}, fmt.Errorf("cannot count hosts by status: %w", err)
	}
	for status, n := range byStatus {
		counts.Status[policies.Status(status)] = n
		counts.Total += n
	}
	counts.Revoked = all - counts.Total
	return counts, nil
}

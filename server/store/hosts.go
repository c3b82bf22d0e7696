package store

import (
	"context"
	"fmt"
	"strings"

	"plumb/policies"
)

// Hosts returns the selected hosts by name.
func (s *Store) Hosts(ctx context.Context, f HostFilter) ([]Host, error) {
	if err := s.freshBeats(ctx); err != nil {
		return nil, err
	}
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
		w.and(`name LIKE ? ESCAPE '\'`, "%"+likeEscaper.Replace(strings.ToLower(f.Contains))+"%")
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

// One statement sees one state of the fleet. Each part of it has an index of its own.
const countFleet = `SELECT 'status ' || status, COUNT(*) FROM hosts WHERE revoked = 0 GROUP BY status
	UNION ALL SELECT 'revoked', COUNT(*) FROM hosts WHERE revoked <> 0
	UNION ALL SELECT 'mismatch', COUNT(*) FROM hosts WHERE mismatch = 1 AND revoked = 0
	UNION ALL SELECT 'problem', COUNT(*) FROM hosts WHERE problem <> '' AND revoked = 0`

// FleetCounts counts hosts by how they stand.
func (s *Store) FleetCounts(ctx context.Context) (FleetCounts, error) {
	rows, err := s.r.QueryContext(ctx, countFleet)
	counted, err := tally(rows, err)
	if err != nil {
		return FleetCounts{}, fmt.Errorf("cannot count hosts: %w", err)
	}
	counts := FleetCounts{Revoked: counted["revoked"], Mismatch: counted["mismatch"], Problems: counted["problem"]}
	counts.Status = map[policies.Status]int{}
	for key, n := range counted {
		if status, ok := strings.CutPrefix(key, "status "); ok {
			counts.Status[policies.Status(status)] = n
			counts.Total += n
		}
	}
	return counts, nil
}

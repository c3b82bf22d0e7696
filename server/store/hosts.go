package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumb/policies"
)

// Hosts returns the selected hosts by name.
func (s *Store) Hosts(ctx context.Context, f HostFilter) ([]Host, error) {
	if err := s.freshBeats(ctx); err != nil {
		return nil, err
	}
	w := f.where()
	if err := s.labelled(ctx, w, f.Labels); err != nil {
		return nil, fmt.Errorf("cannot list hosts: %w", err)
	}
	rows, err := s.r.QueryContext(ctx, `SELECT `+hostColumns+` FROM `+hostRows+w.String()+` ORDER BY name`+limit(f.Limit, allHosts), w.args...)
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
	return w
}

// fewHosts is of how many hosts it is quicker to look up each, and to sort them, than to go through
// all hosts by name until a page is full.
const fewHosts = 2000

// labelled adds a condition for each label. Only a rare one is told to lead to its hosts.
func (s *Store) labelled(ctx context.Context, w *where, labels map[string]string) error {
	rare, err := s.rareLabel(ctx, labels)
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		condition := `EXISTS (SELECT 1 FROM host_labels l WHERE l.label = ? AND l.value = ? AND l.host = hosts.id)`
		if label == rare {
			condition = `id IN (SELECT l.host FROM host_labels l WHERE l.label = ? AND l.value = ?)`
		}
		w.and(condition, label, labels[label])
	}
	return err
}

// rareLabel is the label that the fewest hosts have, empty where more than a few have each.
func (s *Store) rareLabel(ctx context.Context, labels map[string]string) (rare string, err error) {
	fewest := fewHosts + 1
	for label, value := range labels {
		n := 0
		err := s.r.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM host_labels WHERE label = $1 AND value = $2`+limit(fewest, 0)+`) few`, label, value).Scan(&n)
		if err != nil {
			return "", err
		}
		if n < fewest {
			rare, fewest = label, n
		}
	}
	return rare, nil
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// One statement sees one state of the fleet. Each part of it has an index of its own; the last two do not
// select by revoked, or SQLite would walk through all hosts that are not.
const countFleet = `SELECT 'status ' || status, COUNT(*) FROM hosts WHERE revoked = 0 GROUP BY status
	UNION ALL SELECT 'revoked', COUNT(*) FROM hosts WHERE revoked <> 0
	UNION ALL SELECT 'mismatch', COUNT(CASE revoked WHEN 0 THEN 1 END) FROM hosts WHERE mismatch = 1
	UNION ALL SELECT 'problem', COUNT(CASE revoked WHEN 0 THEN 1 END) FROM hosts WHERE problem <> ''`

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

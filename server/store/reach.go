package store

import (
	"context"
	"fmt"

	"plumb/policies"
)

// Reach says how far a release came.
type Reach struct {
	// Hosts counts the hosts whose newest report is of this release.
	Hosts int
	// Events counts, for each kind of event that is the release's own doing, the hosts that had one.
	Events map[string]int
}

// Reach returns how far a release came.
func (s *Store) Reach(ctx context.Context, release uint64) (Reach, error) {
	r := Reach{Events: map[string]int{}}
	const hosts = `SELECT COUNT(*) FROM hosts WHERE release = $1 AND revoked = 0`
	if err := s.r.QueryRowContext(ctx, hosts, int64(release)).Scan(&r.Hosts); err != nil {
		return r, fmt.Errorf("cannot count the hosts of release %d: %w", release, err)
	}
	const events = `SELECT kind, COUNT(DISTINCT host) FROM events WHERE release = $1 AND cause <> $2 GROUP BY kind`
	rows, err := s.r.QueryContext(ctx, events, int64(release), string(policies.Corrective))
	if err != nil {
		return r, fmt.Errorf("cannot count the events of release %d: %w", release, err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var n int
		if err := rows.Scan(&kind, &n); err != nil {
			return r, fmt.Errorf("cannot count the events of release %d: %w", release, err)
		}
		r.Events[kind] = n
	}
	return r, rows.Err()
}

// RepairsByCause counts, for each cause, the repairs that were made while a release was in force.
func (s *Store) RepairsByCause(ctx context.Context, release uint64) (map[policies.Cause]int, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT cause, COUNT(*) FROM events WHERE release = $1 AND kind = $2 GROUP BY cause`, int64(release), EventRepaired)
	counts, err := tally(rows, err)
	if err != nil {
		return nil, fmt.Errorf("cannot count the repairs of release %d: %w", release, err)
	}
	causes := map[policies.Cause]int{}
	for cause, n := range counts {
		causes[policies.Cause(cause)] = n
	}
	return causes, nil
}

// AddressReach counts the hosts on which a release had one kind of event of one resource.
type AddressReach struct {
	Address, Kind string
	Hosts         int
}

// ReachByAddress counts what a release did by itself, resource by resource: what it changed and
// what it could not.
func (s *Store) ReachByAddress(ctx context.Context, release uint64) ([]AddressReach, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT address, kind, COUNT(DISTINCT host) FROM events
		WHERE release = $1 AND kind IN ('repaired', 'failed') AND cause <> $2 GROUP BY address, kind`, int64(release), string(policies.Corrective))
	all, err := list(rows, err, func(scan func(...any) error) (r AddressReach, err error) {
		return r, scan(&r.Address, &r.Kind, &r.Hosts)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot count what release %d did: %w", release, err)
	}
	return all, nil
}

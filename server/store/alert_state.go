package store

import (
	"context"
	"fmt"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// Troubled is a host that may be worth an alert.
type Troubled struct {
	ID       inventory.HostID
	Name     string
	LastSeen time.Time
	// Silent, Mismatch and Problem are as in Host.
	Silent   bool
	Mismatch bool
	Problem  string
	Release  uint64
}

// TroubledHosts returns the hosts that are silent, compiled another catalog, or refused a release.
func (s *Store) TroubledHosts(ctx context.Context) ([]Troubled, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT id, name, last_seen, status, mismatch, problem, release FROM `+hostRows+`
		WHERE revoked = 0 AND (status = $1 OR mismatch = 1 OR problem <> '') ORDER BY name`, string(policies.Stale))
	all, err := list(rows, err, func(scan func(...any) error) (t Troubled, err error) {
		var seen, mismatch int64
		var status policies.Status
		err = scan(&t.ID, &t.Name, &seen, &status, &mismatch, &t.Problem, &t.Release)
		t.LastSeen, t.Silent, t.Mismatch = at(seen), status == policies.Stale, mismatch == 1
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts in trouble: %w", err)
	}
	return all, nil
}

// Severe says how many findings of one severity a host has.
type Severe struct {
	ID       inventory.HostID
	Name     string
	Severity string
	Count    int
	// First is one of the addresses.
	First string
}

// SevereFindings counts, by host, the critical and high findings that are wrong and not only unknown.
func (s *Store) SevereFindings(ctx context.Context) ([]Severe, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT f.host, h.name, f.severity, COUNT(*), MIN(f.address) FROM findings f JOIN hosts h ON h.id = f.host
		WHERE f.severity IN ('critical', 'high') AND f.status IN ($1, $2) AND h.revoked = 0
		GROUP BY f.host, h.name, f.severity ORDER BY h.name, f.severity`, string(policies.Noncompliant), string(policies.Failed))
	all, err := list(rows, err, func(scan func(...any) error) (v Severe, err error) {
		return v, scan(&v.ID, &v.Name, &v.Severity, &v.Count, &v.First)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot count severe findings: %w", err)
	}
	return all, nil
}

// Flaps is a resource that a host leaves alone because somebody else fights for it.
type Flaps struct {
	ID       inventory.HostID
	Name     string
	Address  string
	Severity string
	Flapping policies.Flapping
}

// FlappingFindings returns what flaps, by host and address.
func (s *Store) FlappingFindings(ctx context.Context) ([]Flaps, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+findingColumns+` FROM findings f JOIN hosts h ON h.id = f.host
		WHERE f.flapping = 1 AND h.revoked = 0 ORDER BY h.name, f.address`)
	all, err := list(rows, err, func(scan func(...any) error) (Flaps, error) {
		f, err := scanFinding(scan)
		if err != nil || f.Flapping == nil {
			return Flaps{}, err
		}
		return Flaps{ID: f.Host, Name: f.HostName, Address: f.Address, Severity: f.Severity, Flapping: *f.Flapping}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list what flaps: %w", err)
	}
	return all, nil
}

// CountFlapping counts what flaps.
func (s *Store) CountFlapping(ctx context.Context) (int, error) {
	var n int
	err := s.r.QueryRowContext(ctx, `SELECT COUNT(*) FROM findings f JOIN hosts h ON h.id = f.host WHERE f.flapping = 1 AND h.revoked = 0`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("cannot count what flaps: %w", err)
	}
	return n, nil
}

// PendingReboots counts the hosts that need a reboot after patching.
func (s *Store) PendingReboots(ctx context.Context) (int, error) {
	var n int
	err := s.r.QueryRowContext(ctx, `SELECT COUNT(DISTINCT p.host) FROM patch_hosts p JOIN hosts h ON h.id = p.host WHERE p.reboot = 1 AND h.revoked = 0`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("cannot count pending reboots: %w", err)
	}
	return n, nil
}

// Size returns how many bytes the database takes.
func (s *Store) Size(ctx context.Context) (int64, error) {
	query := `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	if s.postgres {
		query = `SELECT pg_database_size(current_database())`
	}
	var n int64
	if err := s.r.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("cannot measure the database: %w", err)
	}
	return n, nil
}

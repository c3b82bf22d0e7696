package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"plumb/inventory"
)

// Exposure is a time in which a host lacked the answer to an advisory that was on offer to it.
type Exposure struct {
	Host     inventory.HostID
	Advisory string
	// Since is when the server first saw it so, Until when it no longer did; zero while it does.
	Since, Until time.Time
	// Again is true when the host had the answer before, and lost it.
	Again bool
}

// SetExposed says which advisories each of the hosts lacks the answer to now: what is new opens an
// exposure, what is no longer there ends one. Hosts that are not named stay as they are.
func (s *Store) SetExposed(ctx context.Context, exposed map[inventory.HostID][]string, now time.Time) error {
	return s.write(ctx, "store exposures", func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range slices.Sorted(maps.Keys(exposed)) {
			if err := setExposed(ctx, tx, id, exposed[id], now); err != nil {
				return err
			}
		}
		return nil
	})
}

func setExposed(ctx context.Context, tx *sql.Tx, id inventory.HostID, advisories []string, now time.Time) error {
	rows, err := tx.QueryContext(ctx, `SELECT advisory FROM exposures WHERE host = $1 AND ended = 0`, string(id))
	open, err := list(rows, err, func(scan func(...any) error) (name string, err error) { return name, scan(&name) })
	if err != nil {
		return err
	}
	lacks, before := setOf(advisories), setOf(open)
	for _, name := range open {
		if lacks[name] {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE exposures SET ended = $3 WHERE host = $1 AND advisory = $2 AND ended = 0`, string(id), name, ms(now)); err != nil {
			return err
		}
	}
	for _, name := range advisories {
		if before[name] {
			continue
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO exposures (host, advisory, since, ended) VALUES ($1, $2, $3, 0)
			ON CONFLICT (host, advisory, since) DO UPDATE SET ended = 0`, string(id), name, ms(now)); err != nil {
			return err
		}
	}
	return nil
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Exposures returns the exposures that last, and those that ended at since or later, by host,
// advisory and time. Revoked hosts are left out.
func (s *Store) Exposures(ctx context.Context, since time.Time) ([]Exposure, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT e.host, e.advisory, e.since, e.ended,
		EXISTS (SELECT 1 FROM exposures b WHERE b.host = e.host AND b.advisory = e.advisory AND b.since < e.since)
		FROM exposures e JOIN hosts h ON h.id = e.host WHERE h.revoked = 0 AND (e.ended = 0 OR e.ended >= $1)
		ORDER BY e.host, e.advisory, e.since`, ms(since))
	all, err := list(rows, err, scanExposure)
	if err != nil {
		return nil, fmt.Errorf("cannot list exposures: %w", err)
	}
	return all, nil
}

func scanExposure(scan func(...any) error) (e Exposure, err error) {
	var since, ended int64
	err = scan(&e.Host, &e.Advisory, &since, &ended, &e.Again)
	e.Since, e.Until = at(since), at(ended)
	return e, err
}

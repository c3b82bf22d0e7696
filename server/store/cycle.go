package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Cycle is how far a patch cycle is on its way through the rings of its rollout.
type Cycle struct {
	// Rollout is the name of the block, and Number counts its cycles from 1.
	Rollout string
	Number  uint64
	// Set is the digest of the patch set.
	Set  string
	Made time.Time
	// State is JSON of package rollout.
	State   string
	Updated time.Time
}

const cycleColumns = `rollout, number, patch_set, made, state, updated`

func scanCycle(scan func(...any) error) (Cycle, error) {
	var c Cycle
	var made, updated int64
	err := scan(&c.Rollout, &c.Number, &c.Set, &made, &c.State, &updated)
	c.Made, c.Updated = at(made), at(updated)
	return c, err
}

// SaveCycle stores cycles, new ones or over the old, all of them or none.
func (s *Store) SaveCycle(ctx context.Context, cycles ...Cycle) error {
	return s.write(ctx, "store the patch cycle", func(ctx context.Context, tx *sql.Tx) error {
		for _, c := range cycles {
			_, err := tx.ExecContext(ctx, `INSERT INTO cycles (`+cycleColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (rollout, number) DO UPDATE SET state = excluded.state, updated = excluded.updated`,
				c.Rollout, int64(c.Number), c.Set, ms(c.Made), c.State, ms(c.Updated))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Cycles returns cycles of a rollout with a number below before (0: all), the newest first.
func (s *Store) Cycles(ctx context.Context, rollout string, max int, before uint64) ([]Cycle, error) {
	w := &where{}
	w.and(`rollout = ?`, rollout)
	if before > 0 {
		w.and(`number < ?`, int64(before))
	}
	return s.cycles(ctx, w, `number DESC`, max)
}

// RecentCycles returns cycles of all rollouts, those made last first.
func (s *Store) RecentCycles(ctx context.Context, max int) ([]Cycle, error) {
	return s.cycles(ctx, &where{}, `made DESC, rollout, number DESC`, max)
}

func (s *Store) cycles(ctx context.Context, w *where, order string, max int) ([]Cycle, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+cycleColumns+` FROM cycles`+w.String()+` ORDER BY `+order+limit(max, standardPage), w.args...)
	all, err := list(rows, err, scanCycle)
	if err != nil {
		return nil, fmt.Errorf("cannot list patch cycles: %w", err)
	}
	return all, nil
}

// NewestCycle returns the cycle of a rollout with the highest number: ErrNotFound before the first.
func (s *Store) NewestCycle(ctx context.Context, rollout string) (Cycle, error) {
	row := s.r.QueryRowContext(ctx, `SELECT `+cycleColumns+` FROM cycles WHERE rollout = $1 ORDER BY number DESC LIMIT 1`, rollout)
	c, err := scanCycle(row.Scan)
	if err != nil {
		return Cycle{}, fmt.Errorf("cannot read the newest patch cycle of %s: %w", rollout, found(err))
	}
	return c, nil
}

// CycleRollouts names the rollouts that ever had a cycle, sorted.
func (s *Store) CycleRollouts(ctx context.Context) ([]string, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT DISTINCT rollout FROM cycles ORDER BY rollout`)
	names, err := list(rows, err, func(scan func(...any) error) (name string, err error) { return name, scan(&name) })
	if err != nil {
		return nil, fmt.Errorf("cannot list rollouts with patch cycles: %w", err)
	}
	return names, nil
}

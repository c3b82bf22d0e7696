package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Rollout is how far a release is on its way through the rings.
type Rollout struct {
	Release uint64
	// State is JSON of package rollout.
	State   string
	Updated time.Time
}

func scanRollout(scan func(...any) error) (Rollout, error) {
	var r Rollout
	var updated int64
	err := scan(&r.Release, &r.State, &updated)
	r.Updated = at(updated)
	return r, err
}

// PutRollouts stores rollouts, new ones or over the old, all of them or none.
func (s *Store) PutRollouts(ctx context.Context, rollouts ...Rollout) error {
	return s.write(ctx, "store the rollout", func(ctx context.Context, tx *sql.Tx) error {
		for _, r := range rollouts {
			_, err := tx.ExecContext(ctx, `INSERT INTO rollouts (release, state, updated) VALUES ($1, $2, $3)
				ON CONFLICT (release) DO UPDATE SET state = excluded.state, updated = excluded.updated`,
				int64(r.Release), r.State, ms(r.Updated))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Rollouts returns rollouts of releases with a number below before (0: all), the newest first.
func (s *Store) Rollouts(ctx context.Context, max int, before uint64) ([]Rollout, error) {
	w := &where{}
	if before > 0 {
		w.and(`release < ?`, int64(before))
	}
	rows, err := s.r.QueryContext(ctx, `SELECT release, state, updated FROM rollouts`+w.String()+` ORDER BY release DESC`+limit(max, standardPage), w.args...)
	all, err := list(rows, err, scanRollout)
	if err != nil {
		return nil, fmt.Errorf("cannot list rollouts: %w", err)
	}
	return all, nil
}

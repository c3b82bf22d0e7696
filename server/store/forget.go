package store

import (
	"context"
	"database/sql"
	"time"
)

// wantLife is how long a host may take to send what it was asked for; after that it is asked again.
const wantLife = 24 * time.Hour

// Forget removes what has run out at now: codes, links and sessions, and what hosts were asked
// for but never sent. Nothing that is history is ever removed here.
func (s *Store) Forget(ctx context.Context, now time.Time) error {
	return s.write(ctx, "forget what has run out", func(ctx context.Context, tx *sql.Tx) error {
		for query, before := range map[string]time.Time{
			`DELETE FROM sign_ins WHERE expires <= $1`:      now,
			`DELETE FROM sessions WHERE expires <= $1`:      now,
			`DELETE FROM account_links WHERE expires <= $1`: now,
			`DELETE FROM wants WHERE asked <= $1`:           now.Add(-wantLife),
		} {
			if _, err := tx.ExecContext(ctx, query, ms(before)); err != nil {
				return err
			}
		}
		return nil
	})
}

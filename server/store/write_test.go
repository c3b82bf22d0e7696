package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// TestWritersShareACommit has writers fail among others that do not: each gets its own outcome.
func TestWritersShareACommit(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		wrong := errors.New("wrong")
		var wg sync.WaitGroup
		errs := make([]error, 60)
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.write(ctx, "try", func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ($1, '')`, fmt.Sprint(i))
					switch {
					case err != nil:
						return err
					case i%3 == 1: // its own mind
						return wrong
					case i%3 == 2: // the database's
						_, err = tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ($1, '')`, fmt.Sprint(i))
						return err
					}
					return nil
				})
			})
		}
		wg.Wait()
		for i, err := range errs {
			_, missing := s.Setting(ctx, fmt.Sprint(i))
			if (i%3 == 0) != (err == nil) || (i%3 == 1) != errors.Is(err, wrong) {
				t.Errorf("writer %d got error %v", i, err)
			}
			if (err == nil) != (missing == nil) {
				t.Errorf("writer %d got error %v, but reading what it wrote gives %v", i, err, missing)
			}
		}
	})
}

func TestWriteAfterCancelDoesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantErr(t, s.SetSetting(ctx, "a", "1"), context.Canceled)
		_, err := s.Setting(t.Context(), "a")
		wantErr(t, err, ErrNotFound)
	})
}

// TestWriterWhoseCallerLeaves cancels while the work is under way; the others are not harmed.
func TestWriterWhoseCallerLeaves(t *testing.T) {
	s := open(t, t.TempDir()+"/plumb.db")
	ctx, cancel := context.WithCancel(t.Context())
	must(t, s.write(ctx, "try", func(ctx context.Context, tx *sql.Tx) error {
		cancel()
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ('a', '1')`)
		return err
	}))
	got, err := s.Setting(t.Context(), "a")
	must(t, err)
	same(t, "setting", got, "1")
}

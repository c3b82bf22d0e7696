package store

import (
	"context"
	"errors"
	"fmt"
)

// ErrDamaged means that the database is not as it was written.
var ErrDamaged = errors.New("the database is damaged: stop the server and restore a backup")

// Check reads the whole database and looks whether its pages and rows are well formed. It finds
// damage to the structure, and not a value that became another one. It is for SQLite: PostgreSQL has
// checksums of its own.
func (s *Store) Check(ctx context.Context) error {
	if s.postgres {
		return nil
	}
	var first string
	if err := s.r.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&first); err != nil {
		if ctx.Err() != nil {
			return ctx.Err() // whoever stops the look learns nothing
		}
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if first != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, first)
	}
	return nil
}

package store

import (
	"context"
	"errors"
	"fmt"

	"plumb/server/store/pagesum"
)

// sealSQLite gives a database of an older Plumb the sums of its pages.
func sealSQLite(ctx context.Context, path string) error {
	err := pagesum.Seal(ctx, path)
	if errors.Is(err, pagesum.ErrHeader) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// Unsealed returns how many bytes Open will write anew, because an older Plumb made the database without sums of its pages.
func Unsealed(path string) int64 {
	n, err := pagesum.Plain(path)
	if err != nil {
		return 0 // Open will tell
	}
	return n
}

// Damage tells of the first page that was read and is not as it was written. Whoever asked for it got an error; what else is damaged
// nobody knows. It is for SQLite.
func (s *Store) Damage() <-chan error { return s.damage }

func (s *Store) noteFault(fault pagesum.Fault) {
	select {
	case s.damage <- fmt.Errorf("%w: %w", ErrDamaged, fault):
	default:
	}
}

// orDamage returns the damage in place of what SQLite says of it.
func (s *Store) orDamage(err error) error {
	select {
	case damage := <-s.damage:
		return damage
	default:
		return err
	}
}

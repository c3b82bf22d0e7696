package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// CreateSignIn stores a one-time code.
func (s *Store) CreateSignIn(ctx context.Context, in SignIn) error {
	return s.write(ctx, "store the sign-in code", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sign_ins (hash, role, name, expires) VALUES ($1, $2, $3, $4)`, in.Hash, in.Role, in.Name, ms(in.Expires))
		return conflict(err)
	})
}

// UseSignIn uses a code up and returns whom it is for: ErrNotFound when it is unknown, used or expired.
func (s *Store) UseSignIn(ctx context.Context, hash string, now time.Time) (SignIn, error) {
	in := SignIn{Hash: hash}
	var expires int64
	err := s.write(ctx, "use the sign-in code", func(ctx context.Context, tx *sql.Tx) error {
		row := tx.QueryRowContext(ctx, `DELETE FROM sign_ins WHERE hash = $1 RETURNING role, name, expires`, hash)
		return found(row.Scan(&in.Role, &in.Name, &expires))
	})
	if err != nil {
		return SignIn{}, err
	}
	in.Expires = at(expires)
	if !now.Before(in.Expires) {
		return SignIn{}, fmt.Errorf("cannot use the sign-in code: %w", ErrNotFound)
	}
	return in, nil
}

// CreateSession stores a session.
func (s *Store) CreateSession(ctx context.Context, in Session) error {
	return s.write(ctx, "store the session", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (hash, role, name, expires) VALUES ($1, $2, $3, $4)`, in.Hash, in.Role, in.Name, ms(in.Expires))
		return conflict(err)
	})
}

// Session returns a session: ErrNotFound when it is unknown or expired.
func (s *Store) Session(ctx context.Context, hash string, now time.Time) (Session, error) {
	in := Session{Hash: hash}
	var expires int64
	err := s.r.QueryRowContext(ctx, `SELECT role, name, expires FROM sessions WHERE hash = $1 AND expires > $2`, hash, ms(now)).Scan(&in.Role, &in.Name, &expires)
	if err != nil {
		return Session{}, fmt.Errorf("cannot read the session: %w", found(err))
	}
	in.Expires = at(expires)
	return in, nil
}

// DeleteSession ends a session; one that is not there has ended already.
func (s *Store) DeleteSession(ctx context.Context, hash string) error {
	return s.write(ctx, "end the session", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE hash = $1`, hash)
		return err
	})
}

// Setting returns a setting: ErrNotFound when it was never set.
func (s *Store) Setting(ctx context.Context, key string) (string, error) {
	var value string
	err := s.r.QueryRowContext(ctx, `SELECT value FROM settings WHERE key = $1`, key).Scan(&value)
	if err != nil {
		return "", fmt.Errorf("cannot read the setting %s: %w", key, found(err))
	}
	return value, nil
}

// SetSetting stores a setting.
func (s *Store) SetSetting(ctx context.Context, key, value string) error {
	return s.write(ctx, "store the setting "+key, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
		return err
	})
}

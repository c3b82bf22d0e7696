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

const sessionColumns = `hash, role, name, account, browser, created, expires`

func scanSession(scan func(...any) error) (Session, error) {
	var in Session
	var created, expires int64
	err := scan(&in.Hash, &in.Role, &in.Name, &in.Account, &in.Browser, &created, &expires)
	in.Created, in.Expires = at(created), at(expires)
	return in, err
}

func insertSession(ctx context.Context, tx *sql.Tx, in Session) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO sessions (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		in.Hash, in.Role, in.Name, in.Account, in.Browser, ms(in.Created), ms(in.Expires))
	return conflict(err)
}

// CreateSession stores a session that has no account; [Store.OpenSession] is for those that have one.
func (s *Store) CreateSession(ctx context.Context, in Session) error {
	return s.write(ctx, "store the session", func(ctx context.Context, tx *sql.Tx) error {
		return insertSession(ctx, tx, in)
	})
}

// Session returns a session: ErrNotFound when it is unknown or expired, or its account is
// disabled or gone.
func (s *Store) Session(ctx context.Context, hash string, now time.Time) (Session, error) {
	in, err := scanSession(s.r.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE hash = $1 AND expires > $2
		AND (account = '' OR account IN (SELECT name FROM accounts WHERE disabled = 0))`, hash, ms(now)).Scan)
	if err != nil {
		return Session{}, fmt.Errorf("cannot read the session: %w", found(err))
	}
	return in, nil
}

// SessionsOf returns the open sessions of the person who has the one session, the newest first.
func (s *Store) SessionsOf(ctx context.Context, one Session, now time.Time) ([]Session, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE account = $1 AND name = $2 AND expires > $3
		ORDER BY created DESC, hash`, one.Account, one.Name, ms(now))
	all, err := list(rows, err, scanSession)
	if err != nil {
		return nil, fmt.Errorf("cannot list sessions: %w", err)
	}
	return all, nil
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

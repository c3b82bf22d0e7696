package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const accountColumns = `name, role, issuer, subject, password, created, created_by, changed, signed_in, disabled`

func scanAccount(scan func(...any) error) (Account, error) {
	var a Account
	var created, changed, signedIn, disabled int64
	err := scan(&a.Name, &a.Role, &a.Issuer, &a.Subject, &a.Password, &created, &a.CreatedBy, &changed, &signedIn, &disabled)
	a.Created, a.Changed, a.SignedIn, a.Disabled = at(created), at(changed), at(signedIn), at(disabled)
	return a, err
}

// AddAccount stores an account: ErrConflict when its name or its subject has one.
func (s *Store) AddAccount(ctx context.Context, a Account) error {
	return s.write(ctx, "store the account", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO accounts (`+accountColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			a.Name, a.Role, a.Issuer, a.Subject, a.Password, ms(a.Created), a.CreatedBy, ms(a.Changed), ms(a.SignedIn), ms(a.Disabled))
		return conflict(err)
	})
}

// Account returns the account of the name.
func (s *Store) Account(ctx context.Context, name string) (Account, error) {
	return s.account(ctx, `name = $1`, name)
}

// AccountBySubject returns the account of a person at a provider.
func (s *Store) AccountBySubject(ctx context.Context, issuer, subject string) (Account, error) {
	return s.account(ctx, `issuer = $1 AND issuer <> '' AND subject = $2`, issuer, subject)
}

func (s *Store) account(ctx context.Context, where string, args ...any) (Account, error) {
	a, err := scanAccount(s.r.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM accounts WHERE `+where, args...).Scan)
	if err != nil {
		return Account{}, fmt.Errorf("cannot read the account: %w", found(err))
	}
	return a, nil
}

// Accounts returns all accounts by name.
func (s *Store) Accounts(ctx context.Context) ([]Account, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+accountColumns+` FROM accounts ORDER BY name`)
	all, err := list(rows, err, scanAccount)
	if err != nil {
		return nil, fmt.Errorf("cannot list accounts: %w", err)
	}
	return all, nil
}

// OpenSession stores a session of an account and notes when it signed in. ErrConflict means that
// the account is not any more what the caller has looked at: its password, its role or its being.
func (s *Store) OpenSession(ctx context.Context, in Session, seen Account) error {
	in.Account = seen.Name
	return s.write(ctx, "store the session", func(ctx context.Context, tx *sql.Tx) error {
		err := exec1(ctx, tx, ErrConflict, `UPDATE accounts SET signed_in = $2
			WHERE name = $1 AND password = $3 AND role = $4 AND issuer = $5 AND subject = $6 AND disabled = 0`,
			seen.Name, ms(in.Created), seen.Password, seen.Role, seen.Issuer, seen.Subject)
		if err != nil {
			return err
		}
		return insertSession(ctx, tx, in)
	})
}

// SetPassword puts a password in the place of the one that the caller has looked at, and ends
// every session of the account but the one to keep. ErrConflict is as with [Store.OpenSession].
func (s *Store) SetPassword(ctx context.Context, seen Account, password, keep string, now time.Time) error {
	return s.write(ctx, "set the password", func(ctx context.Context, tx *sql.Tx) error {
		if err := setPassword(ctx, tx, seen, password, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE account = $1 AND hash <> $2`, seen.Name, keep)
		return err
	})
}

func setPassword(ctx context.Context, tx *sql.Tx, seen Account, password string, now time.Time) error {
	return exec1(ctx, tx, ErrConflict, `UPDATE accounts SET password = $2, changed = $3
		WHERE name = $1 AND password = $4 AND issuer = '' AND disabled = 0`, seen.Name, password, ms(now), seen.Password)
}

// Rehash puts another hash of the same password in the place of the old one. When somebody was
// faster, theirs stays.
func (s *Store) Rehash(ctx context.Context, seen Account, password string) error {
	return s.write(ctx, "store the password's new hash", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE accounts SET password = $2 WHERE name = $1 AND password = $3`, seen.Name, password, seen.Password)
		return err
	})
}

// SetRole gives an account another role. Its sessions end, for they have the old one.
func (s *Store) SetRole(ctx context.Context, name, role string) error {
	return s.endingSessions(ctx, "set the role", name, `UPDATE accounts SET role = $2 WHERE name = $1`, name, role)
}

// DisableAccount keeps a person out at once: their sessions and links end.
func (s *Store) DisableAccount(ctx context.Context, name string, now time.Time) error {
	return s.endingSessions(ctx, "disable the account", name, `UPDATE accounts SET disabled = $2 WHERE name = $1`, name, ms(now))
}

// EnableAccount lets a person in again.
func (s *Store) EnableAccount(ctx context.Context, name string) error {
	return s.endingSessions(ctx, "enable the account", name, `UPDATE accounts SET disabled = 0 WHERE name = $1`, name)
}

// RemoveAccount forgets an account; its sessions and links end.
func (s *Store) RemoveAccount(ctx context.Context, name string) error {
	return s.endingSessions(ctx, "remove the account", name, `DELETE FROM accounts WHERE name = $1`, name)
}

// endingSessions runs a statement that must touch an account, and ends its sessions and links.
func (s *Store) endingSessions(ctx context.Context, what, name, query string, args ...any) error {
	return s.write(ctx, what, func(ctx context.Context, tx *sql.Tx) error {
		if err := exec1(ctx, tx, ErrNotFound, query, args...); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE account = $1`, name); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM account_links WHERE account = $1`, name)
		return err
	})
}

// AddLink stores a link by which the password of an account is set; older ones stop working.
func (s *Store) AddLink(ctx context.Context, account, hash string, expires time.Time) error {
	return s.write(ctx, "store the link", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM account_links WHERE account = $1`, account); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO account_links (hash, account, expires) VALUES ($1, $2, $3)`, hash, account, ms(expires))
		return conflict(err)
	})
}

// AccountByLink returns whose password a link sets: ErrNotFound when it is unknown, used or expired.
func (s *Store) AccountByLink(ctx context.Context, hash string, now time.Time) (Account, error) {
	return s.account(ctx, `disabled = 0 AND name = (SELECT account FROM account_links WHERE hash = $1 AND expires > $2)`, hash, ms(now))
}

// UseLink uses a link up and sets the password; every session of the account ends.
// ErrNotFound means that the link is unknown, used or expired.
func (s *Store) UseLink(ctx context.Context, hash string, seen Account, password string, now time.Time) error {
	return s.write(ctx, "use the link", func(ctx context.Context, tx *sql.Tx) error {
		err := exec1(ctx, tx, ErrNotFound, `DELETE FROM account_links WHERE hash = $1 AND account = $2 AND expires > $3`, hash, seen.Name, ms(now))
		if err != nil {
			return err
		}
		if err := setPassword(ctx, tx, seen, password, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE account = $1`, seen.Name)
		return err
	})
}

// EndSession ends one of a person's sessions, named by the beginning of its hash.
func (s *Store) EndSession(ctx context.Context, of Session, prefix string) error {
	if len(prefix) < SessionPrefix {
		return fmt.Errorf("cannot end the session: %w", ErrNotFound)
	}
	return s.write(ctx, "end the session", func(ctx context.Context, tx *sql.Tx) error {
		return exec1(ctx, tx, ErrNotFound, `DELETE FROM sessions WHERE account = $1 AND name = $2 AND substr(hash, 1, $3) = $4`,
			of.Account, of.Name, len(prefix), prefix)
	})
}

// SessionPrefix is how many characters of its hash name a session.
const SessionPrefix = 16

// SecretSetting returns a setting that is made up at its first use and is the same for all
// servers on one database.
func (s *Store) SecretSetting(ctx context.Context, key string, makeUp func() string) (string, error) {
	value, err := s.Setting(ctx, key)
	if !errors.Is(err, ErrNotFound) {
		return value, err
	}
	err = s.write(ctx, "store the setting "+key, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING`, key, makeUp())
		return err
	})
	if err != nil {
		return "", err
	}
	return s.Setting(ctx, key)
}

// HasLocalAccounts tells whether there is any account with a password.
func (s *Store) HasLocalAccounts(ctx context.Context) (bool, error) {
	var n int
	err := s.r.QueryRowContext(ctx, `SELECT COUNT(*) FROM accounts WHERE issuer = ''`).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("cannot count accounts: %w", err)
	}
	return n > 0, nil
}

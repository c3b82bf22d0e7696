package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"plumb/inventory"
)

const tokenColumns = `id, hash, role, name, labels, created, expires, used, used_by, created_by, revoked`

func scanToken(scan func(...any) error) (Token, error) {
	var t Token
	var labels string
	var created, expires, used, revoked int64
	err := scan(&t.ID, &t.Hash, &t.Role, &t.Name, &labels, &created, &expires, &used, &t.UsedBy, &t.CreatedBy, &revoked)
	if err != nil {
		return Token{}, err
	}
	t.Created, t.Expires, t.Used, t.Revoked = at(created), at(expires), at(used), at(revoked)
	t.Labels = map[string]string{}
	return t, decode(labels, &t.Labels)
}

// CreateToken stores a token: ErrConflict when its ID or hash is there already.
func (s *Store) CreateToken(ctx context.Context, t Token) error {
	if t.Labels == nil {
		t.Labels = map[string]string{}
	}
	return s.write(ctx, "store the token", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tokens (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			t.ID, t.Hash, t.Role, t.Name, encode(t.Labels), ms(t.Created), ms(t.Expires), ms(t.Used), t.UsedBy, t.CreatedBy, ms(t.Revoked))
		return conflict(err)
	})
}

// conflict turns a key that is taken into ErrConflict.
func conflict(err error) error {
	if isTaken(err) {
		return ErrConflict
	}
	return err
}

// TokenByHash returns the token whose secret has the SHA-256, whatever its state.
func (s *Store) TokenByHash(ctx context.Context, hash string) (Token, error) {
	t, err := scanToken(s.r.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE hash = $1`, hash).Scan)
	if err != nil {
		return Token{}, fmt.Errorf("cannot read the token: %w", found(err))
	}
	return t, nil
}

// Tokens returns all tokens, the newest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+tokenColumns+` FROM tokens ORDER BY created DESC, id`)
	all, err := list(rows, err, scanToken)
	if err != nil {
		return nil, fmt.Errorf("cannot list tokens: %w", err)
	}
	return all, nil
}

// RevokeToken makes a token useless: ErrNotFound when there is none that is not revoked yet.
func (s *Store) RevokeToken(ctx context.Context, id string, now time.Time) error {
	return s.write(ctx, "revoke the token", func(ctx context.Context, tx *sql.Tx) error {
		return exec1(ctx, tx, ErrNotFound, `UPDATE tokens SET revoked = $2 WHERE id = $1 AND revoked = 0`, id, ms(now))
	})
}

// Usable tells why a token is no good at now: ErrTokenUsed, ErrTokenExpired or nil.
func (t Token) Usable(now time.Time) error {
	if !t.Revoked.IsZero() || (!t.Expires.IsZero() && !now.Before(t.Expires)) {
		return ErrTokenExpired
	}
	if !t.Used.IsZero() {
		return ErrTokenUsed
	}
	return nil
}

// useToken uses an enrolment token up. The condition of the UPDATE lets one of two callers win.
func useToken(ctx context.Context, tx *sql.Tx, hash string, id inventory.HostID, now time.Time) error {
	err := exec1(ctx, tx, ErrNotFound, `UPDATE tokens SET used = $2, used_by = $3
		WHERE hash = $1 AND role = '' AND used = 0 AND revoked = 0 AND (expires = 0 OR expires > $2)`, hash, ms(now), string(id))
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	t, err := scanToken(tx.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE hash = $1 AND role = ''`, hash).Scan)
	if err != nil {
		return found(err)
	}
	if err := t.Usable(now); err != nil {
		return err
	}
	return ErrTokenUsed
}

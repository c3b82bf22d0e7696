package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Unverified returns hosts whose catalog was not yet compared with an expected one since
// release, facts or catalog changed.
func (s *Store) Unverified(ctx context.Context, max int) ([]Host, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+hostColumns+` FROM hosts WHERE verified = 0 ORDER BY id`+limit(max, allHosts))
	hosts, err := list(rows, err, scanHost)
	if err != nil {
		return nil, fmt.Errorf("cannot look for hosts to verify: %w", err)
	}
	return hosts, nil
}

// SetExpected stores the digest of the catalog that the server compiled for the host as the
// caller read it, empty when it could not, and adds an event when that shows a new mismatch.
// ErrConflict means that the host has moved on since.
func (s *Store) SetExpected(ctx context.Context, h Host, expected string, now time.Time) error {
	mismatch := expected != "" && expected != h.Catalog
	return s.write(ctx, "store the expected catalog", func(ctx context.Context, tx *sql.Tx) error {
		touch(ctx, h.ID)
		err := exec1(ctx, tx, ErrConflict, `UPDATE hosts SET expected = $2, mismatch = $3, verified = 1
			WHERE id = $1 AND release = $4 AND facts = $5 AND catalog = $6 AND mismatch = $7 AND revoked = 0`,
			string(h.ID), expected, bit(mismatch), int64(h.Release), h.Facts, h.Catalog, bit(h.Mismatch))
		if err != nil || !mismatch || h.Mismatch {
			return err
		}
		return insertEvent(ctx, tx, Event{Host: h.ID, At: now, Kind: EventMismatch, Seq: h.Seq, Release: h.Release, Commit: h.Commit,
			Message: fmt.Sprintf("the host compiled catalog %s, the server %s", h.Catalog, expected)})
	})
}

package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Unverified returns hosts whose catalog was not yet compared with an expected one since
// release, facts or catalog changed.
func (s *Store) Unverified(ctx context.Context, max int) ([]Host, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+hostColumns+` FROM `+hostRows+` WHERE verified = 0 ORDER BY id`+limit(max, allHosts))
	hosts, err := list(rows, err, scanHost)
	if err != nil {
		return nil, fmt.Errorf("cannot look for hosts to verify: %w", err)
	}
	return hosts, nil
}

// SameInput tells whether what was verified of the host still holds as it stands later.
func (h Host) SameInput(later Host) bool {
	return h.Release == later.Release && h.Facts == later.Facts && h.Catalog == later.Catalog
}

// Expectation is the digest of the catalog that the server compiled for a host as it was read, empty
// when it could not.
type Expectation struct {
	Host    Host
	Catalog string
}

func (e Expectation) mismatch() bool { return e.Catalog != "" && e.Catalog != e.Host.Catalog }

// SetExpected stores what the server compiled for hosts, and adds an event for each that shows a new
// mismatch. Hosts that have moved on since are passed over: they are not verified.
func (s *Store) SetExpected(ctx context.Context, list []Expectation, now time.Time) error {
	list = slices.SortedFunc(slices.Values(list), func(a, b Expectation) int { return cmp.Compare(a.Host.ID, b.Host.ID) }) // all who lock many hosts do it in this order
	return s.write(ctx, "store expected catalogs", func(ctx context.Context, tx *sql.Tx) error {
		for _, e := range list {
			if err := setExpected(ctx, tx, e, now); err != nil && !errors.Is(err, ErrConflict) {
				return err
			}
		}
		return nil
	})
}

func setExpected(ctx context.Context, tx *sql.Tx, e Expectation, now time.Time) error {
	h := e.Host
	touch(ctx, h.ID)
	err := exec1(ctx, tx, ErrConflict, `UPDATE hosts SET expected = $2, mismatch = $3, verified = 1
		WHERE id = $1 AND release = $4 AND facts = $5 AND catalog = $6 AND mismatch = $7 AND revoked = 0`,
		string(h.ID), e.Catalog, bit(e.mismatch()), int64(h.Release), h.Facts, h.Catalog, bit(h.Mismatch))
	if err != nil || !e.mismatch() || h.Mismatch {
		return err
	}
	return insertEvent(ctx, tx, Event{Host: h.ID, At: now, Kind: EventMismatch, Seq: h.Seq, Release: h.Release, Commit: h.Commit,
		Message: fmt.Sprintf("the host compiled catalog %s, the server %s", h.Catalog, e.Catalog)})
}

package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumb/policies/patch"
)

// Advisory is an advisory and when the server first knew of it.
type Advisory struct {
	patch.Advisory
	FirstSeen time.Time
}

// AdvisoryFilter selects advisories, the newest first. Zero fields select all.
type AdvisoryFilter struct {
	// Packages are source packages of which one has to be affected.
	Packages []string
	// IDs are names of advisories, of which it has to have one.
	IDs      []string
	Severity string
	// Exploited selects only what is known to be exploited.
	Exploited bool
	// Limit is the most to return, 0 for all.
	Limit int
}

// advisoryBatch bounds how long an import keeps others from writing.
const advisoryBatch = 500

// PutAdvisories stores advisories. One that was there before is replaced; the time at which it
// was first known stays.
func (s *Store) PutAdvisories(ctx context.Context, all []patch.Advisory, now time.Time) error {
	for some := range slices.Chunk(all, advisoryBatch) {
		err := s.write(ctx, "store advisories", func(ctx context.Context, tx *sql.Tx) error {
			for _, a := range some {
				if err := putAdvisory(ctx, tx, a, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func putAdvisory(ctx context.Context, tx *sql.Tx, a patch.Advisory, now time.Time) error {
	if t := transactionOf(ctx); t != nil {
		t.advised = true
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO advisories (id, feed, severity, exploited, published, first_seen, content)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET feed = excluded.feed, severity = excluded.severity,
		exploited = excluded.exploited, published = excluded.published, content = excluded.content`,
		a.ID, a.Feed, a.Severity, bit(a.Exploited), ms(a.Published), ms(now), encode(a))
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM advisory_packages WHERE advisory = $1`, a.ID); err != nil {
		return err
	}
	for _, one := range a.Affected {
		_, err := tx.ExecContext(ctx, `INSERT INTO advisory_packages (package, advisory) VALUES ($1, $2)
			ON CONFLICT (package, advisory) DO NOTHING`, one.Package, a.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

// noteAdvisories takes in what hosts tell of advisories. It only ever adds: what another host told
// of the same one stays, and what a person imported is left alone.
func noteAdvisories(ctx context.Context, tx *sql.Tx, all []Advisory) error {
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b Advisory) int { return cmp.Compare(a.ID, b.ID) })
	for _, a := range sorted { // all writers go in the same order, so that no two wait for each other
		var content string
		err := tx.QueryRowContext(ctx, `SELECT content FROM advisories WHERE id = $1`, a.ID).Scan(&content)
		if errors.Is(found(err), ErrNotFound) {
			err = putAdvisory(ctx, tx, a.Advisory, a.FirstSeen)
		} else if err == nil {
			err = widenAdvisory(ctx, tx, content, a.Advisory, a.FirstSeen)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mostAffected bounds what the hosts of a fleet can say that one advisory concerns.
const mostAffected = 2_000

// widenAdvisory adds what an advisory concerns to the stored one.
func widenAdvisory(ctx context.Context, tx *sql.Tx, content string, a patch.Advisory, now time.Time) error {
	var stored patch.Advisory
	if err := decode(content, &stored); err != nil {
		return err
	}
	known := len(stored.Affected)
	for _, one := range a.Affected {
		if len(stored.Affected) < mostAffected && !slices.Contains(stored.Affected, one) {
			stored.Affected = append(stored.Affected, one)
		}
	}
	if stored.Feed != a.Feed || len(stored.Affected) == known {
		return nil
	}
	return putAdvisory(ctx, tx, stored, now)
}

func scanAdvisory(scan func(...any) error) (a Advisory, err error) {
	var seen int64
	var content string
	if err := scan(&seen, &content); err != nil {
		return a, err
	}
	a.FirstSeen = at(seen)
	return a, decode(content, &a.Advisory)
}

// packagesAtOnce keeps a statement well below the number of arguments that databases take.
const packagesAtOnce = 500

// Advisories returns advisories, the newest first. Nobody may write what they consist of: others have it, too.
func (s *Store) Advisories(ctx context.Context, f AdvisoryFilter) ([]Advisory, error) {
	if all, has, err := s.advised(ctx); err != nil || has {
		return f.among(all), err
	}
	if len(f.Packages) <= packagesAtOnce {
		return s.advisories(ctx, f)
	}
	all, seen := []Advisory{}, map[string]bool{}
	for packages := range slices.Chunk(f.Packages, packagesAtOnce) {
		f.Packages = packages
		some, err := s.advisories(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, a := range some {
			if !seen[a.ID] {
				all, seen[a.ID] = append(all, a), true
			}
		}
	}
	return all, nil
}

func (s *Store) advisories(ctx context.Context, f AdvisoryFilter) ([]Advisory, error) {
	w := &where{}
	if f.Severity != "" {
		w.and(`severity = ?`, f.Severity)
	}
	if f.Exploited {
		w.and(`exploited = 1`)
	}
	in(w, `id`, f.IDs)
	if len(f.Packages) > 0 {
		inner := &where{args: w.args}
		in(inner, `package`, f.Packages)
		w.args = inner.args
		w.conditions = append(w.conditions, `id IN (SELECT advisory FROM advisory_packages`+inner.String()+`)`)
	}
	rows, err := s.r.QueryContext(ctx, `SELECT first_seen, content FROM advisories`+w.String()+` ORDER BY published DESC, id`+limit(f.Limit, 1_000_000), w.args...)
	all, err := list(rows, err, scanAdvisory)
	if err != nil {
		return nil, fmt.Errorf("cannot list advisories: %w", err)
	}
	return all, nil
}

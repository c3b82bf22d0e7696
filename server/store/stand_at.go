package store

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
)

const (
	// foundIn joins to an interval i whose run found nothing the one f before it: what was found there is left as it is.
	foundIn = ` LEFT JOIN intervals f ON f.id = CASE WHEN i.catalog = '' THEN (SELECT b.id FROM intervals b WHERE b.host = i.host AND b.catalog <> '' AND b.since <= i.since AND b.id <= i.id
				ORDER BY b.since DESC, b.id DESC LIMIT 1) END`
	// foundColumns are the catalog and the result in which an interval stands.
	foundColumns = `COALESCE(f.catalog, i.catalog, ''), COALESCE(f.result, i.result, '')`
	// enrolledAt selects the hosts h that were enrolled at $1.
	enrolledAt = `h.enrolled <= $1 AND (h.revoked = 0 OR h.revoked > $1)`
	// stoodAt joins to them how they stood.
	stoodAt = ` FROM hosts h LEFT JOIN intervals i ON i.host = h.id AND ` + lasts + foundIn + ` WHERE ` + enrolledAt
)

// StandsAt returns how hosts stood at an instant, by name, from after a name on; at most max of them.
func (s *Store) StandsAt(ctx context.Context, t time.Time, after string, max int) ([]Stand, error) {
	// The hosts of the page are picked before anything is looked up for them.
	page := `(SELECT h.id, h.name FROM hosts h WHERE ` + enrolledAt + ` AND h.name > $2 ORDER BY h.name, h.id` + limit(max, standardPage) + `)`
	rows, err := s.r.QueryContext(ctx, `SELECT p.id, p.name, `+foundColumns+`, COALESCE(i.status, '') FROM `+page+` p
		LEFT JOIN intervals i ON i.host = p.id AND `+lasts+foundIn+` ORDER BY p.name, p.id`, ms(t), after)
	all, err := list(rows, err, func(scan func(...any) error) (one Stand, err error) {
		err = scan(&one.ID, &one.Name, &one.Catalog, &one.Result, &one.Status)
		return one, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list how hosts stood at %s: %w", t.Format(time.RFC3339), err)
	}
	return all, nil
}

// Stood is how hosts stood from one instant until another, by digests.
type Stood struct {
	Since, Until    time.Time // Until is zero for what lasts
	Catalog, Result string
	Silent          bool
}

// StoodOver tells of each time a host stood alike when a day began: what lasted at no midnight, in UTC, from
// the first instant to the last is left out, for there are many short ones. What nothing was found in
// stands with what was found before.
func (s *Store) StoodOver(ctx context.Context, first, last time.Time, each func(Stood)) error {
	const day = `86400000`
	rows, err := s.r.QueryContext(ctx, `SELECT i.since, i.until, `+foundColumns+`, i.status FROM intervals i`+foundIn+`
		WHERE i.since <= $1 AND (i.until = 0 OR i.until > $2 AND (i.since + `+day+` - 1) / `+day+` < (i.until + `+day+` - 1) / `+day+`)`, ms(last), ms(first))
	err = walk(rows, err, func(scan func(...any) error) error {
		var one Stood
		var since, until int64
		var status policies.Status
		if err := scan(&since, &until, &one.Catalog, &one.Result, &status); err != nil {
			return err
		}
		one.Since, one.Until, one.Silent = at(since), at(until), status == policies.Stale
		each(one)
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot tell how hosts stood from %s on: %w", first.Format(time.RFC3339), err)
	}
	return nil
}

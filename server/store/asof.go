package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// Past is how the fleet stood at an instant. Nothing of it changes when later rows are added, but
// for reports that were under way at that instant.
type Past struct {
	// Total counts the hosts that were enrolled, Revoked those that had been.
	Total, Revoked int
	// Status counts hosts by status, Problems those whose newest run was refused or did not compile.
	Status   map[policies.Status]int
	Problems int
	// Alike groups the hosts by what they should be and what was found, by digests. Those of which
	// nothing was found then stand with what was found before.
	Alike []Alike
}

// Alike counts hosts of the same catalog and result.
type Alike struct {
	Catalog, Result string
	Hosts           int
}

// lasts selects the intervals that lasted at an instant: one for each host that was enrolled.
const lasts = `i.since <= $1 AND (i.until = 0 OR i.until > $1)`

// PastAt returns how the fleet stood at an instant.
func (s *Store) PastAt(ctx context.Context, t time.Time) (Past, error) {
	p := Past{Status: map[policies.Status]int{}, Alike: []Alike{}}
	err := s.r.QueryRowContext(ctx, `SELECT COUNT(CASE WHEN revoked = 0 OR revoked > $1 THEN 1 END), COUNT(CASE WHEN revoked <> 0 AND revoked <= $1 THEN 1 END)
		FROM hosts WHERE enrolled <= $1`, ms(t)).Scan(&p.Total, &p.Revoked)
	if err != nil {
		return p, fmt.Errorf("cannot count the hosts of %s: %w", t.Format(time.RFC3339), err)
	}
	counts := map[Alike]int{}
	err = s.eachStood(ctx, t, func(one stoodRow) {
		if one.status == "" {
			return // nothing of it lasted
		}
		p.Status[one.status]++
		p.Problems += one.problem
		if one.catalog != "" {
			counts[Alike{Catalog: one.catalog, Result: one.result}]++
		}
	})
	if err != nil {
		return p, fmt.Errorf("cannot tell how hosts stood at %s: %w", t.Format(time.RFC3339), err)
	}
	for alike, n := range counts {
		alike.Hosts = n
		p.Alike = append(p.Alike, alike)
	}
	slices.SortFunc(p.Alike, func(a, b Alike) int {
		return cmp.Or(cmp.Compare(a.Catalog, b.Catalog), cmp.Compare(a.Result, b.Result))
	})
	return p, nil
}

// StandingsAt groups the hosts that were enrolled at an instant by how they stood, without a sample. Those that had
// not reported yet stand without a catalog.
func (s *Store) StandingsAt(ctx context.Context, t time.Time) ([]Standing, error) {
	counts, all := map[Standing]int{}, []Standing{}
	err := s.eachStood(ctx, t, func(one stoodRow) {
		counts[Standing{Catalog: one.catalog, Result: one.result, Silent: one.status == policies.Stale}]++
	})
	if err != nil {
		return nil, fmt.Errorf("cannot group hosts by how they stood at %s: %w", t.Format(time.RFC3339), err)
	}
	for one, n := range counts {
		one.Hosts = n
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.Catalog, b.Catalog), cmp.Compare(a.Result, b.Result), int(bit(a.Silent)-bit(b.Silent)))
	})
	return all, nil
}

// stoodRow is how one host stood at an instant; without a status nothing of it lasted.
type stoodRow struct {
	catalog, result string
	status          policies.Status
	problem         int
}

// eachStood calls each with how each host stood that was enrolled at an instant. To group them is not for the database,
// which would sort all of them.
func (s *Store) eachStood(ctx context.Context, t time.Time, each func(stoodRow)) error {
	rows, err := s.r.QueryContext(ctx, `SELECT `+foundColumns+`, COALESCE(i.status, ''), CASE WHEN i.problem <> '' THEN 1 ELSE 0 END`+stoodAt, ms(t))
	return walk(rows, err, func(scan func(...any) error) error {
		var one stoodRow
		err := scan(&one.catalog, &one.result, &one.status, &one.problem)
		if err == nil {
			each(one)
		}
		return err
	})
}

// RollAt calls the hosts that were enrolled at an instant, by name. What no interval tells is left out.
func (s *Store) RollAt(ctx context.Context, t time.Time, each func(Entry)) error {
	rows, err := s.r.QueryContext(ctx, `SELECT h.id, h.name, h.labels, COALESCE(i.status, ''), COALESCE(i.since, 0), COALESCE(i.release, 0), CASE WHEN i.until <> 0 AND i.last_checkin <= $1 THEN i.last_checkin ELSE 0 END,
			0, 0, COALESCE(i.audit, 0), '', COALESCE(i.expired, 0), COALESCE(i.problem, ''), COALESCE(b.os, ''), COALESCE(b.words, ''), '', 0
		FROM hosts h LEFT JOIN intervals i ON i.host = h.id AND `+lasts+` LEFT JOIN briefs b ON b.facts = i.facts
		WHERE h.enrolled <= $1 AND (h.revoked = 0 OR h.revoked > $1) ORDER BY h.name, h.id`, ms(t))
	if err := eachEntry(rows, err, each); err != nil {
		return fmt.Errorf("cannot call the hosts of %s: %w", t.Format(time.RFC3339), err)
	}
	return nil
}

// HostAt returns the host that had the name at an instant, or the one that had it last, and the
// interval that lasted then, or the last one: ErrNotFound when there was none. Fields of the host
// that only its newest report or call tells are as they are now.
func (s *Store) HostAt(ctx context.Context, name string, t time.Time) (Host, Interval, error) {
	h, err := s.host(ctx, `WHERE name = $1 AND enrolled <= $2
		ORDER BY CASE WHEN revoked = 0 OR revoked > $2 THEN 0 ELSE 1 END, revoked DESC LIMIT 1`, name, ms(t))
	if err != nil {
		return Host{}, Interval{}, err
	}
	i, err := scanInterval(s.r.QueryRowContext(ctx, `SELECT `+intervalColumns+` FROM intervals i JOIN beats h ON h.host = i.host
		WHERE i.host = $1 AND i.since <= $2 ORDER BY i.since DESC, i.id DESC LIMIT 1`, string(h.ID), ms(t)).Scan)
	if err != nil {
		return Host{}, Interval{}, fmt.Errorf("cannot read the interval at %s: %w", t.Format(time.RFC3339), found(err))
	}
	return h, i, nil
}

// EventsEnd is the ID of the first event of a host, in order of storing, that happened after an
// instant: what comes before it was known then. It is 0 when there is none.
func (s *Store) EventsEnd(ctx context.Context, id inventory.HostID, t time.Time) (int64, error) {
	var end int64
	err := s.r.QueryRowContext(ctx, `SELECT COALESCE(MIN(id), 0) FROM events WHERE host = $1 AND at > $2`, string(id), ms(t)).Scan(&end)
	if err != nil {
		return 0, fmt.Errorf("cannot find the events of %s: %w", t.Format(time.RFC3339), err)
	}
	return eventID(end, 0), nil
}

// ReleaseAt returns the newest release of an instant: ErrNotFound before the first.
func (s *Store) ReleaseAt(ctx context.Context, t time.Time) (Release, error) {
	r, err := scanRelease(s.r.QueryRowContext(ctx, `SELECT `+releaseColumns+` FROM releases WHERE made <= $1 ORDER BY number DESC LIMIT 1`, ms(t)).Scan)
	if err != nil {
		return Release{}, fmt.Errorf("cannot read the newest release of %s: %w", t.Format(time.RFC3339), found(err))
	}
	return r, nil
}

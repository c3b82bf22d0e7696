package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// The last check-in of the open interval is the host's own: a heartbeat then writes one row.
const intervalColumns = `i.host, i.since, i.until, CASE i.until WHEN 0 THEN h.last_seen ELSE i.last_checkin END,
	i.release, i.commit_id, i.catalog, i.facts, i.result, i.status, i.counts, i.problem, i.audit, i.expired`

func scanInterval(scan func(...any) error) (Interval, error) {
	var i Interval
	var since, until, last, audit, expired int64
	var counts string
	err := scan(&i.Host, &since, &until, &last, &i.Release, &i.Commit, &i.Catalog, &i.Facts, &i.Result, &i.Status, &counts, &i.Problem, &audit, &expired)
	if err != nil {
		return Interval{}, err
	}
	i.Since, i.Until, i.LastCheckIn = at(since), at(until), at(last)
	i.Audit, i.Expired = audit != 0, expired != 0
	i.Counts = map[policies.Status]int{}
	return i, decode(counts, &i.Counts)
}

// Intervals returns the newest intervals of a host, the newest first.
func (s *Store) Intervals(ctx context.Context, id inventory.HostID, max int) ([]Interval, error) {
	if err := s.freshBeats(ctx); err != nil {
		return nil, err
	}
	rows, err := s.r.QueryContext(ctx, `SELECT `+intervalColumns+` FROM intervals i JOIN beats h ON h.host = i.host
		WHERE i.host = $1 ORDER BY i.since DESC, i.id DESC`+limit(max, 1000), string(id))
	all, err := list(rows, err, scanInterval)
	if err != nil {
		return nil, fmt.Errorf("cannot list intervals: %w", err)
	}
	return all, nil
}

// IntervalAt returns the interval of a host at an instant: ErrNotFound before it was enrolled
// and after it was revoked.
func (s *Store) IntervalAt(ctx context.Context, id inventory.HostID, t time.Time) (Interval, error) {
	if err := s.freshBeats(ctx); err != nil {
		return Interval{}, err
	}
	i, err := scanInterval(s.r.QueryRowContext(ctx, `SELECT `+intervalColumns+` FROM intervals i JOIN beats h ON h.host = i.host
		WHERE i.host = $1 AND i.since <= $2 ORDER BY i.since DESC, i.id DESC LIMIT 1`, string(id), ms(t)).Scan)
	if err == nil && !i.Until.IsZero() && !t.Before(i.Until) {
		err = ErrNotFound
	}
	if err != nil {
		return Interval{}, fmt.Errorf("cannot read the interval at %s: %w", t.Format(time.RFC3339), found(err))
	}
	return i, nil
}

// interval is the interval that begins with the host as it is.
func (h Host) interval() Interval {
	return Interval{Host: h.ID, Since: h.Since, LastCheckIn: h.LastSeen, Release: h.Release, Commit: h.Commit,
		Catalog: h.Catalog, Facts: h.Facts, Result: h.Result, Status: h.Status, Counts: h.Counts,
		Problem: h.Problem, Audit: h.Audit, Expired: h.Stale}
}

const insertIntervalRow = `INSERT INTO intervals (host, since, last_checkin, release, commit_id, catalog, facts, result, status, counts, problem, audit, expired)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

func insertInterval(ctx context.Context, tx *sql.Tx, i Interval) error {
	tell(ctx, i.Host)
	_, err := execute(ctx, tx, insertIntervalRow, intervalRow(i)...)
	return err
}

func intervalRow(i Interval) []any {
	return []any{string(i.Host), ms(i.Since), ms(i.LastCheckIn), int64(i.Release), i.Commit, i.Catalog, i.Facts, i.Result, string(i.Status), countsColumn(i.Counts), i.Problem, bit(i.Audit), bit(i.Expired)}
}

// closeInterval ends the open interval of a host.
func closeInterval(ctx context.Context, tx *sql.Tx, h Host, until time.Time) error {
	tell(ctx, h.ID)
	_, err := execute(ctx, tx, endInterval, string(h.ID), ms(h.Since), ms(until), ms(h.LastSeen))
	return err
}

const endInterval = `UPDATE intervals SET until = $3, last_checkin = $4 WHERE host = $1 AND since = $2 AND intervals.until = 0`

func countsColumn(counts map[policies.Status]int) string {
	if len(counts) == 0 {
		return "{}"
	}
	return encode(counts)
}

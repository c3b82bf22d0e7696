package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// Seen notes that a host called: one small UPDATE as a rule. A host that was silent gets an
// event and its old status back. ErrNotFound when there is no such host, or it is revoked.
func (s *Store) Seen(ctx context.Context, id inventory.HostID, said Heartbeat, now time.Time) error {
	heard := beat{said, now}
	return s.write(ctx, "note the check-in", func(ctx context.Context, tx *sql.Tx) error {
		touch(ctx, id)
		result, err := execute(ctx, tx, putBeat, beatRow(id, heard)...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return wake(ctx, tx, id, heard)
	})
}

func pauseColumn(beat Heartbeat) string {
	if beat.Paused == nil {
		return ""
	}
	return encode(beat.Paused)
}

// wake ends the silence of a host.
func wake(ctx context.Context, tx *sql.Tx, id inventory.HostID, heard beat) error {
	h, err := lockHost(ctx, tx, `id = $1 AND revoked = 0`, string(id))
	if err != nil {
		return err
	}
	if h.Status == policies.Stale {
		if err := turn(ctx, tx, h, h.Found, heard.at); err != nil {
			return err
		}
		back := Event{Host: id, At: heard.at, Kind: EventReturned, Status: h.Found, Before: policies.Stale,
			Release: h.Release, Commit: h.Commit, Message: fmt.Sprintf("silent since %s", h.LastSeen.Format(time.RFC3339))}
		if err := insertEvent(ctx, tx, back); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, setBeat+`, silent = 0 WHERE host = $1`, beatRow(id, heard)...)
	return err
}

// turn gives a host another status at now without a report: one interval ends, another begins.
func turn(ctx context.Context, tx *sql.Tx, h Host, status policies.Status, now time.Time) error {
	touch(ctx, h.ID)
	since := later(now, h.Since)
	if err := closeInterval(ctx, tx, h, since); err != nil {
		return err
	}
	h.Status, h.Since = status, since
	if err := insertInterval(ctx, tx, h.interval()); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE hosts SET status = $2, since = $3 WHERE id = $1`, string(h.ID), string(status), ms(since))
	return err
}

// staleBatch bounds how long MarkStale keeps others from writing.
const staleBatch = 500

// MarkStale says that every host not seen since the given time is silent from now on, with an
// event each, and returns those that were not silent before.
func (s *Store) MarkStale(ctx context.Context, notSince, now time.Time) ([]inventory.HostID, error) {
	marked := []inventory.HostID{}
	for {
		silent, err := s.silent(ctx, notSince)
		if err != nil || len(silent) == 0 {
			return marked, err
		}
		err = s.write(ctx, "mark silent hosts", func(ctx context.Context, tx *sql.Tx) error {
			for _, id := range silent {
				if err := markStale(ctx, tx, id, notSince, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return marked, err
		}
		marked = append(marked, silent...)
	}
}

func (s *Store) silent(ctx context.Context, notSince time.Time) ([]inventory.HostID, error) {
	if err := s.settleBeats(ctx); err != nil {
		return nil, err
	}
	rows, err := s.r.QueryContext(ctx, `SELECT host FROM beats WHERE silent = 0 AND last_seen < $1 ORDER BY host`+limit(staleBatch, 0), ms(notSince))
	ids, err := list(rows, err, func(scan func(...any) error) (id inventory.HostID, err error) { return id, scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("cannot look for silent hosts: %w", err)
	}
	return ids, nil
}

func markStale(ctx context.Context, tx *sql.Tx, id inventory.HostID, notSince, now time.Time) error {
	var h Host
	err := exec1(ctx, tx, ErrNotFound, `UPDATE beats SET silent = 1 WHERE host = $1 AND silent = 0 AND last_seen < $2`, string(id), ms(notSince))
	if err == nil {
		h, err = lockHost(ctx, tx, `id = $1 AND revoked = 0 AND status <> $2`, string(id), string(policies.Stale))
	}
	if errors.Is(err, ErrNotFound) {
		return nil // it called in this very moment
	}
	if err != nil {
		return err
	}
	if err := turn(ctx, tx, h, policies.Stale, now); err != nil {
		return err
	}
	return insertEvent(ctx, tx, Event{Host: id, At: now, Kind: EventStale, Status: policies.Stale, Before: h.Status,
		Release: h.Release, Commit: h.Commit, Message: fmt.Sprintf("last seen %s", h.LastSeen.Format(time.RFC3339))})
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

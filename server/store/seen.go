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
func (s *Store) Seen(ctx context.Context, id inventory.HostID, beat Heartbeat, now time.Time) error {
	return s.write(ctx, "note the check-in", func(ctx context.Context, tx *sql.Tx) error {
		touch(ctx, id)
		result, err := execute(ctx, tx, putBeat,
			string(id), ms(now), beat.Agent, int64(beat.Counter), int64(beat.Floor), pauseColumn(beat), string(policies.Stale))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return wake(ctx, tx, id, beat, now)
	})
}

func pauseColumn(beat Heartbeat) string {
	if beat.Paused == nil {
		return ""
	}
	return encode(beat.Paused)
}

// wake ends the silence of a host.
func wake(ctx context.Context, tx *sql.Tx, id inventory.HostID, beat Heartbeat, now time.Time) error {
	h, err := lockHost(ctx, tx, `id = $1 AND revoked = 0`, string(id))
	if err != nil {
		return err
	}
	if h.Status == policies.Stale {
		if err := turn(ctx, tx, h, h.Found, now); err != nil {
			return err
		}
		back := Event{Host: id, At: now, Kind: EventReturned, Status: h.Found, Before: policies.Stale,
			Release: h.Release, Commit: h.Commit, Message: fmt.Sprintf("silent since %s", h.LastSeen.Format(time.RFC3339))}
		if err := insertEvent(ctx, tx, back); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE hosts SET last_seen = $2, agent = $3, counter = $4, floor = $5, paused = $6 WHERE id = $1`,
		string(id), ms(now), beat.Agent, int64(beat.Counter), int64(beat.Floor), pauseColumn(beat))
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
	rows, err := s.r.QueryContext(ctx, `SELECT id FROM hosts WHERE revoked = 0 AND last_seen < $1 AND status <> $2 ORDER BY id`+limit(staleBatch, 0),
		ms(notSince), string(policies.Stale))
	ids, err := list(rows, err, func(scan func(...any) error) (id inventory.HostID, err error) { return id, scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("cannot look for silent hosts: %w", err)
	}
	return ids, nil
}

func markStale(ctx context.Context, tx *sql.Tx, id inventory.HostID, notSince, now time.Time) error {
	h, err := lockHost(ctx, tx, `id = $1 AND revoked = 0 AND last_seen < $2 AND status <> $3`,
		string(id), ms(notSince), string(policies.Stale))
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

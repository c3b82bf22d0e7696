package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
)

const hostColumns = `id, name, labels, key, enrolled, revoked, revoked_by, last_seen, agent,
	counter, floor, paused, epoch, seq, release, commit_id, facts, catalog, result,
	expected, mismatch, since, ran, status, found, counts, audit, stale, problem, boot_id, offers, terms`

// hostRows are the rows of which hostColumns are: each host has one row in both tables.
const hostRows = `hosts LEFT JOIN beats ON beats.host = hosts.id`

func scanHost(scan func(...any) error) (Host, error) {
	var h Host
	var enrolled, revoked, seen, since, ran int64
	var mismatch, audit, stale int64
	var labels, paused, counts string
	err := scan(&h.ID, &h.Name, &labels, &h.Key, &enrolled, &revoked, &h.RevokedBy, &seen, &h.Agent,
		&h.Counter, &h.Floor, &paused, &h.Epoch, &h.Seq, &h.Release, &h.Commit, &h.Facts, &h.Catalog, &h.Result,
		&h.Expected, &mismatch, &since, &ran, &h.Status, &h.Found, &counts, &audit, &stale, &h.Problem, &h.BootID, &h.Offers, &h.Terms)
	if err != nil {
		return Host{}, err
	}
	h.Enrolled, h.Revoked, h.LastSeen, h.Since, h.Ran = at(enrolled), at(revoked), at(seen), at(since), at(ran)
	h.Mismatch, h.Audit, h.Stale = mismatch != 0, audit != 0, stale != 0
	return h, h.decode(labels, counts, paused)
}

func (h *Host) decode(labels, counts, paused string) error {
	h.Labels, h.Counts = map[string]string{}, map[policies.Status]int{}
	if labels != "{}" {
		if err := decode(labels, &h.Labels); err != nil {
			return err
		}
	}
	if paused != "" {
		h.Paused = &protocol.Pause{}
		if err := decode(paused, h.Paused); err != nil {
			return err
		}
	}
	return decode(counts, &h.Counts)
}

// CreateHost stores a new host and uses up the enrolment token with the hash, or does neither:
// ErrNotFound (no such token), ErrTokenUsed, ErrTokenExpired, ErrNameTaken, ErrKeyTaken.
func (s *Store) CreateHost(ctx context.Context, h Host, tokenHash string, now time.Time) error {
	return s.write(ctx, "store the new host", func(ctx context.Context, tx *sql.Tx) error {
		if err := useToken(ctx, tx, tokenHash, h.ID, now); err != nil {
			return err
		}
		if err := checkFree(ctx, tx, h); err != nil {
			return err
		}
		if err := insertHost(ctx, tx, h, now); err != nil {
			return err
		}
		first := Interval{Host: h.ID, Since: now, LastCheckIn: now, Status: policies.Unknown}
		if err := insertInterval(ctx, tx, first); err != nil {
			return err
		}
		return insertEvent(ctx, tx, Event{Host: h.ID, At: now, Kind: EventEnrolled})
	})
}

func checkFree(ctx context.Context, tx *sql.Tx, h Host) error {
	var names, keys int
	err := tx.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM hosts WHERE name = $1 AND revoked = 0),
		(SELECT COUNT(*) FROM hosts WHERE key = $2)`, h.Name, h.Key).Scan(&names, &keys)
	if err != nil {
		return err
	}
	if keys > 0 {
		return ErrKeyTaken
	}
	if names > 0 {
		return ErrNameTaken
	}
	return nil
}

func insertHost(ctx context.Context, tx *sql.Tx, h Host, now time.Time) error {
	labels := h.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO hosts (id, name, labels, key, enrolled, since, status, found)
		VALUES ($1, $2, $3, $4, $5, $5, $6, $6)`,
		string(h.ID), h.Name, encode(labels), h.Key, ms(now), string(policies.Unknown))
	if isTaken(err) {
		return ErrNameTaken // another server was faster by a moment
	}
	if err != nil {
		return err
	}
	touch(ctx, h.ID)
	if _, err := tx.ExecContext(ctx, `INSERT INTO beats (host, last_seen) VALUES ($1, $2)`, string(h.ID), ms(now)); err != nil {
		return err
	}
	for label, value := range labels {
		_, err := tx.ExecContext(ctx, `INSERT INTO host_labels (label, value, host) VALUES ($1, $2, $3)`, label, value, string(h.ID))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) host(ctx context.Context, clause string, args ...any) (Host, error) {
	if err := s.freshBeats(ctx); err != nil {
		return Host{}, err
	}
	return s.readHost(ctx, clause, args...)
}

func (s *Store) readHost(ctx context.Context, clause string, args ...any) (Host, error) {
	h, err := scanHost(s.one(ctx, `SELECT `+hostColumns+` FROM `+hostRows+` `+clause, args...).Scan)
	if err != nil {
		return Host{}, fmt.Errorf("cannot read a host: %w", found(err))
	}
	return h, nil
}

// Host returns the host with the ID.
func (s *Store) Host(ctx context.Context, id inventory.HostID) (Host, error) {
	return s.host(ctx, `WHERE id = $1`, string(id))
}

// HostByName returns the host that has the name; the last one revoked when none has it now.
func (s *Store) HostByName(ctx context.Context, name string) (Host, error) {
	h, err := s.host(ctx, `WHERE name = $1 AND revoked = 0`, name)
	if err == nil {
		return h, nil
	}
	return s.host(ctx, `WHERE name = $1 ORDER BY CASE revoked WHEN 0 THEN 0 ELSE 1 END, revoked DESC LIMIT 1`, name)
}

// HostByKey returns the host with the key's fingerprint, revoked or not.
func (s *Store) HostByKey(ctx context.Context, fingerprint string) (Host, error) {
	return s.host(ctx, `WHERE key = $1`, fingerprint)
}

// Revoke takes a host's identity away for good: ErrNotFound when it has none.
func (s *Store) Revoke(ctx context.Context, id inventory.HostID, by string, now time.Time) error {
	return s.write(ctx, "revoke the host", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE beats SET silent = 1 WHERE host = $1`, string(id)); err != nil {
			return err
		}
		row, err := lockHost(ctx, tx, `id = $1 AND revoked = 0`, string(id))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE hosts SET revoked = $2, revoked_by = $3, verified = 1 WHERE id = $1`,
			string(id), ms(now), by); err != nil {
			return err
		}
		if err := closeInterval(ctx, tx, row, now); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM findings WHERE host = $1`, string(id)); err != nil {
			return err
		}
		return insertEvent(ctx, tx, Event{Host: id, At: now, Kind: EventRevoked, Message: by})
	})
}

// lockHost reads a host and keeps others from changing it until the transaction ends.
func lockHost(ctx context.Context, tx *sql.Tx, condition string, args ...any) (Host, error) {
	var id inventory.HostID
	err := tx.QueryRowContext(ctx, `UPDATE hosts SET seq = seq WHERE `+condition+` RETURNING id`, args...).Scan(&id)
	if err != nil {
		return Host{}, found(err)
	}
	touch(ctx, id)
	return scanHost(tx.QueryRowContext(ctx, `SELECT `+hostColumns+` FROM `+hostRows+` WHERE id = $1`, string(id)).Scan)
}

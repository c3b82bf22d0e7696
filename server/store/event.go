package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"plumb/policies"
)

const eventColumns = `e.id, e.host, h.name, e.seq, e.at, e.kind, e.address, e.cause, e.status, e.before, e.changes,
	e.release, e.commit_id, e.from_commit, e.message, e.checked, e.writer, e.to_commit`

func scanEvent(scan func(...any) error) (Event, error) {
	var e Event
	var when, checked int64
	var changes string
	err := scan(&e.ID, &e.Host, &e.HostName, &e.Seq, &when, &e.Kind, &e.Address, &e.Cause, &e.Status, &e.Before, &changes,
		&e.Release, &e.Commit, &e.FromCommit, &e.Message, &checked, &e.By, &e.ToCommit)
	if err != nil {
		return Event{}, err
	}
	e.At, e.Checked, e.Changes = at(when), at(checked), []policies.Change{}
	return e, decode(changes, &e.Changes)
}

// standardPage is how many rows a list returns when nobody says.
const standardPage = 1000

// Events returns the selected events, the newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]Event, error) {
	w := f.where()
	rows, err := s.r.QueryContext(ctx, `SELECT `+eventColumns+` FROM events e JOIN hosts h ON h.id = e.host`+w.String()+
		` ORDER BY e.id DESC`+limit(f.Limit, standardPage), w.args...)
	events, err := list(rows, err, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("cannot list events: %w", err)
	}
	return events, nil
}

func (f EventFilter) where() *where {
	w := &where{}
	if f.Host != "" {
		w.and(`e.host = ?`, string(f.Host))
	}
	if f.Address != "" {
		w.and(`e.address = ?`, f.Address)
	}
	if f.Policy != "" { // the sign after the point sorts behind it
		w.and(`e.address > ? AND e.address < ?`, "policy."+f.Policy+".", "policy."+f.Policy+"/")
	}
	kind := `e.kind`
	if f.Release == 0 && slices.Contains(f.Kinds, EventRepaired) { // most are: the newest are met at once on the way back, and not by kind
		kind = `COALESCE(e.kind, '')`
	}
	in(w, kind, f.Kinds)
	in(w, `e.cause`, f.Causes)
	if f.Release != 0 {
		w.and(`e.release = ?`, int64(f.Release))
	}
	if f.Own {
		w.and(`e.cause <> ?`, string(policies.Corrective))
	}
	if !f.Since.IsZero() {
		w.and(`e.at >= ?`, ms(f.Since))
	}
	if !f.Until.IsZero() {
		w.and(`e.at < ?`, ms(f.Until))
	}
	if f.Before != 0 {
		w.and(`e.id < ?`, f.Before)
	}
	return w
}

const insertEventRow = `INSERT INTO events (host, seq, at, kind, address, cause, status, before, changes, release, commit_id, from_commit, message, checked, writer, to_commit)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

func insertEvent(ctx context.Context, tx *sql.Tx, e Event) error {
	_, err := execute(ctx, tx, insertEventRow, eventRow(e)...)
	return err
}

func eventRow(e Event) []any {
	changes := ""
	if len(e.Changes) > 0 {
		changes = encode(e.Changes)
	}
	return []any{string(e.Host), int64(e.Seq), ms(e.At), e.Kind, e.Address, string(e.Cause), string(e.Status), string(e.Before), changes,
		int64(e.Release), e.Commit, e.FromCommit, e.Message, ms(e.Checked), e.By, e.ToCommit}
}

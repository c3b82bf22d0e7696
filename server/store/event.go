package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"plumb/policies"
)

const eventColumns = `e.id, e.host, h.name, e.seq, e.at, e.kind, e.address, e.cause, e.status, e.before, e.changes,
	e.release, e.commit_id, e.from_commit, e.message, e.checked, e.writer, e.to_commit, e.resources`

// scanEvents reads a row, which holds one event or several; those come with the newest first.
func scanEvents(scan func(...any) error) ([]Event, error) {
	var e Event
	var when, checked int64
	var changes string
	var resources int
	err := scan(&e.ID, &e.Host, &e.HostName, &e.Seq, &when, &e.Kind, &e.Address, &e.Cause, &e.Status, &e.Before, &changes,
		&e.Release, &e.Commit, &e.FromCommit, &e.Message, &checked, &e.By, &e.ToCommit, &resources)
	if err != nil {
		return nil, err
	}
	e.At, e.Checked = at(when), at(checked)
	if resources > 1 {
		return unlist(e, resources, changes)
	}
	e.ID, e.Changes = eventID(e.ID, 0), []policies.Change{}
	return []Event{e}, decode(changes, &e.Changes)
}

// standardPage is how many rows a list returns when nobody says.
const standardPage = 1000

// Events returns the selected events, the newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]Event, error) {
	if f.Limit <= 0 {
		f.Limit = standardPage
	}
	events, err := s.events(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("cannot list events: %w", err)
	}
	return events, nil
}

func (s *Store) events(ctx context.Context, f EventFilter) ([]Event, error) {
	if f.Address == "" && f.Policy == "" {
		return s.eventsNear(ctx, f)
	}
	single := f.where()
	single.and(`e.resources = 1`)
	f.byAddress(single)
	alone, err := s.eventsWhere(ctx, f, single)
	if err != nil {
		return nil, err
	}
	shared, err := s.eventsListed(ctx, f)
	if err != nil {
		return nil, err
	}
	all := append([]Event{}, alone...) // never nil
	all = append(all, shared...)
	slices.SortFunc(all, func(a, b Event) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), f.Limit)], nil
}

// nearRows is how many of the newest rows are looked through before all of a period are sorted.
const nearRows = 20_000

// eventsNear looks for the newest drift of a period among the newest rows first, where it nearly always is: there
// may be hundreds of thousands of rows in a month, and all would have to be sorted.
func (s *Store) eventsNear(ctx context.Context, f EventFilter) ([]Event, error) {
	if f.Since.IsZero() || f.Host != "" || f.Release != 0 || !slices.Contains(f.Kinds, EventRepaired) {
		return s.eventsWhere(ctx, f, f.where())
	}
	near := f
	if f.Before != 0 {
		near.from = rowOf(f.Before-1) - nearRows
	} else if err := s.r.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) - $1 FROM events`, nearRows).Scan(&near.from); err != nil {
		return nil, err
	}
	near.from = max(near.from, 1)
	found, err := s.eventsWhere(ctx, near, near.where())
	if err != nil || len(found) == f.Limit || near.from == 1 {
		return found, err
	}
	return s.eventsWhere(ctx, f, f.where())
}

// eventsWhere reads rows of events until there are as many events as are asked for.
func (s *Store) eventsWhere(ctx context.Context, f EventFilter, w *where) ([]Event, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+eventColumns+` FROM events e JOIN hosts h ON h.id = e.host`+w.String()+
		` ORDER BY e.id DESC`+limit(f.Limit+1, standardPage), w.args...) // of the first row all may have been on the page before
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []Event{}
	for len(all) < f.Limit && rows.Next() {
		some, err := scanEvents(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(some, func(e Event) bool { return !f.selects(e) })...)
	}
	return all[:min(len(all), f.Limit)], rows.Err()
}

// selects tells of an event in a row that was selected, which may hold others, whether it is meant.
func (f EventFilter) selects(e Event) bool {
	return (f.Address == "" || e.Address == f.Address) && (f.Policy == "" || strings.HasPrefix(e.Address, policyKey(f.Policy))) &&
		(f.Before == 0 || e.ID < f.Before)
}

// byAddress adds the conditions on the resource, for rows of one.
func (f EventFilter) byAddress(w *where) {
	if f.Address != "" {
		w.and(`e.address = ?`, f.Address)
	}
	if f.Policy != "" { // the sign after the point sorts behind it
		w.and(`e.address > ? AND e.address < ?`, policyKey(f.Policy), "policy."+f.Policy+"/")
	}
}

// where is all conditions but those on the resource.
func (f EventFilter) where() *where {
	w := &where{}
	if f.Host != "" {
		w.and(`e.host = ?`, string(f.Host))
	}
	kind := `e.kind`
	if f.Release == 0 && slices.Contains(f.Kinds, EventRepaired) { // most are: the newest are met at once on the way back, and not by kind
		kind = `COALESCE(e.kind, '')`
	}
	if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, EventRepaired) {
		w.and(`e.kind <> '` + EventRepaired + `'`) // the index of kinds leaves them out
	}
	in(w, kind, f.Kinds)
	in(w, `e.cause`, f.Causes)
	if f.Release != 0 {
		w.and(`e.release = ?`, int64(f.Release))
	}
	if f.Own {
		w.and(ownDoing) // in the words of the index
	}
	when := `e.at`
	if f.from > 0 {
		w.and(`e.id >= ?`, f.from)
		when = `+e.at` // by ID, and not by the index of times
	}
	if !f.Since.IsZero() {
		w.and(when+` >= ?`, ms(f.Since))
	}
	if !f.Until.IsZero() {
		w.and(when+` < ?`, ms(f.Until))
	}
	if f.Before != 0 {
		w.and(`e.id <= ?`, rowOf(f.Before-1))
	}
	return w
}

func insertEvent(ctx context.Context, tx *sql.Tx, e Event) error {
	tell(ctx, e.Host)
	_, err := execute(ctx, tx, insertEventRow, eventRow(e)...)
	return err
}

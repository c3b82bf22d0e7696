package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"plumb/inventory"
	"plumb/policies"
)

// A row of events holds one event, or several of a report that follow each other and differ in nothing but
// the resource and what changed about it: ten repairs cost what one does. The ID of an event is
// that of its row with its place in the row behind.
const (
	placeBits = 5
	mostInRow = 1 << placeBits
)

const insertEventRow = `INSERT INTO events (host, seq, at, kind, address, cause, status, before, changes, release, commit_id, from_commit, message, checked, writer, to_commit, resources)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`

// eventBatch is events on their way into rows.
type eventBatch struct {
	rows [][]any
	// keys are those by which rows of several events will be found.
	keys []string
}

// add puts the events of one report of a host into rows, in their order.
func (b *eventBatch) add(host inventory.HostID, events []Event) {
	for len(events) > 0 {
		n := together(events)
		row := eventRow(events[:n]...)
		row[0] = string(host)
		b.rows = append(b.rows, row)
		for i := 0; n > 1 && i < n; i++ {
			b.keys = append(b.keys, keysOf(events[i].Address)...)
		}
		events = events[n:]
	}
}

// join puts the rows of another batch behind these.
func (b *eventBatch) join(other eventBatch) {
	b.rows, b.keys = append(b.rows, other.rows...), append(b.keys, other.keys...)
}

// together tells how many of the events, from the first on, go into one row.
func together(events []Event) int {
	n := 1
	for n < min(len(events), mostInRow) && listable(events[0].Address) && listable(events[n].Address) && alike(events[0], events[n]) {
		n++
	}
	return n
}

// listable tells whether an address may share a row. How far patch cycles came is counted by address.
func listable(address string) bool {
	return address != "" && !strings.Contains(address, "\n") && !strings.HasPrefix(address, "rollout.")
}

// alike tells whether events differ in nothing but the resource and what changed about it.
func alike(a, b Event) bool {
	return a.Seq == b.Seq && a.At.Equal(b.At) && a.Checked.Equal(b.Checked) && a.Kind == b.Kind && a.Cause == b.Cause &&
		a.Status == b.Status && a.Before == b.Before && a.Release == b.Release && a.Commit == b.Commit && a.FromCommit == b.FromCommit &&
		a.ToCommit == b.ToCommit && a.Message == b.Message && a.By == b.By
}

// eventRow is the row of events that are alike.
func eventRow(events ...Event) []any {
	e := events[0]
	address, changes := e.Address, ""
	if len(e.Changes) > 0 {
		changes = encode(e.Changes)
	}
	if len(events) > 1 {
		address, changes = listed(events)
	}
	return []any{string(e.Host), int64(e.Seq), ms(e.At), e.Kind, address, string(e.Cause), string(e.Status), string(e.Before), changes,
		int64(e.Release), e.Commit, e.FromCommit, e.Message, ms(e.Checked), e.By, e.ToCommit, int64(len(events))}
}

// listed is what tells several events of a row from each other.
func listed(events []Event) (addresses, changes string) {
	names, all := make([]string, len(events)), make([][]policies.Change, len(events))
	for i, e := range events {
		names[i], all[i] = e.Address, e.Changes
	}
	if slices.ContainsFunc(all, func(c []policies.Change) bool { return len(c) > 0 }) {
		changes = encode(all)
	}
	return strings.Join(names, "\n"), changes
}

// unlist makes events of a row that holds several, the newest first.
func unlist(row Event, resources int, changes string) ([]Event, error) {
	names := strings.Split(row.Address, "\n")
	all := make([][]policies.Change, resources)
	if changes != "" {
		if err := json.Unmarshal([]byte(changes), &all); err != nil {
			return nil, fmt.Errorf("cannot read what changed in row %d of events: %w", row.ID, err)
		}
	}
	if len(names) != resources || len(all) != resources {
		return nil, fmt.Errorf("row %d of events has %d addresses and %d changes, and not %d", row.ID, len(names), len(all), resources)
	}
	events := make([]Event, 0, resources)
	for place := resources - 1; place >= 0; place-- {
		e := row
		e.ID, e.Address, e.Changes = eventID(row.ID, place), names[place], all[place]
		if e.Changes == nil {
			e.Changes = []policies.Change{}
		}
		events = append(events, e)
	}
	return events, nil
}

func eventID(row int64, place int) int64 { return row<<placeBits | int64(place) }

func rowOf(event int64) int64 { return event >> placeBits }

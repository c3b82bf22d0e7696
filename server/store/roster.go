package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"plumb/inventory"
)

// roster keeps what lists of all hosts say of each, and reads only those again that changed. As with callers that is
// for SQLite, whose file belongs to one process: who writes a host or its heartbeat says so, and is heard once that is
// committed.
type roster struct {
	// reading is held while rows are read; mu is for changed, which writers add to.
	reading sync.Mutex
	rows    map[inventory.HostID]*rosterRow
	byName  []*rosterRow // never written, only replaced
	idle    forgetting

	mu sync.Mutex
	// changed are the hosts to read again; nil while nothing is kept.
	changed map[inventory.HostID]bool
}

type rosterRow struct {
	Entry
	enrolled time.Time
	seq      uint64
	offers   string
}

// mostRostered bounds how many hosts are kept, at about half a kB each.
const mostRostered = 20_000

// note says that hosts changed.
func (r *roster) note(ids []inventory.HostID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed != nil {
		for _, id := range ids {
			r.changed[id] = true
		}
	}
}

// take returns what changed since the last time, and begins anew.
func (r *roster) take() map[inventory.HostID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := r.changed
	r.changed = map[inventory.HostID]bool{}
	return changed
}

// forget lets go of all.
func (r *roster) forget() {
	r.reading.Lock()
	defer r.reading.Unlock()
	r.drop()
}

// end is forget for good.
func (r *roster) end() {
	r.forget()
	r.idle.stop()
}

func (r *roster) drop() {
	r.rows, r.byName = nil, nil
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = nil
}

// rostered returns all hosts by name, with what was read before of those that did not change. Nobody may write them.
// Large fleets have no roster, nor has PostgreSQL.
func (s *Store) rostered(ctx context.Context) (all []*rosterRow, has bool, err error) {
	if s.postgres {
		return nil, false, nil
	}
	r := &s.roster
	r.reading.Lock()
	defer r.reading.Unlock()
	if r.rows == nil {
		if large, err := s.tooMany(ctx); large || err != nil {
			return nil, false, err
		}
	}
	changed := r.take() // who changes from here on is read the next time, even if it is seen now
	for id, row := range r.rows {
		if row.Unbriefed {
			changed[id] = true // a brief comes without a word of the host
		}
	}
	if err := s.readRoster(ctx, changed); err != nil {
		r.drop()
		return nil, false, err
	}
	all = r.byName
	if len(all) > mostRostered { // it grew
		r.drop()
	} else {
		r.idle.later(r.forget)
	}
	return all, true, nil
}

// tooMany tells whether there are more hosts than are kept.
func (s *Store) tooMany(ctx context.Context) (bool, error) {
	n := 0
	err := s.r.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM hosts`+limit(mostRostered+1, 0)+`) few`).Scan(&n)
	return n > mostRostered, err
}

// readRoster reads those that changed, or all where they are many.
func (s *Store) readRoster(ctx context.Context, changed map[inventory.HostID]bool) error {
	r, which, args := &s.roster, ``, []any(nil)
	few := r.rows != nil && len(changed) <= len(r.rows)/4
	if few && len(changed) == 0 {
		return nil
	}
	if few {
		names := make([]string, 0, len(changed))
		for id := range changed {
			names = append(names, string(id))
		}
		condition, arg := s.among(`h.id`, names)
		which, args = ` WHERE `+condition, []any{arg}
	} else {
		r.rows = map[inventory.HostID]*rosterRow{}
	}
	var read []*rosterRow
	same := sharing{texts: map[string]string{}}
	rows, err := s.r.QueryContext(ctx, `SELECT `+rollColumns+`, h.enrolled, h.seq, h.offers FROM `+rollRows+which, args...)
	err = walk(rows, err, func(scan func(...any) error) error {
		var row rosterRow
		var enrolled int64
		e, err := scanEntry(func(columns ...any) error { return scan(append(columns, &enrolled, &row.seq, &row.offers)...) })
		row.Entry, row.enrolled, row.offers = same.entry(e), at(enrolled), same.text(row.offers)
		read = append(read, &row)
		return err
	})
	r.put(read)
	return err
}

// put takes over rows that were read; a name never changes.
func (r *roster) put(read []*rosterRow) {
	known := len(r.rows)
	for _, row := range read {
		r.rows[row.ID] = row
	}
	if len(r.rows) > known {
		r.byName = slices.SortedFunc(maps.Values(r.rows), byName)
		return
	}
	r.byName = slices.Clone(r.byName)
	for _, row := range read {
		i, _ := slices.BinarySearchFunc(r.byName, row, byName)
		r.byName[i] = row
	}
}

func byName(a, b *rosterRow) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

package store

import (
	"context"
	"database/sql"
	"sync"

	"plumb/inventory"
)

// callers keeps the rows of hosts that call often. It is used with SQLite only, whose file belongs
// to one process: nobody else can change a row, and who changes one here drops it, or leaves the new one
// once that is committed. One transaction has ended here before the next one begins.
type callers struct {
	mu   sync.Mutex
	held map[inventory.HostID]*caller
}

// caller is a row, or one that somebody is just reading.
type caller struct {
	host  Host
	known bool
}

// mostCallers bounds how many rows are kept, of about 2 kB each.
const mostCallers = 20_000

// Caller returns the host with the ID, as Host does, and may have it in memory. What it returns is
// shared: nobody may change it. Its heartbeat, from LastSeen to Paused, may be of the past.
func (s *Store) Caller(ctx context.Context, id inventory.HostID) (Host, error) {
	if s.postgres {
		return s.rowAndNewest(ctx, id)
	}
	one, h, known := s.callers.look(id)
	if known {
		return h, nil
	}
	h, err := s.row(ctx, id)
	s.callers.learn(id, one, h, err == nil)
	return h, err
}

func (s *Store) row(ctx context.Context, id inventory.HostID) (Host, error) {
	return s.readHost(ctx, `WHERE id = $1`, string(id))
}

// look returns what is known of a host, or a place for what the caller is about to read.
func (c *callers) look(id inventory.HostID) (place *caller, h Host, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.held[id]; one != nil {
		return one, one.host, one.known
	}
	if c.held == nil {
		c.held = map[inventory.HostID]*caller{}
	}
	for old := range c.held {
		if len(c.held) < mostCallers {
			break
		}
		delete(c.held, old) // any one: Go's order of maps is random
	}
	place = &caller{}
	c.held[id] = place
	return place, Host{}, false
}

// learn keeps what was read, unless the row was written since the place for it was taken.
func (c *callers) learn(id inventory.HostID, place *caller, h Host, there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.held[id] != place:
	case there:
		place.host, place.known = h, true
	default:
		delete(c.held, id)
	}
}

// settle takes over how a transaction left rows, and drops those of which that is not known. Who is
// just reading one has the place of an older one then, and does not learn it.
func (c *callers) settle(rows map[inventory.HostID]*Host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, left := range rows {
		if _, calls := c.held[id]; calls && left != nil {
			c.held[id] = &caller{host: *left, known: true}
		} else {
			delete(c.held, id)
		}
	}
}

// readers keep statements prepared that come with every call.
type readers struct {
	mu   sync.Mutex
	stmt map[string]*sql.Stmt
}

// one is s.r.QueryRowContext for a statement that comes again and again, always in the same words.
func (s *Store) one(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := s.prepared(ctx, query); stmt != nil { //nolint:sqlclosecheck // it is kept for the next call
		return stmt.QueryRowContext(ctx, args...)
	}
	return s.r.QueryRowContext(ctx, query, args...)
}

func (s *Store) prepared(ctx context.Context, query string) *sql.Stmt {
	if s.postgres {
		return nil // its driver does it
	}
	s.readers.mu.Lock()
	defer s.readers.mu.Unlock()
	if stmt := s.readers.stmt[query]; stmt != nil {
		return stmt
	}
	stmt, err := s.r.PrepareContext(context.WithoutCancel(ctx), query) //nolint:sqlclosecheck // it is kept for the next call
	if err != nil {
		return nil
	}
	if s.readers.stmt == nil {
		s.readers.stmt = map[string]*sql.Stmt{}
	}
	s.readers.stmt[query] = stmt
	return stmt
}

// many is s.r.QueryContext for a statement that comes again and again, always in the same words.
func (s *Store) many(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := s.prepared(ctx, query); stmt != nil { //nolint:sqlclosecheck // it is kept for the next call
		return stmt.QueryContext(ctx, args...)
	}
	return s.r.QueryContext(ctx, query, args...)
}

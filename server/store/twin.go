package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumb/inventory"
)

// NoteTwin tells, as an event, that another machine uses the identity of a host too.
func (s *Store) NoteTwin(ctx context.Context, id inventory.HostID, now time.Time) error {
	return s.write(ctx, "note a twin", func(ctx context.Context, tx *sql.Tx) error {
		return insertEvent(ctx, tx, Event{Host: id, At: now, Kind: EventTwin, Message: "two machines use the identity of this host"})
	})
}

// Twin is a host of which there are two, and when that was told last.
type Twin struct {
	ID   inventory.HostID
	Name string
	At   time.Time
}

// Twins returns the hosts with a twin that was told of since then; revoked hosts are left out.
func (s *Store) Twins(ctx context.Context, since time.Time) ([]Twin, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT h.id, h.name, MAX(e.at) FROM events e JOIN hosts h ON h.id = e.host
		WHERE e.kind = $1 AND e.kind <> 'repaired' AND e.at >= $2 AND h.revoked = 0 GROUP BY h.id, h.name ORDER BY h.name`, EventTwin, ms(since))
	all, err := list(rows, err, func(scan func(...any) error) (t Twin, err error) {
		var when int64
		err = scan(&t.ID, &t.Name, &when)
		t.At = at(when)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts with a twin: %w", err)
	}
	return all, nil
}

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"plumb/inventory"
)

// look is one who waits for the row of a host from PostgreSQL. Those who come while such a question is on its way share the
// next one, so that none is told what was true before it asked.
type look struct {
	id   inventory.HostID
	host Host
	err  error
	done chan struct{}
}

// lookTime bounds how long one question may keep all who come after it waiting.
const lookTime = 10 * time.Second

// rowAndNewest reads with the row which release is the newest, which another server may have made.
func (s *Store) rowAndNewest(ctx context.Context, id inventory.HostID) (Host, error) {
	one := &look{id: id, err: ErrNotFound, done: make(chan struct{})}
	if s.looks.add(one) {
		go s.takeLooks()
	}
	select {
	case <-one.done:
	case <-ctx.Done():
		return Host{}, fmt.Errorf("cannot read a host: %w", ctx.Err())
	}
	if one.err != nil {
		return Host{}, fmt.Errorf("cannot read a host: %w", one.err)
	}
	return one.host, nil
}

// everyone goes together.
func everyone[T any](waiting []T) (batch, left []T) { return waiting, nil }

// takeLooks asks for those who wait and ends when nobody does.
func (s *Store) takeLooks() {
	for all := s.looks.next(everyone); len(all) > 0; all = s.looks.next(everyone) {
		ctx, cancel := context.WithTimeout(context.Background(), lookTime)
		err := s.lookAll(ctx, all)
		cancel()
		for _, one := range all {
			if err != nil {
				one.err = err
			}
			close(one.done)
		}
	}
}

const selectCallers = `SELECT ` + hostColumns + `, (SELECT COALESCE(MAX(number), 0) FROM releases) FROM ` + hostRows + ` WHERE id = ANY($1)`

// lookAll reads without database/sql in between: it costs about as much as the question itself.
func (s *Store) lookAll(ctx context.Context, all []*look) error {
	asked := make(map[inventory.HostID][]*look, len(all))
	ids := make([]string, 0, len(all))
	for _, one := range all {
		if asked[one.id] = append(asked[one.id], one); len(asked[one.id]) == 1 {
			ids = append(ids, string(one.id))
		}
	}
	conn, err := s.r.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	pg, err := native(conn)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(byIndex)
	batch.Queue(selectCallers, ids).Query(func(rows pgx.Rows) error { return hand(rows, asked) })
	return pg.SendBatch(ctx, batch).Close()
}

// hand gives the rows to those who asked for them.
func hand(rows pgx.Rows, asked map[inventory.HostID][]*look) error {
	for rows.Next() {
		var newest uint64
		h, err := scanHost(func(columns ...any) error { return rows.Scan(append(columns, &newest)...) })
		if err != nil {
			return err
		}
		h.Newest = newest
		for _, one := range asked[h.ID] {
			one.host, one.err = h, nil
		}
	}
	return rows.Err()
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// work is what a writer does in a transaction. The context that it gets ends only with the
// process: SQLite rolls a whole transaction back when one of its statements is interrupted.
type work func(context.Context, *sql.Tx) error

// write does the work in a transaction and commits it; what names the attempt in errors.
func (s *Store) write(ctx context.Context, what string, do work) error {
	err := ctx.Err()
	if err == nil && s.postgres {
		err = s.alone(ctx, do)
	} else if err == nil {
		err = s.together(do)
	}
	if isFull(err) {
		return fmt.Errorf("cannot %s: %w: %w", what, ErrFull, err)
	}
	if err != nil {
		return fmt.Errorf("cannot %s: %w", what, err)
	}
	return nil
}

// isFull tells whether the database had no room, in the words of SQLite or of PostgreSQL.
func isFull(err error) bool {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_FULL || errors.As(err, &pg) && pg.Code == "53100"
}

// alone uses a transaction of its own.
func (s *Store) alone(ctx context.Context, do work) error {
	ctx = s.begin(ctx)
	conn, err := s.w.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err == nil && s.postgres {
		transactionOf(ctx).conn, err = native(conn)
	}
	if err != nil {
		return err
	}
	defer s.end(ctx)
	defer tx.Rollback()
	if err := do(ctx, tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	transactionOf(ctx).committed = true
	return nil
}

// queue is where writers to SQLite meet: those that come while a commit is on its way to the
// disk share the next one.
type queue struct {
	mu      sync.Mutex
	waiting []*writer
	busy    bool
}

type writer struct {
	do   work
	err  error
	done chan struct{}
}

// mostTogether bounds how many writers share a commit, and so how long the first one waits.
const mostTogether = 128

// together does the work in a savepoint of a transaction that other writers share. It returns
// when that is on the disk.
func (s *Store) together(do work) error {
	w := &writer{do: do, done: make(chan struct{})}
	s.queue.mu.Lock()
	s.queue.waiting = append(s.queue.waiting, w)
	if !s.queue.busy {
		s.queue.busy = true
		go s.drain()
	}
	s.queue.mu.Unlock()
	<-w.done
	return w.err
}

// drain commits for all who wait and ends when nobody does.
func (s *Store) drain() {
	for {
		s.queue.mu.Lock()
		n := min(len(s.queue.waiting), mostTogether)
		batch := s.queue.waiting[:n:n]
		s.queue.waiting = s.queue.waiting[n:]
		s.queue.busy = n > 0
		s.queue.mu.Unlock()
		if n == 0 {
			return
		}
		s.commit(batch)
	}
}

// commit does the work of the batch. A writer that fails leaves nothing behind and does not
// harm the others; when the transaction as a whole fails, all of them have failed.
func (s *Store) commit(batch []*writer) {
	err := s.alone(context.Background(), func(ctx context.Context, tx *sql.Tx) error {
		if len(batch) == 1 { // for a savepoint, SQLite copies each page before it is changed
			return batch[0].do(ctx, tx)
		}
		for _, w := range batch {
			if err := w.run(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	for _, w := range batch {
		if w.err == nil {
			w.err = err
		}
		close(w.done)
	}
}

// run does the work in a savepoint. What it returns is fatal to the whole transaction.
func (w *writer) run(ctx context.Context, tx *sql.Tx) error {
	if _, err := execute(ctx, tx, `SAVEPOINT writer`); err != nil {
		return err
	}
	if w.err = w.do(ctx, tx); w.err != nil {
		transactionOf(ctx).undo()
		// This fails when SQLite has rolled all of it back already, for want of disk or memory.
		if _, err := execute(ctx, tx, `ROLLBACK TO writer`); err != nil {
			return errors.Join(w.err, err)
		}
	}
	_, err := execute(ctx, tx, `RELEASE writer`)
	return err
}

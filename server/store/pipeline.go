package store

import (
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Statements of a writing go to PostgreSQL together, in one trip there and back: the trip is half of what a statement costs
// both sides. SQLite, which is not away, gets each of them at once.

// put does an INSERT, UPDATE or DELETE with all of the rows, as execRows does, by the end of the next send. Written, unless it
// is nil, gets how many rows it wrote.
func (w *writing) put(query string, rows [][]any, written func(int64) error) error {
	if len(rows) == 0 {
		return nil
	}
	if !w.store.postgres {
		n, err := w.store.execRows(w.ctx, w.tx, query, rows)
		if err == nil && written != nil {
			err = written(n)
		}
		return err
	}
	q := w.waiting.Queue(inColumns(query, rows[0]), columnsOf(rows)...)
	if written != nil {
		q.Exec(func(tag pgconn.CommandTag) error { return written(tag.RowsAffected()) })
	}
	return nil
}

// do does a statement with one parameter by the end of the next send.
func (w *writing) do(query string, arg any) error {
	if w.store.postgres {
		w.waiting.Queue(query, arg)
		return nil
	}
	_, err := execute(w.ctx, w.tx, query, arg)
	return err
}

// ask has each called with each row of the answer by the end of the next send.
func (w *writing) ask(question string, args []any, each func(scan func(...any) error) error) error {
	if !w.store.postgres {
		rows, err := query(w.ctx, w.tx, question, args...)
		return walk(rows, err, each)
	}
	w.waiting.Queue(question, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := each(rows.Scan); err != nil {
				return err
			}
		}
		return nil // how the question went is looked at besides
	})
	return nil
}

// send has everything done that was put and asked.
func (w *writing) send() error {
	batch := w.waiting
	if w.waiting = (pgx.Batch{}); batch.Len() == 0 {
		return nil
	}
	return transactionOf(w.ctx).conn.SendBatch(w.ctx, &batch).Close()
}

// native is PostgreSQL's own connection below one of database/sql. That must not be let go while this is used.
func native(conn *sql.Conn) (c *pgx.Conn, err error) {
	err = conn.Raw(func(driver any) error {
		c = driver.(*stdlib.Conn).Conn()
		return nil
	})
	return c, err
}

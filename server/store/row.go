package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// exec1 runs a statement that must touch a row, else it returns otherwise.
func exec1(ctx context.Context, tx *sql.Tx, otherwise error, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return otherwise
	}
	return err
}

// The codes with which the databases say that a unique key is taken.
const (
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
	postgresUnique   = "23505"
)

func isTaken(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == sqliteUnique || lite.Code() == sqlitePrimaryKey
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == postgresUnique
}

// found turns the driver's word for no row into ours.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// ms and at turn times into columns and back; zero is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// encode returns a value of ours as JSON; they all can be encoded.
func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("cannot encode %T: %v", v, err))
	}
	return string(raw)
}

// decode reads what encode wrote; an empty column leaves v alone.
func decode(column string, v any) error {
	if column == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(column), v); err != nil {
		return fmt.Errorf("cannot read a stored %T: %w", v, err)
	}
	return nil
}

// list reads all rows with scan and closes them. It never returns nil without an error.
func list[T any](rows *sql.Rows, err error, scan func(func(...any) error) (T, error)) ([]T, error) {
	all := []T{}
	err = walk(rows, err, func(columns func(...any) error) error {
		one, err := scan(columns)
		all = append(all, one)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// walk calls each with each row and closes them.
func walk(rows *sql.Rows, err error, each func(scan func(...any) error) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"modernc.org/sqlite"               // and the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"plumb/server/store/pagesum"
)

// Store is an open database. It may be used by many goroutines at once.
type Store struct {
	// SQLite allows one writer, so that w has one connection and readers have their own; in
	// PostgreSQL both are the same pool.
	w, r     *sql.DB
	postgres bool
	queue    queue

	statements statements
	readers    readers
	blockKeys  blockKeys
	callers    callers
	roster     roster
	library    library
	versions   versions
	looks      meeting[*look]
	beats      beats
	deliveries meeting[*delivery]
	newest     newest

	watch  *pagesum.Watch
	damage chan error
}

const (
	sqliteReaders = 8
	postgresConns = 16
)

// Open opens the database, a file path or "postgres://…", and brings its tables up to date.
// ErrNewerSchema means that a newer Plumb has been at it, ErrDamaged that the disk lost what was committed.
func Open(ctx context.Context, dsn string) (*Store, error) {
	s, err := connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("cannot open the database: %w", err)
	}
	if err := s.settle(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("cannot open the database: %w", s.orDamage(err))
	}
	if err := s.migrate(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("cannot bring the database up to date: %w", s.orDamage(err))
	}
	s.journalInMemory(ctx)
	return s, nil
}

// journalInMemory has SQLite keep what takes back a single statement or savepoint in memory, not in a file. It is said
// after the migrations, which would sort whole tables there; a connection that did not hear it is only slower.
func (s *Store) journalInMemory(ctx context.Context) {
	if !s.postgres {
		_, _ = s.w.ExecContext(ctx, `PRAGMA temp_store = MEMORY`)
	}
}

func connect(ctx context.Context, dsn string) (*Store, error) {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(postgresConns)
		db.SetMaxIdleConns(postgresConns)
		return &Store{w: db, r: db, postgres: true}, nil
	}
	path, err := filepath.Abs(dsn)
	if err != nil {
		return nil, err
	}
	return connectSQLite(ctx, path)
}

func connectSQLite(ctx context.Context, path string) (_ *Store, err error) {
	if err := checkLog(path); err != nil {
		return nil, err
	}
	if err := sealSQLite(ctx, path); err != nil {
		return nil, err
	}
	s := &Store{damage: make(chan error, 1)}
	s.watch = pagesum.NewWatch(s.noteFault)
	if s.w, err = sql.Open("sqlite", sqliteDSN(path, s.watch, "synchronous(FULL)", "journal_mode(WAL)", writerCache, checkpointPages)); err != nil {
		return nil, err
	}
	s.w.SetMaxOpenConns(1)
	if s.r, err = sql.Open("sqlite", sqliteDSN(path, s.watch, "query_only(1)", readerCache)); err != nil {
		return nil, err
	}
	s.r.SetMaxOpenConns(sqliteReaders)
	s.r.SetMaxIdleConns(sqliteReaders)
	return s, nil
}

// What SQLite may hold in memory, in KiB if negative, and after how many pages of 4 KiB the log goes
// into the file: rows of many hosts change the same pages of indexes again and again.
const (
	writerCache     = "cache_size(-65536)"
	readerCache     = "cache_size(-16384)"
	checkpointPages = "wal_autocheckpoint(10000)"
)

// settleTime is how long Open waits for another process that opens the same file.
const settleTime = 10 * time.Second

// settle makes the first connection. Whoever switches a new file to WAL at the same moment as
// another gets SQLITE_BUSY at once, whatever busy_timeout says, so that is tried again.
func (s *Store) settle(ctx context.Context) error {
	for deadline := time.Now().Add(settleTime); ; {
		err := s.w.PingContext(ctx)
		var busy *sqlite.Error
		if !errors.As(err, &busy) || busy.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// sqliteDSN sets what every connection needs. With WAL and synchronous=FULL a commit is on
// the disk when it returns.
func sqliteDSN(path string, watch *pagesum.Watch, pragmas ...string) string {
	query := url.Values{"_txlock": {"immediate"}}
	query["_pragma"] = append([]string{"busy_timeout(10000)", "foreign_keys(1)"}, pragmas...)
	watch.Set(query)
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return u.String()
}

// Close ends all use of the database.
func (s *Store) Close() error {
	_ = s.settleBeats(context.Background()) // hosts say again what is lost
	s.roster.end()
	s.library.end()
	err := s.w.Close()
	if s.r == s.w {
		return err
	}
	if rerr := s.r.Close(); err == nil {
		err = rerr
	}
	s.watch.End()
	return err
}

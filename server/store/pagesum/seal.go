package pagesum

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// ErrHeader means that the first page of a database is not as it was written.
var ErrHeader = errors.New("its header is damaged")

// state is what a file is before it is opened.
type state int

const (
	empty state = iota
	plain       // a database without room for sums
	ours
)

// Plain returns the size of a database that Seal has to write anew, else 0.
func Plain(path string) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if s, err := stateOf(f); err != nil || s != plain {
		return 0, err
	}
	info, err := f.Stat()
	return info.Size(), err
}

// stateOf looks at the first page. Where it says that there are no sums, but has one as if it said otherwise, a bit turned.
func stateOf(f io.ReaderAt) (state, error) {
	page := make([]byte, headerSize)
	n, err := f.ReadAt(page, 0)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return empty, nil
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	case n < headerSize:
		return 0, ErrHeader
	case page[reserveAt] == reserve:
		return ours, nil
	}
	page = make([]byte, pageSize(page))
	if _, err := f.ReadAt(page, 0); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if string(page[:len(magic)]) != magic || page[reserveAt] != 0 {
		return 0, ErrHeader
	}
	page[reserveAt] = reserve
	if sealed(page, 1) {
		return 0, ErrHeader
	}
	return plain, nil
}

func pageSize(header []byte) int {
	n := int(header[16])<<8 | int(header[17])<<16
	if !isPage(int32(n)) {
		return leastPage
	}
	return n
}

// Seal makes a database into one that has sums, or a new one where there is none. What is there stays as it is until the
// other is on the disk as a whole, and takes its place.
func Seal(ctx context.Context, path string) error {
	if err := Register(); err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil { // the link stays what it is
		path = real
	}
	lock, err := claim(path)
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := stateOf(lock)
	switch {
	case err != nil:
		return err
	case s == ours:
		return nil
	case s == empty:
		return rewrite(ctx, ":memory:", path)
	}
	if err := rewrite(ctx, (&url.URL{Scheme: "file", Path: path}).String(), path); err != nil {
		return fmt.Errorf("cannot write %s anew with a sum for each page (there has to be as much room again, and nobody else may have it open): %w", path, err)
	}
	return nil
}

// claim makes the file for its owner only, and locks it: who else came for it finds another one behind the lock, and looks again.
func claim(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
		mine, err := f.Stat()
		if now, nerr := os.Stat(path); err == nil && nerr == nil && os.SameFile(mine, now) {
			return f, nil
		}
		f.Close()
	}
}

// rewrite copies a database to a new file with sums and gives that the name. Nobody else has it open meanwhile: SQLite's lock is
// held until the name is given.
func rewrite(ctx context.Context, source, path string) error {
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	fresh := path + ".new"
	if err := makeEmpty(fresh); err != nil {
		return err
	}
	defer func() { _ = removeAll(fresh) }() // what is left of it, the next try removes
	for _, statement := range []string{`PRAGMA locking_mode = EXCLUSIVE`, `PRAGMA journal_mode = DELETE`, `BEGIN EXCLUSIVE`, `COMMIT`} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	into := url.URL{Scheme: "file", Path: fresh, RawQuery: url.Values{"reserve": {fmt.Sprint(reserve)}, "vfs": {VFS}}.Encode()}
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, into.String()); err != nil {
		return err
	}
	if err := flush(fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return flush(filepath.Dir(path))
}

// makeEmpty makes a file for its owner only, in place of what a rewrite that was killed left.
func makeEmpty(path string) error {
	if err := removeAll(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// removeAll removes what SQLite makes of a new database.
func removeAll(path string) error {
	for _, name := range []string{path, path + "-journal"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

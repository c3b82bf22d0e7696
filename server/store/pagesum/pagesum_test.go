package pagesum

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const page = 4096

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func do(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// connect opens a database with one connection; faults, if not nil, gets what is found.
func connect(t testing.TB, path string, faults *[]Fault, pragmas ...string) *sql.DB {
	t.Helper()
	must(t, Register())
	query := url.Values{"_pragma": pragmas}
	w := NewWatch(func(f Fault) {
		if faults != nil {
			*faults = append(*faults, f)
		}
	})
	w.Set(query)
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String())
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close(); w.End() })
	return db
}

// filled makes a sealed database with rows on many pages, some of them on pages of their own.
func filled(t testing.TB, path string) {
	t.Helper()
	must(t, Seal(t.Context(), path))
	db := connect(t, path, nil, "journal_mode(WAL)")
	do(t, db, `CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT, b BLOB)`, `CREATE INDEX av ON a (v)`,
		`WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n+1 FROM n WHERE n < 200)
			INSERT INTO a (v, b) SELECT printf('value %d', n), randomblob(CASE n % 20 WHEN 0 THEN 9000 ELSE 50 END) FROM n`)
	must(t, db.Close())
}

// all reads everything, by the table and by the index.
func all(db *sql.DB) (string, error) {
	var table, index, next string
	if err := db.QueryRow(`SELECT group_concat(id || v || hex(b)) FROM a NOT INDEXED`).Scan(&table); err != nil {
		return "", err
	}
	if err := db.QueryRow(`SELECT seq FROM sqlite_sequence`).Scan(&next); err != nil {
		return "", err
	}
	err := db.QueryRow(`SELECT group_concat(v || id) FROM (SELECT v, id FROM a INDEXED BY av ORDER BY v)`).Scan(&index)
	return table + index + next, err
}

func isFault(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_IOERR_DATA
}

// TestEveryPageIsCompared spoils each page in turn: by a bit, by zeros, by another page that is whole itself.
func TestEveryPageIsCompared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a #1?.db")
	filled(t, path)
	raw, err := os.ReadFile(path)
	must(t, err)
	n := len(raw) / page
	if n < 30 {
		t.Fatalf("%d pages are too few", n)
	}
	chance := rand.New(rand.NewPCG(7, 7))
	spoil := map[string]func(pages []byte, i int){
		"bit":   func(pages []byte, i int) { pages[i*page+chance.IntN(page)] ^= 1 << chance.IntN(8) },
		"zeros": func(pages []byte, i int) { clear(pages[i*page:][:page]) },
		"other": func(pages []byte, i int) { copy(pages[i*page:][:page], pages[(i+1)%n*page:][:page]) },
	}
	for how, spoil := range spoil {
		for i := range n {
			spoilt := slices.Clone(raw)
			spoil(spoilt, i)
			must(t, os.WriteFile(path, spoilt, 0o600))
			var faults []Fault
			db := connect(t, path, &faults, "mmap_size(1000000000)")
			_, err := all(db)
			told := isFault(err) && len(faults) > 0 && faults[0] == Fault{Page: int64(i + 1)}
			if how != "bit" && i == 0 {
				told = err != nil // SQLite sees itself that it is no database
			}
			if !told {
				t.Errorf("%s in page %d: reading all = %v, faults %v", how, i+1, err, faults)
			}
			db.Close()
		}
	}
	must(t, os.WriteFile(path, raw, 0o600))
	if _, err := all(connect(t, path, nil)); err != nil {
		t.Errorf("the whole database: %v", err)
	}
}

// TestFramesAreCompared turns bits of the log below a connection that has read nothing of it yet.
func TestFramesAreCompared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	filled(t, path)
	w := connect(t, path, nil, "wal_autocheckpoint(0)")
	do(t, w, `UPDATE a SET b = randomblob(length(b))`)
	want, err := all(w)
	must(t, err)
	log, err := os.OpenFile(path+"-wal", os.O_RDWR, 0)
	must(t, err)
	defer log.Close()
	info, err := log.Stat()
	must(t, err)
	frames := (info.Size() - logHeader) / (frameHeader + page)
	chance := rand.New(rand.NewPCG(8, 8))
	for frame := range frames {
		at, bit := logHeader+frame*(frameHeader+page)+frameHeader+chance.Int64N(page), byte(1)<<chance.IntN(8)
		turn(t, log, at, bit)
		var faults []Fault
		r := connect(t, path, &faults)
		if _, err := all(r); !isFault(err) || !slices.Contains(faults, Fault{Frame: frame + 1}) {
			t.Errorf("frame %d: reading all = %v, faults %v", frame+1, err, faults)
		}
		if frame == 3 { // what is broken does not get into the database, with a good sum
			if _, err := w.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); !isFault(err) {
				t.Errorf("a checkpoint over a broken frame = %v", err)
			}
		}
		turn(t, log, at, bit)
		r.Close()
	}
	if got, err := all(connect(t, path, nil)); err != nil || got != want {
		t.Errorf("when all is well again: %v, as it was: %t", err, got == want)
	}
}

func turn(t *testing.T, f *os.File, at int64, bit byte) {
	t.Helper()
	one := make([]byte, 1)
	_, err := f.ReadAt(one, at)
	must(t, err)
	one[0] ^= bit
	_, err = f.WriteAt(one, at)
	must(t, err)
}

// TestLargeTransactions writes the same pages to the log again and again within a transaction, for its cache is small, takes back
// parts of it and all of it, and reads what is its own. Nothing of that is a fault.
func TestLargeTransactions(t *testing.T) {
	rounds := 8
	if os.Getenv("PLUMB_SOAK") != "" {
		rounds = 2_000
	}
	path := filepath.Join(t.TempDir(), "a.db")
	filled(t, path)
	for _, mode := range []string{"WAL", "DELETE"} {
		var faults []Fault
		w := connect(t, path, &faults, "cache_size(5)", "cache_spill(1)", "journal_mode("+mode+")", "wal_autocheckpoint(50)")
		r := connect(t, path, &faults, "cache_size(5)")
		chance := rand.New(rand.NewPCG(9, 9))
		for round := range rounds {
			do(t, w, `BEGIN IMMEDIATE`)
			for step := range 12 {
				do(t, w, `SAVEPOINT s`, fmt.Sprintf(`UPDATE a SET v = substr(v || %d, -40) WHERE id %% %d = 0`, step, 1+chance.IntN(5)),
					fmt.Sprintf(`DELETE FROM a WHERE id %% 17 = %d`, chance.IntN(17)),
					`INSERT INTO a (v, b) SELECT substr(v, 1, 20), randomblob(length(b)) FROM a ORDER BY random() LIMIT 12`,
					`INSERT INTO a (v, b) VALUES ('large', randomblob(60000))`, // many pages, free again in the same transaction
					fmt.Sprintf(`DELETE FROM a WHERE length(b) = 60000 AND %d > 2`, chance.IntN(5)))
				if chance.IntN(3) == 0 {
					do(t, w, `ROLLBACK TO s`)
				}
				do(t, w, `RELEASE s`)
				_, err := all(w)
				must(t, err)
			}
			do(t, w, []string{`COMMIT`, `COMMIT`, `ROLLBACK`}[chance.IntN(3)])
			if _, err := all(r); err != nil {
				t.Fatalf("%s, round %d: %v, %v", mode, round, err, faults)
			}
		}
		var verdict string
		must(t, r.QueryRow(`PRAGMA integrity_check`).Scan(&verdict))
		if verdict != "ok" || len(faults) > 0 {
			t.Errorf("%s: %s, faults %v", mode, verdict, faults)
		}
		r.Close()
		w.Close()
	}
}

// TestReadersAtOnce has readers look all the time while somebody writes, and pages go from the log into the database below them.
func TestReadersAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	filled(t, path)
	var wait sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		r := connect(t, path, nil, "cache_size(5)", "busy_timeout(10000)")
		wait.Go(func() {
			for open := true; open; {
				select {
				case <-done:
					open = false
				default:
				}
				if _, err := all(r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	w := connect(t, path, nil, "wal_autocheckpoint(10)", "busy_timeout(10000)")
	for n := range 50 {
		do(t, w, fmt.Sprintf(`UPDATE a SET v = v || 'x', b = randomblob(length(b)) WHERE id %% 7 = %d`, n%7))
	}
	close(done)
	wait.Wait()
}

// TestUnsureFramesEnd holds that frames count again when their sums are written.
func TestUnsureFramesEnd(t *testing.T) {
	const frame = frameHeader + page
	u := newUnsure()
	for n := range int64(5) {
		u.wrote(frameHeader, logHeader+n*frame)
		u.wrote(page, logHeader+n*frame+frameHeader)
	}
	if u.from != allSure {
		t.Errorf("after five frames: unsure from %d", u.from)
	}
	u.wrote(page, logHeader+4*frame+frameHeader)
	u.wrote(page, logHeader+2*frame+frameHeader)
	if u.from != logHeader+2*frame {
		t.Errorf("after pages 5 and 3 were written again: unsure from %d", u.from)
	}
	if u.wrote(frameHeader, logHeader+2*frame); u.from != allSure {
		t.Errorf("after the sums were written: unsure from %d", u.from)
	}
}

// TestStrangersAreNoticed has somebody write without sums, and shows the way out.
func TestStrangersAreNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	filled(t, path)
	stranger, err := sql.Open("sqlite", path)
	must(t, err)
	do(t, stranger, `UPDATE a SET v = 'by hand' WHERE id = 7`, `PRAGMA wal_checkpoint(TRUNCATE)`)
	want, err := all(stranger)
	must(t, err)
	if _, err := all(connect(t, path, nil)); !isFault(err) {
		t.Errorf("a page that a stranger wrote: %v", err)
	}
	do(t, stranger, `VACUUM INTO 'file:`+strings.ReplaceAll(path, " ", "%20")+`.plain?reserve=0'`)
	stranger.Close()
	must(t, os.Rename(path+".plain", path))
	must(t, Seal(t.Context(), path))
	if got, err := all(connect(t, path, nil)); err != nil || got != want {
		t.Errorf("sealed anew: %v, what the stranger wrote is there: %t", err, got == want)
	}
}

// TestNoRoomForSums has a database of a stranger opened that was not sealed: nothing is written over its pages.
func TestNoRoomForSums(t *testing.T) {
	must(t, Register())
	path := filepath.Join(t.TempDir(), "a.db")
	if _, err := connect(t, path, nil).Exec(`CREATE TABLE a (v)`); err == nil {
		t.Error("a new database without room for sums was written")
	}
}

func BenchmarkSum(b *testing.B) {
	raw := make([]byte, page)
	for b.Loop() {
		sum(raw, 7)
	}
}

func BenchmarkFrame(b *testing.B) {
	raw := make([]byte, frameHeader+page+8)
	for b.Loop() {
		frameHolds(raw[:8], raw[8:8+frameHeader], raw[8+frameHeader:])
	}
}

package pagesum

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// older makes a database without sums as a server leaves it that was killed: a part is in its log only.
func older(t *testing.T, path string) (want string) {
	t.Helper()
	origin := filepath.Join(t.TempDir(), "origin.db")
	db, err := sql.Open("sqlite", "file:"+origin+"?_pragma=journal_mode(WAL)&_pragma=wal_autocheckpoint(0)")
	must(t, err)
	defer db.Close()
	do(t, db, `CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT, b BLOB)`, `CREATE INDEX av ON a (v)`, `PRAGMA user_version = 7`,
		`WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n+1 FROM n WHERE n < 300) INSERT INTO a (v, b) SELECT printf('v%d', n), randomblob(300 + n) FROM n`,
		`DELETE FROM a WHERE id > 290`, `PRAGMA wal_checkpoint`, `UPDATE a SET v = 'in the log' WHERE id % 3 = 0`)
	want, err = all(db)
	must(t, err)
	for _, end := range []string{"", "-wal"} {
		raw, err := os.ReadFile(origin + end)
		must(t, err)
		must(t, os.WriteFile(path+end, raw, 0o600))
	}
	return want
}

// TestSealKeepsWhatIsThere seals the database of an older server, over what a rewrite left that was killed.
func TestSealKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a #1?.db")
	want := older(t, path)
	must(t, os.WriteFile(path+".new", []byte("half a database"), 0o600))
	if n, err := Plain(path); n == 0 || err != nil {
		t.Errorf("Plain = %d, %v before", n, err)
	}
	link := filepath.Join(t.TempDir(), "link.db")
	must(t, os.Symlink(path, link))
	must(t, Seal(t.Context(), link))
	if n, err := Plain(path); n != 0 || err != nil {
		t.Errorf("Plain = %d, %v after", n, err)
	}
	for _, gone := range []string{"-wal", "-shm", "-journal", ".new"} {
		if _, err := os.Stat(path + gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", gone, err)
		}
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
	raw, err := os.ReadFile(path)
	must(t, err)
	for i := range len(raw) / page {
		if !sealed(raw[i*page:][:page], uint32(i+1)) {
			t.Errorf("page %d has no sum", i+1)
		}
	}
	db := connect(t, path, nil)
	if got, err := all(db); err != nil || got != want {
		t.Errorf("all = %v, as before: %t", err, got == want)
	}
	var version, next int
	must(t, db.QueryRow(`PRAGMA user_version`).Scan(&version))
	must(t, db.QueryRow(`SELECT seq FROM sqlite_sequence`).Scan(&next))
	if version != 7 || next != 300 {
		t.Errorf("user_version = %d, the last id %d, want 7 and 300", version, next)
	}
	db.Close()
	must(t, Seal(t.Context(), path))
	again, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(raw, again) {
		t.Error("a second Seal changed it")
	}
}

// TestSealLeavesTheOldOne has a rewrite fail: somebody has the database open, it is stopped, there is no place for the new one.
func TestSealLeavesTheOldOne(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string) context.Context{
		"open elsewhere": func(t *testing.T, path string) context.Context {
			db, err := sql.Open("sqlite", path)
			must(t, err)
			t.Cleanup(func() { db.Close() })
			_, err = all(db)
			must(t, err)
			return t.Context()
		},
		"stopped": func(t *testing.T, _ string) context.Context {
			ctx, stop := context.WithCancel(t.Context())
			stop()
			return ctx
		},
		"no place": func(t *testing.T, path string) context.Context {
			must(t, os.MkdirAll(filepath.Join(path+".new", "full"), 0o700))
			return t.Context()
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.db")
			want := older(t, path)
			if err := Seal(spoil(t, path), path); err == nil {
				t.Error("Seal = nil")
			}
			db, err := sql.Open("sqlite", path)
			must(t, err)
			defer db.Close()
			if got, err := all(db); err != nil || got != want {
				t.Errorf("the old one: %v, as before: %t", err, got == want)
			}
		})
	}
}

// TestSealIsKilled kills a process that seals once there is so much of the new database. The old one is whole, and the next one seals it.
func TestSealIsKilled(t *testing.T) {
	if path := os.Getenv("PLUMB_SEAL"); path != "" { // the process that is killed
		must(t, Seal(t.Context(), path))
		return
	}
	killed := 0
	for _, size := range []int64{-1, 1, 100_000, 3_000_000, 5_000_000} {
		path := filepath.Join(t.TempDir(), "a.db")
		db, err := sql.Open("sqlite", path)
		must(t, err)
		do(t, db, `CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT, b BLOB)`, `CREATE INDEX av ON a (v)`,
			`WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n+1 FROM n WHERE n < 5000) INSERT INTO a (v, b) SELECT n, randomblob(1000) FROM n`)
		want, err := all(db)
		must(t, err)
		db.Close()
		child := exec.Command(os.Args[0], "-test.run=^TestSealIsKilled$")
		child.Env = append(os.Environ(), "PLUMB_SEAL="+path)
		must(t, child.Start())
		ended := make(chan error, 1)
		go func() { ended <- child.Wait() }()
		if untilGrown(path+".new", size, ended) {
			must(t, child.Process.Kill())
			<-ended
		}
		if n, err := Plain(path); err != nil {
			t.Errorf("killed at %d bytes: %v", size, err)
		} else if n > 0 {
			killed++
		}
		must(t, Seal(t.Context(), path))
		if got, err := all(connect(t, path, nil)); err != nil || got != want {
			t.Errorf("killed at %d bytes: %v, as before: %t", size, err, got == want)
		}
	}
	if killed == 0 {
		t.Error("none was killed before it was done: the test proves nothing")
	}
}

// untilGrown waits for a file to be that large; it returns false when the process that writes it ended before.
func untilGrown(path string, size int64, ended chan error) bool {
	for {
		if info, err := os.Stat(path); err == nil && info.Size() > size {
			return true
		}
		select {
		case <-ended:
			return false
		default:
		}
	}
}

// TestSealAtOnce has many who begin with nothing: one database is made, and what is written to it stays.
func TestSealAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := Seal(t.Context(), path); err != nil {
				t.Error(err)
			}
			connected, err := sql.Open("sqlite", "file:"+path+"?vfs="+VFS+"&_pragma=busy_timeout(10000)")
			if err != nil {
				t.Error(err)
				return
			}
			defer connected.Close()
			if _, err := connected.Exec(`CREATE TABLE IF NOT EXISTS n (n)`); err != nil {
				t.Error(err)
			}
			if _, err := connected.Exec(`INSERT INTO n VALUES (1)`); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var n int
	must(t, connect(t, path, nil).QueryRow(`SELECT count(*) FROM n`).Scan(&n))
	if n != 8 {
		t.Errorf("%d rows, want 8", n)
	}
}

// TestEveryBitOfTheHeader turns each bit of the first page: no sealed database is taken for an older one, which would be written anew.
func TestEveryBitOfTheHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	filled(t, path)
	raw, err := os.ReadFile(path)
	must(t, err)
	for bit := range page * 8 {
		spoilt := slices.Clone(raw[:page])
		spoilt[bit/8] ^= 1 << (bit % 8)
		if s, err := stateOf(bytes.NewReader(spoilt)); s != ours && !errors.Is(err, ErrHeader) {
			t.Errorf("bit %d: %v, %v", bit, s, err)
		}
	}
}

// FuzzState looks at files that are none.
func FuzzState(f *testing.F) {
	f.Add([]byte(magic))
	f.Add(append([]byte(magic), make([]byte, page-len(magic))...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := stateOf(bytes.NewReader(raw))
		if err != nil && !errors.Is(err, ErrHeader) || err == nil && s == empty && len(raw) > 0 {
			t.Errorf("stateOf = %v, %v", s, err)
		}
	})
}

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
)

// start is when the tests take place.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "plumb #1?.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, newDatabase(t))) })
}

func open(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s differs (-want +got):\n%s", what, diff)
	}
}

// enrol stores a host with the name and returns its ID.
func enrol(t testing.TB, s *Store, name string, now time.Time) inventory.HostID {
	t.Helper()
	ctx := context.Background()
	must(t, s.CreateToken(ctx, Token{ID: "t-" + name, Hash: "hash-" + name, Created: now, Expires: now.Add(time.Hour)}))
	id := inventory.HostID("id-" + name)
	h := Host{Host: inventory.Host{ID: id, Name: name, Labels: map[string]string{"env": "prod", "n": name}}, Key: "SHA256:" + name}
	must(t, s.CreateHost(ctx, h, "hash-"+name, now))
	return id
}

// step is a report of a compliant host that differs from others by its number.
func step(epoch string, seq uint64, result string, now time.Time) Step {
	return Step{
		NewInterval: true,
		Report:      policies.Report{Epoch: epoch, Seq: seq},
		Host: Host{Release: 1, Commit: "c1", Facts: "facts", Catalog: "catalog", Result: result, Since: now, Ran: now,
			Found: policies.Compliant, Counts: map[policies.Status]int{policies.Compliant: 3}, BootID: "boot"},
	}
}

func TestOpenTwiceKeepsContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plumb.db")
	s := open(t, path)
	must(t, s.SetSetting(t.Context(), "a", "1"))
	must(t, s.Close())
	got, err := open(t, path).Setting(t.Context(), "a")
	must(t, err)
	same(t, "setting", got, "1")
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	for name, dsn := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(t.TempDir(), "plumb.db") },
		"postgres": func() string { return newDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "postgres" && server == nil {
				t.Skip(reason)
			}
			address := dsn()
			s := open(t, address)
			_, err := s.w.Exec(`INSERT INTO schema_versions (version) VALUES (99)`)
			must(t, err)
			_, err = Open(t.Context(), address)
			wantErr(t, err, ErrNewerSchema)
		})
	}
}

func TestOpenAtOnce(t *testing.T) {
	onBothAddresses(t, func(t *testing.T, dsn string) {
		errs := make(chan error, 4)
		for range cap(errs) {
			go func() {
				s, err := Open(t.Context(), dsn)
				if err == nil {
					err = s.Close()
				}
				errs <- err
			}()
		}
		for range cap(errs) {
			must(t, <-errs)
		}
	})
}

func onBothAddresses(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "plumb.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, newDatabase(t)) })
}

func TestReadersCannotWrite(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	if _, err := s.r.Exec(`DELETE FROM hosts`); err == nil {
		t.Fatal("a reader's connection deleted rows")
	}
	var mode string
	var sync int
	must(t, s.w.QueryRow(`PRAGMA journal_mode`).Scan(&mode))
	must(t, s.w.QueryRow(`PRAGMA synchronous`).Scan(&sync))
	same(t, "journal mode and synchronous", fmt.Sprint(mode, sync), "wal2")
}

func TestDatabaseIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plumb.db")
	s := open(t, path)
	must(t, s.SetSetting(t.Context(), "a", "1"))
	files, err := filepath.Glob(path + "*")
	must(t, err)
	same(t, "number of files", len(files), 3)
	for _, file := range files {
		info, err := os.Stat(file)
		must(t, err)
		same(t, "mode of "+filepath.Base(file), info.Mode().Perm(), os.FileMode(0o600))
	}
}

package server

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"plumb/server/api"
	"plumb/server/store"
)

func checkedServer(t *testing.T) *Server {
	conf := Config{Data: t.TempDir(), Name: "127.0.0.1", Listen: "127.0.0.1:0", AgentListen: "127.0.0.1:0", SSHListen: "127.0.0.1:0"}
	return newServer(conf, slog.New(slog.DiscardHandler))
}

// TestDamageKeepsTheDoorsShut has a page of zeros in the database.
func TestDamageKeepsTheDoorsShut(t *testing.T) {
	s := checkedServer(t)
	path := stoppedDatabase(t, s)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw[len(raw)-4096:])
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	err = s.run(t.Context(), "test", func(api.Addresses) { t.Error("the doors opened") })
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("the server ended with %v, want %v", err, store.ErrDamaged)
	}
}

// TestDamageEndsTheServer has damage found while the server serves already.
func TestDamageEndsTheServer(t *testing.T) {
	s := checkedServer(t)
	found, opened := make(chan struct{}), false
	s.patience, s.look = 0, func(context.Context) error {
		<-found
		return store.ErrDamaged
	}
	err := s.run(t.Context(), "test", func(api.Addresses) { opened = true; close(found) })
	if !errors.Is(err, store.ErrDamaged) || !opened {
		t.Errorf("the server ended with %v, doors open: %t; want %v after they opened", err, opened, store.ErrDamaged)
	}
}

// stoppedDatabase makes the database of a server that has run before.
func stoppedDatabase(t *testing.T, s *Server) string {
	t.Helper()
	path := filepath.Join(s.config.Data, "plumb.db")
	st, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDamagedPageEndsTheServer turns a bit in each page while the server serves. Who asks for one gets an error and
// nobody asks again.
func TestDamagedPageEndsTheServer(t *testing.T) {
	s := checkedServer(t)
	path := stoppedDatabase(t, s)
	s.patience, s.look = 0, func(context.Context) error { return nil }
	err := s.run(t.Context(), "test", func(api.Addresses) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 100; at < len(raw); at += 4096 {
			raw[at] ^= 1
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.store.Check(t.Context()); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("Check = %v, want %v", err, store.ErrDamaged)
		}
	})
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("the server ended with %v, want %v", err, store.ErrDamaged)
	}
}

// TestStopDuringTheLook has the server told to stop before the database is looked over.
func TestStopDuringTheLook(t *testing.T) {
	s := checkedServer(t)
	ctx, stop := context.WithCancel(t.Context())
	s.patience, s.look = 0, func(ctx context.Context) error {
		<-ctx.Done()
		return s.store.Check(ctx)
	}
	if err := s.run(ctx, "test", func(api.Addresses) { stop() }); err != nil {
		t.Errorf("the server ended with %v, want no error", err)
	}
}

package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"plumb/inventory"
)

func openPostgres(t *testing.T) *Store {
	t.Helper()
	return open(t, newDatabase(t))
}

// TestCallersShareAQuestion has many hosts call at once, some of them twice and some unknown: each gets its own row.
func TestCallersShareAQuestion(t *testing.T) {
	s := openPostgres(t)
	const hosts = 40
	var ids [hosts]inventory.HostID
	for i := range ids {
		ids[i] = enrol(t, s, fmt.Sprintf("web%d", i), start)
	}
	var wg sync.WaitGroup
	for n := range 4 * hosts {
		wg.Go(func() {
			h, err := s.Caller(t.Context(), ids[n%hosts])
			if err != nil || h.ID != ids[n%hosts] || h.Name != fmt.Sprintf("web%d", n%hosts) {
				t.Errorf("Caller(%s) = %s %s, %v", ids[n%hosts], h.ID, h.Name, err)
			}
		})
		wg.Go(func() {
			if _, err := s.Caller(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
				t.Errorf("error for a host that is not there = %v, want %v", err, ErrNotFound)
			}
		})
	}
	wg.Wait()
}

// TestCallerSharesNoOlderQuestion revokes a host while a question about it is under way. Who calls after that is not
// told what that one says.
func TestCallerSharesNoOlderQuestion(t *testing.T) {
	s := openPostgres(t)
	id := enrol(t, s, "web1", start)
	before := &look{id: id, err: ErrNotFound, done: make(chan struct{})}
	if !s.looks.add(before) {
		t.Fatal("nobody has to begin, though nobody is busy")
	}
	flying := s.looks.next(everyone)
	must(t, s.lookAll(t.Context(), flying))
	must(t, s.Revoke(t.Context(), id, "alice", start))
	after := &look{id: id, err: ErrNotFound, done: make(chan struct{})}
	if s.looks.add(after) {
		t.Fatal("somebody has to begin, though a question is under way")
	}
	s.takeLooks()
	<-after.done
	must(t, before.err)
	must(t, after.err)
	same(t, "revoked as told to who asked before and after", []bool{!before.host.Revoked.IsZero(), !after.host.Revoked.IsZero()}, []bool{false, true})
}

// TestCallerLeavesASlowQuestion has a caller give up while the database does not answer; others go on when it does.
func TestCallerLeavesASlowQuestion(t *testing.T) {
	s := openPostgres(t)
	id := enrol(t, s, "web1", start)
	tx, err := s.w.Begin()
	must(t, err)
	defer tx.Rollback()
	_, err = tx.Exec(`LOCK TABLE hosts IN ACCESS EXCLUSIVE MODE`)
	must(t, err)
	given, giveUp := context.WithCancel(t.Context())
	left, stayed := make(chan error), make(chan error)
	go func() { _, err := s.Caller(given, id); left <- err }()
	go func() { _, err := s.Caller(t.Context(), id); stayed <- err }()
	giveUp()
	wantErr(t, <-left, context.Canceled)
	must(t, tx.Rollback())
	must(t, <-stayed)
}

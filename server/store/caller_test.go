package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
)

// TestCallerIsNeverOutOfDate changes a host that is held in memory in every way, and looks again.
func TestCallerIsNeverOutOfDate(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		look := func() Host {
			t.Helper()
			h, err := s.Caller(ctx, id)
			must(t, err)
			return h
		}
		same(t, "epoch at first", look().Epoch, "")
		must(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r", start)}, start))
		same(t, "epoch after a report", look().Epoch, "e")
		_, err := s.MarkStale(ctx, start.Add(time.Hour), start.Add(time.Hour))
		must(t, err)
		same(t, "status after silence", look().Status, policies.Stale)
		must(t, s.Heard(ctx, look(), Heartbeat{Agent: "2"}, start.Add(2*time.Hour)))
		if got := look().Status; got == policies.Stale {
			t.Errorf("status after the host returned = %s", got)
		}
		must(t, s.SetExpected(ctx, []Expectation{{Host: look(), Catalog: look().Catalog}}, start))
		same(t, "expected", look().Expected, look().Catalog)
		must(t, s.Revoke(ctx, id, "alice", start.Add(3*time.Hour)))
		if look().Revoked.IsZero() {
			t.Error("a revoked host is still taken for one that may call")
		}
	})
}

// kept returns what is in memory of a host.
func (s *Store) kept(id inventory.HostID) (Host, bool) {
	_, h, known := s.callers.look(id)
	return h, known
}

// TestAcceptedRowIsKept delivers reports of all kinds. What is in memory then is what would be read.
func TestAcceptedRowIsKept(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	ctx := t.Context()
	id := enrol(t, s, "web1", start)
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	epoch := ""
	for n, change := range []func(h *Step){
		func(*Step) {},
		func(s *Step) { s.NewInterval = false },
		func(s *Step) { s.Host.Catalog, s.Host.Release, s.Host.Commit = "another", 2, "c2" },
		func(s *Step) { s.Host.Facts, s.Host.Offers = "others", "offers" },
		func(s *Step) {
			s.Host.Counts, s.Host.Found, s.Host.Problem = nil, policies.Failed, "it does not compile"
		},
		func(s *Step) { s.Host.Counts = map[policies.Status]int{policies.Compliant: 2, policies.Failed: 1} },
		func(s *Step) { s.Host.Audit, s.Host.Stale, s.Host.BootID = true, true, "another" },
		func(s *Step) { s.Host.Key, s.Host.Expected, s.Host.Revoked, s.Host.Terms = "of", "the", at(1), "past" },
	} {
		h, err := s.Caller(ctx, id)
		must(t, err)
		must(t, s.Heard(ctx, h, Heartbeat{Agent: "2", Counter: uint64(n), Floor: 1, Paused: &protocol.Pause{Reason: "x"}}, at(n).Add(time.Microsecond)))
		one := step("e", uint64(n)+1, "r", at(n).Add(time.Microsecond))
		change(&one)
		must(t, s.Accept(ctx, id, epoch, uint64(n), []Step{one}, at(n)))
		epoch = "e"
		must(t, s.settleBeats(ctx)) // what is in memory knows of the call already
		got, known := s.kept(id)
		want, err := s.row(ctx, id)
		must(t, err)
		same(t, "row in memory after report", []any{n, known, got}, []any{n, true, want})
		must(t, s.SetExpected(ctx, []Expectation{{Host: want, Catalog: "another catalog", Terms: []byte("terms")}}, at(n)))
		if _, known := s.kept(id); known {
			t.Error("a row is still in memory that was written otherwise")
		}
	}
}

// TestUndoneRowIsNotKept has the work undone that wrote a row, alone and beside work that counts.
func TestUndoneRowIsNotKept(t *testing.T) {
	wrong := errors.New("it went wrong")
	for name, others := range map[string]int{"alone": 0, "beside others": 1} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
			id := enrol(t, s, "web1", start)
			before, err := s.Caller(t.Context(), id)
			must(t, err)
			spoil := func(ctx context.Context, tx *sql.Tx) error {
				w := &writing{store: s, ctx: ctx, tx: tx}
				must(t, w.accept([]*delivery{newDelivery(id, "", 0, []Step{step("e", 1, "r", start)}, start)}))
				return wrong
			}
			batch := []*writer{{do: spoil, done: make(chan struct{})}}
			for range others {
				batch = append(batch, &writer{do: func(context.Context, *sql.Tx) error { return nil }, done: make(chan struct{})})
			}
			s.commit(batch)
			if !errors.Is(batch[0].err, wrong) || others > 0 && batch[1].err != nil {
				t.Fatalf("errors of the writers = %v", batch)
			}
			after, err := s.Caller(t.Context(), id)
			must(t, err)
			same(t, "row after work that was undone", after, before)
		})
	}
}

// TestWhoWritesHostsSaysSo reads the package: a function that writes rows of hosts has to say which,
// or Caller would go on with the old ones. A heartbeat alone may be of the past.
func TestWhoWritesHostsSaysSo(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	writes := regexp.MustCompile(`UPDATE hosts SET|INSERT INTO hosts|w\.put\((updateHost|forgetVerified)`)
	found := 0
	for _, name := range files {
		raw, err := os.ReadFile(name)
		must(t, err)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, function := range strings.Split(string(raw), "\nfunc ")[1:] {
			body, _, _ := strings.Cut(function, "\n}\n")
			if !writes.MatchString(body) {
				continue
			}
			found++
			if !strings.Contains(body, "touch(ctx") && !strings.Contains(body, "touch(w.ctx") && !strings.Contains(body, "lockHost(") {
				t.Errorf("%s: func %.60s writes hosts and does not touch them", name, strings.SplitN(body, "\n", 2)[0])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d functions were found that write hosts", found)
	}
}

// TestHeartbeatsAreReadAtOnce has a heartbeat that waits be seen by everybody who reads.
func TestHeartbeatsAreReadAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		heard := func(at time.Time) {
			h, err := s.Caller(ctx, id)
			must(t, err)
			must(t, s.Heard(ctx, h, Heartbeat{Agent: "2.0", Counter: 7, Floor: 3}, at))
		}
		heard(start.Add(time.Minute))
		h, err := s.Host(ctx, id)
		must(t, err)
		same(t, "last seen", h.LastSeen, start.Add(time.Minute))
		same(t, "counter", h.Counter, uint64(7))
		heard(start.Add(2 * time.Minute))
		must(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r", start.Add(2*time.Minute))}, start.Add(2*time.Minute)))
		intervals, err := s.Intervals(ctx, id, 2)
		must(t, err)
		same(t, "last check-in of the interval before", intervals[1].LastCheckIn, start.Add(2*time.Minute))
		heard(start.Add(time.Hour))
		silent, err := s.MarkStale(ctx, start.Add(30*time.Minute), start.Add(time.Hour))
		must(t, err)
		same(t, "silent hosts", len(silent), 0)
	})
}

// A release that one server made is known to another one with the next call of a host.
func TestCallerKnowsTheNewestRelease(t *testing.T) {
	onBothAddresses(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		here := open(t, dsn)
		there := here
		if here.postgres {
			there = open(t, dsn)
		}
		id := enrol(t, here, "web1", start)
		for n := range uint64(3) {
			h, err := here.Caller(ctx, id)
			must(t, err)
			r, err := here.LatestReleaseFor(ctx, h)
			if n == 0 {
				wantErr(t, err, ErrNotFound)
			} else {
				must(t, err)
			}
			same(t, "newest release", r.Number, n)
			must(t, there.AddRelease(ctx, Release{Number: n + 1, Commit: "c", Tag: "t", Bundle: "b"}))
		}
	})
}

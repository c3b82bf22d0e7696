package store

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

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
		must(t, s.SetExpected(ctx, []Expectation{{look(), look().Catalog}}, start))
		same(t, "expected", look().Expected, look().Catalog)
		must(t, s.Revoke(ctx, id, "alice", start.Add(3*time.Hour)))
		if look().Revoked.IsZero() {
			t.Error("a revoked host is still taken for one that may call")
		}
	})
}

// TestWhoWritesHostsSaysSo reads the package: a function that writes rows of hosts has to say which,
// or Caller would go on with the old ones. A heartbeat alone may be of the past.
func TestWhoWritesHostsSaysSo(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	writes := regexp.MustCompile(`UPDATE hosts SET|execRows\(.*(updateHost|forgetVerified)`)
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

package store

import (
	"testing"
	"time"

	"plumb/policies"
)

// TestSilentBetweenCallAndReport marks a host silent just before its report is stored. The report ends the silence, and
// the host can fall silent again.
func TestSilentBetweenCallAndReport(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx, later := t.Context(), start.Add(time.Hour)
		id := enrol(t, s, "web1", start)
		silence := func(notSince time.Time, want int) {
			t.Helper()
			silent, err := s.MarkStale(ctx, notSince, later)
			must(t, err)
			same(t, "hosts that fell silent", len(silent), want)
		}
		silence(start.Add(time.Minute), 1)
		must(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r", later)}, later))
		h, err := s.Host(ctx, id)
		must(t, err)
		same(t, "status after the report", h.Status, policies.Compliant)
		silence(start.Add(time.Minute), 1)
		silence(start.Add(time.Minute), 0)
		must(t, s.Seen(ctx, id, Heartbeat{}, later))
		silence(start.Add(time.Minute), 0)
		must(t, s.Revoke(ctx, id, "alice", later))
		silence(later.Add(time.Hour), 0)
	})
}

// TestHeartbeatLeavesTheHostAlone holds what PostgreSQL counts hosts by: a row that changed since the last vacuum
// cannot be counted by an index alone, and all hosts call between two of them.
func TestHeartbeatLeavesTheHostAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		if !s.postgres {
			t.Skip("SQLite counts by indexes in any case")
		}
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		version := func() (version string) {
			must(t, s.r.QueryRowContext(ctx, `SELECT xmin || ' ' || ctid FROM hosts`).Scan(&version))
			return version
		}
		before := version()
		h, err := s.Caller(ctx, id)
		must(t, err)
		must(t, s.Heard(ctx, h, Heartbeat{Agent: "2"}, start.Add(time.Minute)))
		must(t, s.settleBeats(ctx))
		must(t, s.Seen(ctx, id, Heartbeat{Agent: "3"}, start.Add(2*time.Minute)))
		same(t, "version of the row", version(), before)
	})
}

// Heartbeats that stood in the rows of hosts stand apart now.
func TestBeatsOfAnOldDatabase(t *testing.T) {
	onBothAddresses(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		old := openOld(t, dsn, "0015_together.sql")
		for _, values := range []string{`('awake', 'awake', '{}', 'a', 1, 7000, 1, 'compliant', 'compliant', '2.0', 5, 3, '{"reason":"x"}', 0)`,
			`('silent', 'silent', '{}', 's', 1, 2000, 1, 'stale', 'compliant', '', 0, 0, '', 0)`, `('revoked', 'revoked', '{}', 'r', 1, 1000, 1, 'compliant', 'compliant', '', 0, 0, '', 9)`} {
			_, err := old.w.ExecContext(ctx, `INSERT INTO hosts (id, name, labels, key, enrolled, last_seen, since, status, found, agent, counter, floor, paused, revoked) VALUES `+values)
			must(t, err)
		}
		must(t, old.Close())
		s := open(t, dsn)
		h, err := s.Host(ctx, "awake")
		must(t, err)
		same(t, "heartbeat", []any{h.LastSeen, h.Agent, h.Counter, h.Floor, h.Paused.Reason}, []any{at(7000), "2.0", uint64(5), uint64(3), "x"})
		marked, err := s.MarkStale(ctx, at(8000), at(9000))
		must(t, err)
		if len(marked) != 1 || marked[0] != "awake" {
			t.Errorf("%v fell silent, want only the host that was awake", marked)
		}
		must(t, s.Seen(ctx, "silent", Heartbeat{}, at(10_000)))
		h, err = s.Host(ctx, "silent")
		must(t, err)
		same(t, "status after a call", h.Status, policies.Compliant)
	})
}

package store

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/policies"
)

// openOld makes a database as it was after some of the migrations.
func openOld(t testing.TB, dsn, last string) *Store {
	t.Helper()
	ctx := t.Context()
	s := &Store{postgres: strings.HasPrefix(dsn, "postgres")}
	driver := "sqlite"
	if s.postgres {
		driver = "pgx"
	}
	db, err := sql.Open(driver, dsn)
	must(t, err)
	t.Cleanup(func() { db.Close() })
	s.w, s.r = db, db
	for n, name := range steps[:slices.Index(steps, last)+1] {
		tx, err := s.w.BeginTx(ctx, nil)
		must(t, err)
		_, err = s.version(ctx, tx)
		must(t, err)
		must(t, s.step(ctx, tx, name))
		_, err = tx.ExecContext(ctx, `INSERT INTO schema_versions (version) VALUES ($1)`, n+1)
		must(t, err)
		must(t, tx.Commit())
	}
	return s
}

// Events of before they shared rows are told as they were, beside new ones.
func TestEventsOfAnOldDatabase(t *testing.T) {
	onBothAddresses(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		old := openOld(t, dsn, "0014_findings.sql")
		for _, statement := range []string{
			`INSERT INTO hosts (id, name, labels, key, enrolled, last_seen, since, status, found) VALUES ('h', 'web1', '{}', 'k', 1, 1, 1, 'unknown', 'unknown')`,
			`INSERT INTO events (host, seq, at, kind, address, cause, status, before, changes, release, commit_id, from_commit, message)
				SELECT 'h', 0, 1, k, a, 'corrective', 'repaired', '', '', 1, 'c', '', '' FROM (SELECT 'repaired' AS k, 'policy.p.file.a' AS a UNION ALL SELECT 'failed', 'policy.p.file.a') e ORDER BY k DESC`,
		} {
			_, err := old.w.ExecContext(ctx, statement)
			must(t, err)
		}
		must(t, old.Close())
		s := open(t, dsn)
		next := step("e", 1, "r", start)
		for _, address := range []string{"policy.p.file.a", "policy.p.file.b"} {
			next.Events = append(next.Events, Event{Seq: 1, At: start, Kind: EventRepaired, Cause: policies.Corrective, Address: address, Release: 1})
		}
		must(t, s.Accept(ctx, "h", "", 0, []Step{next}, start))
		for name, c := range map[string]struct {
			filter EventFilter
			want   []string
		}{
			"all":     {EventFilter{}, []string{EventRepaired, EventRepaired, EventFailed, EventRepaired}},
			"address": {EventFilter{Address: "policy.p.file.a"}, []string{EventRepaired, EventFailed, EventRepaired}},
			"kind":    {EventFilter{Kinds: []string{EventFailed}}, []string{EventFailed}},
			"old":     {EventFilter{Until: start.Add(-time.Hour)}, []string{EventFailed, EventRepaired}},
		} {
			events, err := s.Events(ctx, c.filter)
			must(t, err)
			same(t, "events by "+name, kinds(events), c.want)
		}
		repairs, err := s.RepairsByCause(ctx, 1)
		must(t, err)
		same(t, "repairs", repairs, map[policies.Cause]int{policies.Corrective: 3})
	})
}

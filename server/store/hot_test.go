package store

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"plumb/policies"
)

// TestReportTouchesNoIndexOfHosts has a host report changes. PostgreSQL puts its row beside the old one then: an index on a
// column that changes would cost an entry in each index of the table, for each report.
func TestReportTouchesNoIndexOfHosts(t *testing.T) {
	s := openPostgres(t)
	id := enrol(t, s, "web1", start)
	must(t, s.Accept(t.Context(), id, "", 0, []Step{step("e", 1, "r1", start)}, start))
	next := step("e", 2, "r2", start.Add(time.Minute))
	next.Host.Counts, next.Host.BootID, next.Host.Offers = map[policies.Status]int{policies.Compliant: 5}, "another boot", "others"
	d := newDelivery(id, "e", 1, []Step{next}, start.Add(time.Minute))
	must(t, s.write(t.Context(), "report", func(ctx context.Context, tx *sql.Tx) error {
		before := hostsWritten(t, tx)
		must(t, (&writing{store: s, ctx: ctx, tx: tx}).accept([]*delivery{d}))
		must(t, d.err)
		after := hostsWritten(t, tx)
		same(t, "rows of hosts written, and those beside the old one", []int{after[0] - before[0], after[1] - before[1]}, []int{1, 1})
		return nil
	}))
}

// hostsWritten is how many rows of hosts a connection has updated lately, and how many of them without an index.
func hostsWritten(t *testing.T, tx *sql.Tx) (n [2]int) {
	t.Helper()
	must(t, tx.QueryRow(`SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'hosts'`).Scan(&n[0], &n[1]))
	return n
}

// TestReportReadsNoWholeTable looks at small tables, which PostgreSQL would rather read as a whole: the plan for that would be kept
// when they are large.
func TestReportReadsNoWholeTable(t *testing.T) {
	s := openPostgres(t)
	id := enrol(t, s, "web1", start)
	must(t, s.Accept(t.Context(), id, "", 0, []Step{step("e", 1, "r1", start)}, start))
	_, err := s.w.ExecContext(t.Context(), `ANALYZE`)
	must(t, err)
	d := newDelivery(id, "e", 1, []Step{step("e", 2, "r2", start.Add(time.Minute))}, start.Add(time.Minute))
	must(t, s.write(t.Context(), "report", func(ctx context.Context, tx *sql.Tx) error {
		before := wholeReads(t, tx)
		must(t, (&writing{store: s, ctx: ctx, tx: tx}).accept([]*delivery{d}))
		must(t, d.err)
		same(t, "tables read as a whole", wholeReads(t, tx), before)
		return nil
	}))
}

// wholeReads counts by table, with what the connection did before and has not told yet.
func wholeReads(t *testing.T, tx *sql.Tx) (counts string) {
	t.Helper()
	must(t, tx.QueryRowContext(t.Context(), `SELECT STRING_AGG(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_xact_user_tables`).Scan(&counts))
	return counts
}

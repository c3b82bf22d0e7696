package store

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"plumb/policies"
)

// TestNewestDriftIsNearOrFar compares lists of drift in a period with what brute force finds, where the newest rows have
// enough of it, have some of it, and have none, page by page. Some hosts tell late what happened early.
func TestNewestDriftIsNearOrFar(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		id := enrol(t, s, "web1", start)
		must(t, s.write(t.Context(), "fill", func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 24999)
				INSERT INTO events (host, seq, at, kind, address, cause, status, before, changes, release, commit_id, from_commit, message, checked, writer, to_commit)
				SELECT $1, 0, CAST($2 AS BIGINT) + n * 1000 - CASE WHEN n % 7 = 0 THEN 3000000 ELSE 0 END, CASE WHEN n % 50 = 0 THEN 'repaired' ELSE 'opened' END, 'a',
					CASE WHEN n % 100 = 0 THEN 'corrective' ELSE 'initial' END, '', '', '', 0, '', '', '', 0, '', '' FROM n`, string(id), ms(start))
			return err
		}))
		for name, c := range map[string]struct{ since, until int }{"now": {0, 25000}, "lately": {24000, 25000}, "long ago": {0, 3000}, "never": {40000, 50000}} {
			f := EventFilter{Kinds: []string{EventRepaired}, Causes: []policies.Cause{policies.Corrective}, Limit: 30,
				Since: start.Add(time.Duration(c.since) * time.Second), Until: start.Add(time.Duration(c.until) * time.Second)}
			var want []int64
			all, err := s.Events(t.Context(), EventFilter{Kinds: f.Kinds, Causes: f.Causes, Limit: 1000})
			must(t, err)
			for _, e := range all {
				if !e.At.Before(f.Since) && e.At.Before(f.Until) {
					want = append(want, e.ID)
				}
			}
			var got []int64
			for {
				page, err := s.Events(t.Context(), f)
				must(t, err)
				for _, e := range page {
					got = append(got, e.ID)
				}
				if len(page) < f.Limit {
					break
				}
				f.Before = page[len(page)-1].ID
			}
			if same(t, "drift of "+name, got, want); len(want) == 0 && name != "never" {
				t.Errorf("%s: there is nothing to find", name)
			}
		}
	})
}

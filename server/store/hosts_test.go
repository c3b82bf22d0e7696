package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumb/policies"
)

// TestFleetCountsIsARecount gives hosts any state and compares the counts with those of the hosts themselves.
func TestFleetCountsIsARecount(t *testing.T) {
	dice := rand.New(rand.NewPCG(7, 2))
	onBoth(t, func(t *testing.T, s *Store) {
		fill(t, s, 60)
		must(t, s.write(t.Context(), "shuffle", func(ctx context.Context, tx *sql.Tx) error { return shuffle(ctx, tx, dice, 60) }))
		hosts, err := s.Hosts(t.Context(), HostFilter{Revoked: true})
		must(t, err)
		want := FleetCounts{Status: map[policies.Status]int{}}
		for _, h := range hosts {
			if !h.Revoked.IsZero() {
				want.Revoked++
				continue
			}
			want.Total++
			want.Status[h.Status]++
			want.Mismatch += int(bit(h.Mismatch))
			want.Problems += int(bit(h.Problem != ""))
		}
		got, err := s.FleetCounts(t.Context())
		must(t, err)
		same(t, "counts", got, want)
	})
}

func shuffle(ctx context.Context, tx *sql.Tx, dice *rand.Rand, hosts int) error {
	for i := range hosts {
		problem := []string{"", "", "it does not compile"}[dice.IntN(3)]
		_, err := tx.ExecContext(ctx, `UPDATE hosts SET status = $2, mismatch = $3, problem = $4, revoked = $5 WHERE id = $1`,
			string(benchID(i)), string(policies.Statuses[dice.IntN(len(policies.Statuses))]), dice.IntN(2), problem, dice.IntN(3)/2)
		if err != nil {
			return err
		}
	}
	return nil
}

// TestHostsByLabel asks for a label that few hosts have, for one that more have than are looked up one
// by one, and for both.
func TestHostsByLabel(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		fill(t, s, fewHosts+100)
		for name, c := range map[string]struct {
			labels map[string]string
			want   int
		}{
			"common":      {map[string]string{"env": "prod"}, fewHosts + 100},
			"rare":        {map[string]string{"rack": "7"}, (fewHosts + 100) / 100},
			"both":        {map[string]string{"rack": "7", "env": "prod"}, (fewHosts + 100) / 100},
			"nobody":      {map[string]string{"rack": "7", "env": "test"}, 0},
			"not at once": {map[string]string{"rack": "7", "host": "none"}, 0},
		} {
			hosts, err := s.Hosts(t.Context(), HostFilter{Labels: c.labels})
			must(t, err)
			byName := slices.IsSortedFunc(hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
			if len(hosts) != c.want || !byName {
				t.Errorf("%s: %d hosts, in order: %t; want %d", name, len(hosts), byName, c.want)
			}
			for _, h := range hosts {
				for label, value := range c.labels {
					if h.Labels[label] != value {
						t.Fatalf("%s: %s has the labels %v", name, h.Name, h.Labels)
					}
				}
			}
		}
	})
}

// TestQuestionsReadIndexesOnly holds the questions about the whole fleet against how SQLite goes about them: a
// walk through all rows takes ten times as long.
func TestQuestionsReadIndexesOnly(t *testing.T) {
	s := open(t, t.TempDir()+"/plumb.db")
	for question, want := range map[string][]string{
		countFleet: {"COMPOUND QUERY", "LEFT-MOST SUBQUERY", "SCAN hosts USING COVERING INDEX hosts_status", "UNION ALL", "SCAN hosts USING INDEX hosts_revoked",
			"UNION ALL", "SCAN hosts USING INDEX hosts_mismatch", "UNION ALL", "SCAN hosts USING INDEX hosts_problem"},
		countFindings:  {"SCAN findings USING COVERING INDEX findings_address"},
		groupStandings: {"SCAN hosts USING COVERING INDEX hosts_standing"},
	} {
		same(t, fmt.Sprintf("plan of %.40s", question), plan(t, s, question), want)
	}
}

// TestEventsAreReadByTheirIndexes holds how SQLite goes about lists of events. It does not sort all repairs there ever
// were to show the newest, and steps over none of them to show what is rarer.
func TestEventsAreReadByTheirIndexes(t *testing.T) {
	s := open(t, t.TempDir()+"/plumb.db")
	alone := EventFilter{Address: "a"}
	byAddress := alone.where()
	byAddress.and(`e.resources = 1`)
	alone.byAddress(byAddress)
	for name, c := range map[string]struct {
		w    *where
		want string
	}{
		"drift":    {EventFilter{Kinds: []string{EventOpened, EventRepaired}}.where(), "SCAN e"},
		"failures": {EventFilter{Kinds: []string{EventFailed}}.where(), "SEARCH e USING INDEX events_kind (kind=?)"},
		"address":  {byAddress, "SEARCH e USING INDEX events_address (address=?)"},
		"host":     {EventFilter{Host: "h"}.where(), "SEARCH e USING INDEX events_host (host=?)"},
	} {
		same(t, "plan of "+name, plan(t, s, `SELECT * FROM events e`+c.w.String()+` ORDER BY e.id DESC`, c.w.args...), []string{c.want})
	}
	same(t, "plan of reach", plan(t, s, countReach, 1), []string{"SEARCH events USING COVERING INDEX events_release (release=?)", "USE TEMP B-TREE FOR count(DISTINCT)"})
	same(t, "plan of repairs", plan(t, s, countRepairs, 1), []string{"SEARCH events USING COVERING INDEX events_repaired (release=?)"})
}

// plan is how SQLite goes about a question.
func plan(t *testing.T, s *Store, question string, args ...any) []string {
	t.Helper()
	rows, err := s.r.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+question, args...)
	got, err := list(rows, err, func(scan func(...any) error) (step string, err error) {
		var id, parent, unused int
		return step, scan(&id, &parent, &unused, &step)
	})
	must(t, err)
	return got
}

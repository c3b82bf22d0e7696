package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// TestTurns walks from how a random fleet stands now back through its past, and compares each
// instant with the intervals that hosts had then.
func TestTurns(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx, dice := t.Context(), rand.New(rand.NewPCG(1, 2))
		var ids []inventory.HostID
		for i := range 8 {
			ids = append(ids, randomPast(t, s, dice, i))
		}
		var spans []Span
		for at := start.Add(-2 * time.Minute); at.Before(start.Add(2 * time.Hour)); at = at.Add(7 * time.Minute) {
			spans = append(spans, Span{at, at.Add(7 * time.Minute)})
		}
		spans[len(spans)-1].At = time.Time{}
		turns, stands, err := s.TurnsIn(ctx, spans)
		must(t, err)
		for i := len(spans) - 1; i >= 0; i-- {
			for status, n := range turns[i] {
				if stands[status] -= n; stands[status] == 0 {
					delete(stands, status)
				}
			}
			same(t, fmt.Sprint("the fleet at ", spans[i].After), stands, asTheyWere(t, s, ids, spans[i].After))
		}
		if none, now, err := s.TurnsIn(ctx, nil); err != nil || len(none) != 0 || len(now) == 0 {
			t.Errorf("TurnsIn(nothing) = %v, %v, %v, want how the fleet stands now", none, now, err)
		}
	})
}

// randomPast makes a host that changes its mind every few minutes, and may be revoked.
func randomPast(t *testing.T, s *Store, dice *rand.Rand, i int) inventory.HostID {
	t.Helper()
	ctx, at := t.Context(), start.Add(time.Duration(dice.IntN(20))*time.Minute)
	id := enrol(t, s, fmt.Sprint("h", i), at)
	epoch := ""
	for seq := range uint64(dice.IntN(12)) {
		at = at.Add(time.Duration(1+dice.IntN(600)) * time.Second)
		one := step("e", seq+1, fmt.Sprint("r", seq), at)
		one.Host.Found = policies.Statuses[dice.IntN(len(policies.Statuses))]
		must(t, s.Accept(ctx, id, epoch, seq, []Step{one}, at))
		epoch = "e"
	}
	if dice.IntN(4) == 0 {
		must(t, s.Revoke(ctx, id, "ada", at.Add(time.Minute)))
	}
	return id
}

func asTheyWere(t *testing.T, s *Store, ids []inventory.HostID, at time.Time) Turns {
	t.Helper()
	stood := Turns{}
	for _, id := range ids {
		i, err := s.IntervalAt(t.Context(), id, at)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		must(t, err)
		stood[i.Status]++
	}
	return stood
}

func TestStandings(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for i, name := range []string{"a", "b", "c", "d", "e"} {
			id := enrol(t, s, name, start)
			if name == "e" {
				must(t, s.Revoke(ctx, id, "ada", start))
				continue
			}
			if name == "d" {
				continue // it never reports
			}
			one := step("e", 1, []string{"r1", "r2", "r1"}[i], start)
			if name == "b" {
				one.Findings = []Finding{finding("p.x", policies.Noncompliant, start, "cis:1"), finding("p.y", policies.Waived, start)}
				one.Host.Counts = map[policies.Status]int{policies.Noncompliant: 1, policies.Pending: 2}
			}
			must(t, s.Accept(ctx, id, "", 0, []Step{one}, start))
		}
		must(t, s.Seen(ctx, "id-a", Heartbeat{}, start.Add(time.Hour)))
		must(t, s.Seen(ctx, "id-b", Heartbeat{}, start.Add(time.Hour)))
		_, err := s.MarkStale(ctx, start.Add(time.Minute), start.Add(time.Hour))
		must(t, err)

		got, err := s.Standings(ctx)
		must(t, err)
		slices.SortFunc(got, func(a, b Standing) int { return cmp.Compare(a.Sample, b.Sample) })
		same(t, "standings", got, []Standing{{"catalog", "r1", false, 1, "id-a"}, {"catalog", "r2", false, 1, "id-b"}, {"catalog", "r1", true, 1, "id-c"}, {"", "", true, 1, "id-d"}})

		faults, err := s.Faults(ctx, []inventory.HostID{"id-a", "id-b"})
		must(t, err)
		slices.SortFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Address, b.Address) })
		same(t, "faults", faults, []Fault{{"catalog", "r1", "", "", false}, {"catalog", "r2", "p.x", policies.Noncompliant, true}, {"catalog", "r2", "p.y", policies.Waived, true}})

		stands, err := s.Stands(ctx, "a", 2)
		must(t, err)
		same(t, "stands", stands, []Stand{{"id-b", "b", "catalog", "r2", policies.Compliant}, {"id-c", "c", "catalog", "r1", policies.Stale}})
	})
}

// BenchmarkTurns counts 90 days of 10,000 hosts of which each changes three times in four days.
func BenchmarkTurns(b *testing.B) {
	benchBoth(b, 10_000, func(b *testing.B, s *Store) {
		for day := range 90 {
			must(b, s.write(b.Context(), "fill", func(ctx context.Context, tx *sql.Tx) error {
				for i := range 10_000 * 3 / 4 {
					since := start.Add(-time.Duration(day)*24*time.Hour - time.Duration(i)*11*time.Second)
					status := policies.Compliant
					if i%20 == 0 {
						status = policies.Noncompliant
					}
					if _, err := tx.ExecContext(ctx, `INSERT INTO intervals (host, since, until, last_checkin, release, commit_id, catalog, facts, result, status, counts)
						VALUES ($1, $2, $3, $3, 1, 'c', 'x', 'x', 'x', $4, '{}')`, string(benchID(i)), ms(since), ms(since.Add(20*time.Hour)), string(status)); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		for _, days := range []int{1, 7, 30, 90} {
			var spans []Span
			for i := range 60 {
				at := start.Add(-time.Duration(i+1) * time.Duration(days) * 24 * time.Hour / 60)
				spans = append(spans, Span{at, at.Add(time.Duration(days) * 24 * time.Hour / 60)})
			}
			b.Run(fmt.Sprint(days, " days"), func(b *testing.B) {
				for b.Loop() {
					_, _, err := s.TurnsIn(b.Context(), spans)
					must(b, err)
				}
			})
		}
		b.Run("standings", func(b *testing.B) {
			for b.Loop() {
				_, err := s.Standings(b.Context())
				must(b, err)
			}
		})
	})
}

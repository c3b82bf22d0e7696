package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"plumb/policies"
)

// TestStood has hosts with two weeks behind them: whoever asks host by host, at once or over the days gets the same.
func TestStood(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx, dice := t.Context(), rand.New(rand.NewPCG(5, 6))
		for i := range 8 {
			someDays(t, s, dice, i)
		}
		first, last := start.Truncate(24*time.Hour), start.AddDate(0, 0, 14).Truncate(24*time.Hour)
		over := map[int64]map[Standing]int{}
		must(t, s.StoodOver(ctx, first, last, func(one Stood) {
			for at := first; !at.After(last); at = at.AddDate(0, 0, 1) {
				if !one.Since.After(at) && (one.Until.IsZero() || one.Until.After(at)) && one.Catalog != "" {
					count(over, at, Standing{Catalog: one.Catalog, Result: one.Result, Silent: one.Silent})
				}
			}
		}))
		for at := first; !at.After(last); at = at.AddDate(0, 0, 1) {
			each, wanted := map[int64]map[Standing]int{}, map[int64]map[Standing]int{}
			rows, err := s.StandsAt(ctx, at, "", 3)
			must(t, err)
			for len(rows) > 0 {
				for _, row := range rows {
					if row.Catalog != "" {
						count(each, at, Standing{Catalog: row.Catalog, Result: row.Result, Silent: row.Status == policies.Stale})
					}
				}
				rows, err = s.StandsAt(ctx, at, rows[len(rows)-1].Name, 3)
				must(t, err)
			}
			standings, err := s.StandingsAt(ctx, at)
			must(t, err)
			for _, one := range standings {
				for range one.Hosts {
					if one.Catalog != "" {
						count(wanted, at, Standing{Catalog: one.Catalog, Result: one.Result, Silent: one.Silent})
					}
				}
			}
			same(t, fmt.Sprint("hosts one by one at ", at), each, wanted)
			same(t, fmt.Sprint("hosts over the days at ", at), over[ms(at)], wanted[ms(at)])
		}
	})
}

func count(all map[int64]map[Standing]int, at time.Time, one Standing) {
	if all[ms(at)] == nil {
		all[ms(at)] = map[Standing]int{}
	}
	all[ms(at)][one]++
}

// someDays tells of a host: runs that find this or that or nothing, at midnight too, silence, and sometimes an end.
func someDays(t *testing.T, s *Store, dice *rand.Rand, i int) {
	t.Helper()
	ctx, at := t.Context(), start.Add(time.Duration(dice.IntN(50))*time.Hour)
	id := enrol(t, s, fmt.Sprint("h", i), at)
	epoch := ""
	for seq := range uint64(dice.IntN(25)) {
		at = at.Add(time.Duration(1+dice.IntN(20)) * time.Hour) // often on the very hour of a midnight
		one := step("e", seq+1, fmt.Sprint("r", dice.IntN(3)), at)
		if dice.IntN(4) == 0 {
			one.Host.Catalog, one.Host.Result, one.Host.Problem = "", "", "does not compile"
		}
		must(t, s.Accept(ctx, id, epoch, seq, []Step{one}, at))
		epoch = "e"
		if dice.IntN(6) == 0 {
			_, err := s.MarkStale(ctx, at.Add(time.Minute), at.Add(time.Minute))
			must(t, err)
		}
	}
	if dice.IntN(4) == 0 {
		must(t, s.Revoke(ctx, id, "ada", at.Add(time.Hour)))
	}
}

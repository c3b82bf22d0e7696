package store

import (
	"errors"
	"testing"
	"time"
)

func TestCycles(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if _, err := s.NewestCycle(ctx, "security"); !errors.Is(err, ErrNotFound) {
			t.Errorf("NewestCycle before the first = %v, want ErrNotFound", err)
		}
		row := func(rollout string, n uint64, state string) Cycle {
			made := start.Add(time.Duration(n) * time.Second)
			return Cycle{Rollout: rollout, Number: n, Set: "set", Made: made, State: state, Updated: made}
		}
		must(t, s.SaveCycle(ctx, row("security", 1, `{}`), row("security", 2, `{}`), row("kernel", 1, `{}`)))
		must(t, s.SaveCycle(ctx, row("security", 3, `{}`), row("security", 2, `{"a":1}`)))
		all, err := s.Cycles(ctx, "security", 0, 0)
		must(t, err)
		same(t, "all", all, []Cycle{row("security", 3, `{}`), row("security", 2, `{"a":1}`), row("security", 1, `{}`)})
		page, err := s.Cycles(ctx, "security", 1, 3)
		must(t, err)
		same(t, "page", page, []Cycle{row("security", 2, `{"a":1}`)})
		newest, err := s.NewestCycle(ctx, "kernel")
		must(t, err)
		same(t, "newest", newest, row("kernel", 1, `{}`))
		recent, err := s.RecentCycles(ctx, 3)
		must(t, err)
		same(t, "recent", recent, []Cycle{row("security", 3, `{}`), row("security", 2, `{"a":1}`), row("kernel", 1, `{}`)})
		names, err := s.CycleRollouts(ctx)
		must(t, err)
		same(t, "rollouts", names, []string{"kernel", "security"})
		must(t, s.SaveCycle(ctx))
	})
}

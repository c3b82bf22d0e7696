package store

import (
	"testing"
	"time"
)

func TestRollouts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		none, err := s.Rollouts(ctx, 0, 0)
		must(t, err)
		same(t, "rollouts before the first", none, []Rollout{})
		row := func(n uint64, state string) Rollout {
			return Rollout{Release: n, State: state, Updated: start.Add(time.Duration(n) * time.Second)}
		}
		must(t, s.PutRollouts(ctx, row(1, `{"a":1}`), row(2, `{}`), row(3, `{}`)))
		must(t, s.PutRollouts(ctx, row(2, `{"b":2}`)))
		all, err := s.Rollouts(ctx, 0, 0)
		must(t, err)
		same(t, "all", all, []Rollout{row(3, `{}`), row(2, `{"b":2}`), row(1, `{"a":1}`)})
		page, err := s.Rollouts(ctx, 1, 3)
		must(t, err)
		same(t, "page", page, []Rollout{row(2, `{"b":2}`)})
		must(t, s.PutRollouts(ctx))
	})
}

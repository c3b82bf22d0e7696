package store

import "testing"

func TestAnswers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.PutAnswers(ctx, "set", map[string][]string{"openssl": {"DSA-2", "DSA-1"}, "bash": {"DSA-3"}}))
		must(t, s.PutAnswers(ctx, "set", map[string][]string{"openssl": {"DSA-1"}}))
		got, err := s.Answers(ctx, "set")
		must(t, err)
		same(t, "answers", got, map[string][]string{"openssl": {"DSA-1", "DSA-2"}, "bash": {"DSA-3"}})
		got, err = s.Answers(ctx, "another")
		must(t, err)
		same(t, "answers of an unknown set", got, map[string][]string{})
	})
}

func TestHasSet(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		must(t, s.SaveCycle(t.Context(), Cycle{Rollout: "os", Number: 1, Set: "set", Made: start, State: "{}", Updated: start}))
		for set, want := range map[string]bool{"set": true, "another": false} {
			got, err := s.HasSet(t.Context(), set)
			must(t, err)
			same(t, "has "+set, got, want)
		}
	})
}

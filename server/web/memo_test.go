package web

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memo[int]
		calls, broken := 0, false
		find := func(context.Context) (int, error) {
			if broken {
				return 0, errors.New("the store is gone")
			}
			calls++
			return calls, nil
		}
		for _, step := range []struct {
			after  time.Duration
			broken bool
			want   int
			seen   time.Duration
			fails  bool
		}{
			{after: 0, broken: true, fails: true},
			{after: 0, want: 1, seen: 0},
			{after: memoFresh - 1, want: 1, seen: 0},
			{after: memoFresh, want: 1, seen: 0}, // and somebody looks again
			{after: memoFresh + 1, want: 2, seen: memoFresh},
			{after: memoFresh + memoStale - 1, broken: true, want: 2, seen: memoFresh},
			{after: memoFresh + memoStale, broken: true, fails: true},
			{after: memoFresh + memoStale, want: 3, seen: memoFresh + memoStale},
			{after: -time.Hour, want: 4, seen: -time.Hour}, // the clock was set back
		} {
			broken = step.broken
			got, seen, err := m.of(t.Context(), start.Add(step.after), find)
			synctest.Wait()
			if (err != nil) != step.fails || !step.fails && (got != step.want || !seen.Equal(start.Add(step.seen))) {
				t.Errorf("after %v: %d of %v, %v; want %d of %v", step.after, got, seen.Sub(start), err, step.want, step.seen)
			}
		}
	})
}

// TestMemoLetsGo wants a value that nobody would be shown any more to be let go, though nobody asks for it.
func TestMemoLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memo[[]int]
		look := func() {
			_, _, err := m.of(t.Context(), time.Now(), func(context.Context) ([]int, error) { return []int{1}, nil })
			must(t, err)
		}
		held := func() bool {
			synctest.Wait()
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.value != nil
		}
		look()
		time.Sleep(memoStale - time.Second)
		look() // somebody finds it out anew
		time.Sleep(memoStale - time.Second)
		if !held() {
			t.Error("a value was let go that may still be shown")
		}
		time.Sleep(2 * time.Second)
		if held() {
			t.Error("an old value is held")
		}
	})
}

func TestMemosAreBounded(t *testing.T) {
	var m memos[int]
	for i := range 3 * mostMemos {
		m.named(decimal(i))
	}
	if len(m.all) > mostMemos || m.named("x") != m.named("x") {
		t.Errorf("%d memos are kept, want %d at most, each once", len(m.all), mostMemos)
	}
}

package agent

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestListsAreFetchedWherePolicyPatches(t *testing.T) {
	r := newRig(t)
	fetches, fail := 0, error(nil)
	r.agent.FetchLists = func(context.Context) error { fetches++; return fail }
	r.publish(1, 0, r.tree("one"))
	r.enroll("https://")
	round := func(want int, why string) {
		t.Helper()
		r.round()
		if fetches != want {
			t.Fatalf("%s: lists were fetched %d times, want %d", why, fetches, want)
		}
	}
	round(0, "first round")
	round(0, "no policy patches the host")
	r.publish(2, 1, r.patchTree("two"))
	round(0, "the release comes with this round")
	round(1, "a policy patches the host")
	round(1, "they are fresh")
	r.clock = listsEvery
	fail = errors.New("no mirror")
	round(2, "they are old")
	r.clock += listsAgain - time.Minute
	round(2, "it failed a moment ago")
	r.clock += time.Minute
	fail = nil
	round(3, "it failed a while ago")
	r.clock = 0
	round(4, "the clock was set back")
	if err := r.agent.Dir.Pause(time.Now().Add(100*time.Hour), "by hand"); err != nil {
		t.Fatal(err)
	}
	r.clock = 2 * listsEvery
	round(4, "the administrator holds changes back")
}

package rollout

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/server/store"
)

// seen are the standings of a ring in short.
func (v *server) seen(number uint64, ring string) map[string]Outcome {
	v.t.Helper()
	list, err := v.Standings(ID{Rollout: "security", Number: number}, ring)
	v.ok(err)
	got := map[string]Outcome{}
	for _, s := range list {
		if s.Given {
			got[s.Name] = s.Outcome
		}
	}
	return got
}

// TestGlance wants a glance to tell what Show tells, without a step.
func TestGlance(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("set 1", nil)
	v.step()
	v.done("c1")
	v.patched("c2", policies.Failed, policies.PhaseInstall)
	if got := v.Glimpses()[0].Book[0].Tallies["canary"]; got.Converged+got.Failed > 0 {
		t.Fatalf("a glance took a step: %+v", got)
	}
	_, shown := v.ring("canary")
	all := v.Glimpses()
	if len(all) != 1 || all[0].Name != "security" || all[0].Samples["broad"] != "b1" || !all[0].Seen.Equal(v.now) {
		t.Fatalf("Glimpses = %+v, want that of security, releases have no rings", all)
	}
	p := all[0].Book[0]
	if diff := cmp.Diff([]any{shown.Tallies, shown.Waits, shown.Failed, shown.Lacking}, []any{p.Tallies, p.Waits, p.Failed, p.Lacking}); diff != "" {
		t.Errorf("a glance differs from Show (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]Outcome{"c1": Converged, "c2": Failed}, v.seen(1, "canary")); diff != "" {
		t.Errorf("Standings (-want +got):\n%s", diff)
	}
	for _, id := range []ID{{Rollout: "security", Number: 2}, {Rollout: "other", Number: 1}, {Number: 9}} {
		if _, err := v.Standings(id, "canary"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Standings(%s) = %v, want ErrNotFound", id, err)
		}
	}
}

// TestGlanceAtWhatIsDone wants hosts counted that were never given what is for all by now.
func TestGlanceAtWhatIsDone(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("set 1", nil)
	v.step()
	v.done("c1", "c2")
	v.soak()
	v.done("b1", "b2")
	v.step()
	v.enrol("b3", "broad")
	v.run("b3", policies.Compliant, policies.Enforce)
	v.now = v.now.Add(2 * relook)
	v.step()
	p := v.Glimpses()[0].Book[0]
	if p.Done.IsZero() || p.Tallies["broad"].Members != 3 || p.Tallies["broad"].Converged != 2 || p.Tallies["broad"].Waiting != 1 {
		t.Fatalf("done %v, broad %+v, want two that converged and one that waits", p.Done, p.Tallies["broad"])
	}
	v.done("b3")
	v.now = v.now.Add(2 * relook)
	v.step()
	if diff := cmp.Diff(map[string]Outcome{"b1": Converged, "b2": Converged, "b3": Converged}, v.seen(1, "broad")); diff != "" {
		t.Errorf("Standings (-want +got):\n%s", diff)
	}
}

// TestGlanceWaitsForNoStep wants pages answered while the engine looks at a large fleet, with what it saw before.
func TestGlanceWaitsForNoStep(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("set 1", nil)
	v.step()
	v.Driver.mu.Lock() // as a step does
	defer v.Driver.mu.Unlock()
	done := make(chan int)
	go func() {
		list, _ := v.Standings(ID{Rollout: "security", Number: 1}, "canary")
		done <- len(v.Glimpses()) + len(list)
	}()
	select {
	case n := <-done:
		if n != 3 {
			t.Errorf("%d ways and hosts, want one way and two hosts", n)
		}
	case <-time.After(10 * time.Second):
		t.Error("a glance waits for a step")
	}
}

package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

func drawPlan(t *rapid.T) policies.Rollout {
	p := plan(func(p *policies.Rollout) {
		for i := range p.Rings {
			p.Rings[i].Gate = policies.Gate{Converged: rapid.Float64Range(0, 100).Draw(t, "converged"), Soak: rapid.IntRange(0, 120).Draw(t, "soak"),
				Approval: rapid.Bool().Draw(t, "approval"), MinHosts: rapid.IntRange(0, 3).Draw(t, "min hosts")}
			if rapid.Bool().Draw(t, "paced") {
				p.Rings[i].MaxUnavailable = &policies.Share{Count: rapid.IntRange(1, 4).Draw(t, "max unavailable")}
			}
		}
	})
	if rapid.Bool().Draw(t, "budget") {
		p.Budget = &policies.Budget{Count: count(rapid.IntRange(0, 3).Draw(t, "count")), MinSample: 1}
	}
	return p
}

func drawHosts(t *rapid.T, ids []inventory.HostID) map[inventory.HostID]Host {
	hosts := map[inventory.HostID]Host{}
	for _, id := range ids {
		hosts[id] = Host{Release: uint64(rapid.IntRange(0, 3).Draw(t, "release")), Passing: rapid.Bool().Draw(t, "passing"), Broken: rapid.Bool().Draw(t, "broken"),
			Problem: rapid.SampledFrom([]string{"", "", "p", "q"}).Draw(t, "problem"), Silent: rapid.Bool().Draw(t, "silent"), Base: 1,
			LastSeen: start.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seen")) * time.Second)}
	}
	return hosts
}

// Whatever the hosts say: Decide leaves its input alone, is as good after a crash as before, gives
// the release to nobody while it is held, and calls nothing done that has not passed.
func TestDecideProperties(t *testing.T) {
	ids := []inventory.HostID{"a", "b", "c", "d", "e", "f"}
	rapid.Check(t, func(t *rapid.T) {
		state := New(store.Release{Number: 2, RollbackTo: 1, Made: start}, []policies.Rollout{drawPlan(t)})
		now := start
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			split := rapid.IntRange(0, len(ids)).Draw(t, "split")
			members := Members{"canary": ids[:split], "broad": ids[split:]}
			hosts := drawHosts(t, ids)
			now = now.Add(time.Duration(rapid.IntRange(-60, 120).Draw(t, "passed")) * time.Second)
			state.Frozen = rapid.Bool().Draw(t, "frozen")
			kept := copied(t, state)
			next, _ := Decide(state, members, hosts, now)
			if diff := cmp.Diff(kept, copied(t, state)); diff != "" {
				t.Fatalf("Decide changed its input:\n%s", diff)
			}
			again, _ := Decide(copied(t, state), members, hosts, now)
			if diff := cmp.Diff(copied(t, next), copied(t, again)); diff != "" {
				t.Fatalf("after a crash Decide says something else:\n%s", diff)
			}
			checkProperties(t, state, next, hosts)
			state = next
		}
	})
}

func copied(t *rapid.T, s State) State { return reload(t, s) }

func checkProperties(t *rapid.T, before, after State, hosts map[inventory.HostID]Host) {
	passed := true
	for i, r := range after.Rings {
		if i > 0 && r.Phase != Waiting && after.Rings[i-1].Phase != Passed {
			t.Fatalf("%s is %s behind a ring that is %s", r.Name, r.Phase, after.Rings[i-1].Phase)
		}
		if old := before.Rings[i].Phase; (old == Passed || old == Halted) && old != r.Phase {
			t.Fatalf("%s went from %s to %s by itself", r.Name, old, r.Phase)
		}
		passed = passed && r.Phase == Passed
	}
	if passed == after.Done.IsZero() {
		t.Fatalf("passed: %v, done: %v", passed, after.Done)
	}
	for id := range after.Hosts {
		if _, had := before.Hosts[id]; !had && before.Frozen && hosts[id].Release != after.Release {
			t.Fatalf("%s got the release in a freeze", id)
		}
	}
}

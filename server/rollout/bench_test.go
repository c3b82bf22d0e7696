package rollout

import (
	"fmt"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// BenchmarkDecide is one step of a rollout in the middle of a ring of 10,000 hosts.
func BenchmarkDecide(b *testing.B) {
	state := New(store.Release{Number: 2, RollbackTo: 1, Made: start}, []policies.Rollout{plan(nil)})
	hosts, rings := map[inventory.HostID]Host{}, Members{}
	for i := range 10_000 {
		id := inventory.HostID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		rings["canary"] = append(rings["canary"], id)
		hosts[id] = Host{Release: uint64(1 + i%2), Passing: true, LastSeen: start, Base: 1}
	}
	state, _ = Decide(state, rings, hosts, start)
	for b.Loop() {
		Decide(state, rings, hosts, start.Add(time.Second))
	}
}

package store

import (
	"testing"

	"plumb/policies"
)

// A release is counted by host, and drift that was mended under it is not its doing.
func TestReach(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for _, name := range []string{"web1", "web2"} {
			one := step("e", 1, "r1", start)
			one.Host.Release = 2
			one.Events = []Event{
				{Seq: 1, At: start, Kind: EventRepaired, Address: "a", Cause: policies.Intentional, Release: 2},
				{Seq: 1, At: start, Kind: EventRepaired, Address: "b", Cause: policies.Intentional, Release: 2},
				{Seq: 1, At: start, Kind: EventRepaired, Address: "c", Cause: policies.Corrective, Release: 2},
				{Seq: 1, At: start, Kind: EventFailed, Address: "d", Cause: policies.Corrective, Release: 2},
				{Seq: 1, At: start, Kind: EventRefused, Release: 3},
			}
			must(t, s.Accept(ctx, enrol(t, s, name, start), "", 0, []Step{one}, start))
		}
		got, err := s.Reach(ctx, 2)
		must(t, err)
		same(t, "reach of 2", got, Reach{Hosts: 2, Events: map[string]int{EventRepaired: 2}})
		got, err = s.Reach(ctx, 3)
		must(t, err)
		same(t, "reach of 3", got, Reach{Hosts: 0, Events: map[string]int{EventRefused: 2}})
	})
}

package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"plumb/inventory"
	"plumb/policies"
)

// TestDeliveriesShareACommit has reports of many hosts arrive together, some too late and some that the
// database refuses. Each gets its own outcome, and the others are stored, once.
func TestDeliveriesShareACommit(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		ids := make([]inventory.HostID, 30)
		for i := range ids {
			ids[i] = enrol(t, s, fmt.Sprintf("web%d", i), start)
		}
		errs := make([]error, len(ids))
		var wg sync.WaitGroup
		for i, id := range ids {
			one := step("e", 1, fmt.Sprint("r", i), start)
			one.Events = []Event{{Seq: 1, At: start, Kind: EventRepaired, Address: "a"}, {Seq: 1, At: start, Kind: EventRepaired, Address: "b"}}
			one.Findings = []Finding{finding("a", policies.Noncompliant, start, "cis:1"), finding("c", policies.Failed, start)}
			after := uint64(0)
			switch i % 3 {
			case 1: // somebody else was faster
				after = 9
			case 2: // the same resource twice, which no table takes
				one.PatchHosts = []PatchHost{{Rollout: "r"}, {Rollout: "r", Message: string([]byte{'a', 0, 'b'})}}
				one.Findings = append(one.Findings, Finding{Address: "d", Controls: []string{"x\x00y"}, Status: policies.Failed, Severity: "\x00"})
			}
			wg.Go(func() { errs[i] = s.Accept(ctx, id, "", after, []Step{one}, start) })
		}
		wg.Wait()
		for i, id := range ids {
			events, err := s.Events(ctx, EventFilter{Host: id, Kinds: []string{EventRepaired}})
			must(t, err)
			findings, err := s.FindingsOf(ctx, id)
			must(t, err)
			seq, err := s.Accepted(ctx, id, "e")
			must(t, err)
			stored := errs[i] == nil
			if i%3 == 0 && !stored || i%3 == 1 && !errors.Is(errs[i], ErrConflict) || i%3 == 2 && s.postgres && stored {
				t.Errorf("host %d got error %v", i, errs[i])
			}
			if stored != (len(events) == 2) || stored != (len(findings) >= 2) || stored != (seq == 1) {
				t.Errorf("host %d got error %v, and has %d events, %d findings and report %d", i, errs[i], len(events), len(findings), seq)
			}
		}
		events, err := s.Events(ctx, EventFilter{Host: ids[0], Kinds: []string{EventRepaired}})
		must(t, err)
		if len(events) == 2 && (events[0].Address != "b" || events[1].Address != "a") {
			t.Errorf("events are in the order %s, %s, want the newest first", events[0].Address, events[1].Address)
		}
	})
}

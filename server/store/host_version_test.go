package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"plumb/inventory"
)

// TestVersionsTellOfThePast has hosts do anything: whose past is not what it was has another version, and who only called has not.
func TestVersionsTellOfThePast(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	dice, ctx := rand.New(rand.NewPCG(7, 8)), t.Context()
	fleet := newRosterFleet(t, s, 8)
	twin := func(f *rosterFleet, id inventory.HostID, n int) { must(f, f.s.NoteTwin(f.Context(), id, f.at(n))) }
	acts := []func(*rosterFleet, inventory.HostID, int){(*rosterFleet).report, (*rosterFleet).call, (*rosterFleet).seen, (*rosterFleet).verify, (*rosterFleet).silence, (*rosterFleet).revoke, twin}
	past := func() map[inventory.HostID]string {
		all := map[inventory.HostID]string{}
		where := PastRange{Hosts: fleet.ids}
		must(t, s.PastIntervals(ctx, where, start.AddDate(0, 0, -1), func(i PastInterval) { all[i.Host] += fmt.Sprintf("%+v\n", i) }))
		must(t, s.PastEvents(ctx, where, start.AddDate(0, 0, -1), func(e PastEvent) { all[e.Host] += fmt.Sprintf("%+v\n", e) }))
		return all
	}
	before, versions, changes := past(), map[inventory.HostID]uint64{}, 0
	for n := range 150 {
		acts[dice.IntN(len(acts))](fleet, fleet.ids[dice.IntN(len(fleet.ids))], n)
		now := past()
		for _, id := range fleet.ids {
			version, known := s.Version(id)
			if !known || now[id] != before[id] && version == versions[id] {
				t.Fatalf("the version of %s is %d (known: %v) as before round %d, and its past is not\n%s", id, version, known, n, now[id])
			}
			if versions[id] != version {
				versions[id] = version
				changes++
			}
		}
		before = now
	}
	for _, id := range fleet.ids {
		fleet.call(id, 1000)
		must(t, s.settleBeats(ctx)) // it may have been silent
		was, _ := s.Version(id)
		fleet.call(id, 1001)
		must(t, s.settleBeats(ctx))
		if now, _ := s.Version(id); now != was {
			t.Errorf("the version of %s went from %d to %d with a call", id, was, now)
		}
	}
	if changes < 50 {
		t.Errorf("there were %d changes, want more to look at", changes)
	}
}

package views

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/kpi"
	"plumb/server/rollout"
	"plumb/server/store"
)

// patched enrols a host and lets it report about a cycle of os, so many minutes after noon.
func (b bench) patched(name string, minutes int, row store.PatchHost, kind string) {
	b.Helper()
	id := inventory.HostID("id-" + name)
	at := noon.Add(time.Duration(minutes) * time.Minute)
	b.must(b.Store.CreateToken(b.Context(), store.Token{ID: name, Hash: name, Created: noon, Expires: noon.Add(time.Hour)}))
	b.must(b.Store.CreateHost(b.Context(), store.Host{Host: inventory.Host{ID: id, Name: name}, Key: name}, name, noon))
	row.Rollout, row.Ring, row.Since = "os", "canary", at
	step := store.Step{NewInterval: true, Report: policies.Report{Epoch: "e", Seq: 1}, PatchHosts: []store.PatchHost{row},
		Host:   store.Host{Release: 1, Result: name, Since: at, Ran: at, Found: policies.Compliant, Counts: map[policies.Status]int{policies.Compliant: 1}},
		Events: []store.Event{{Seq: 1, At: at, Kind: kind, Address: "rollout.os", Status: row.Status, Release: 1}}}
	b.must(b.Store.Accept(b.Context(), id, "", 0, []store.Step{step}, at))
}

// TestCycleRecord has a first cycle that is through on two hosts, and a second one that failed on
// a third host and that a person rolled back.
func TestCycleRecord(t *testing.T) {
	b := newBench(t)
	b.cycle(1, noon, []patch.Item{setItem("bash", "1")}, func(s *rollout.State) {
		s.Done = noon.Add(30 * time.Minute)
		s.History = []rollout.Entry{{At: noon, Ring: "canary", What: "rolling"}, {At: s.Done, What: "done"}}
	})
	second := b.cycle(2, noon.Add(time.Hour), []patch.Item{setItem("bash", "2"), setItem("curl", "1")}, func(s *rollout.State) {
		s.Rings[0].Phase = rollout.RolledBack
		s.History = []rollout.Entry{{At: s.Made, Ring: "canary", What: "rolling"},
			{At: s.Made.Add(20 * time.Minute), Ring: "canary", What: "rolled_back", Who: "alice", Why: "it harms"}}
	})
	b.patched("a", 10, store.PatchHost{Cycle: 1, Status: policies.Repaired, Phase: policies.PhaseDone}, store.EventRepaired)
	b.patched("b", 20, store.PatchHost{Cycle: 1, Status: policies.Repaired, Phase: policies.PhaseDone}, store.EventRepaired)
	b.patched("c", 70, store.PatchHost{Cycle: 2, Status: policies.Failed, Phase: policies.PhaseRolledBack, Message: "a probe failed"}, store.EventFailed)
	list, err := b.ChangeRecords(b.Context(), 20)
	b.must(err)
	begun, ended, firstEnd := noon.Add(time.Hour), noon.Add(80*time.Minute), noon.Add(30*time.Minute)
	people := []RolloutEvent{{At: ended, Ring: "canary", What: "rolled_back", Who: "alice", Why: "it harms"}}
	rings := func(phase string, since *time.Time) []RingRecord {
		return []RingRecord{{Name: "canary", Group: "canary", Phase: phase, Begun: since}, {Name: "early", Group: "web", Phase: "waiting"}}
	}
	want := []ChangeRecord{
		{ID: "os/2", Kind: kpi.Cycle, Phase: "rolled_back", Begun: &begun, Ended: &ended, People: people, Rings: rings("rolled_back", &begun),
			Change: Change{Release: Release{Number: 2, Made: begun, Subject: "2 packages by os"}, Hosts: 3, Reached: 1, Failed: 1},
			Cycle:  &CycleRecord{Rollout: "os", Set: second.Set, Packages: 2, RolledBack: 1}},
		{ID: "os/1", Kind: kpi.Cycle, Phase: "done", Begun: &noon, Ended: &firstEnd, People: []RolloutEvent{}, Rings: rings("rolling", &noon),
			Change: Change{Release: Release{Number: 1, Made: noon, Subject: "1 package by os"}, Hosts: 3, Reached: 2, Changed: 2},
			Cycle:  &CycleRecord{Rollout: "os", Set: list[1].Cycle.Set, Packages: 1, Converged: 2}},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("records differ (-want +got):\n%s", diff)
	}
	one, err := b.ChangeRecord(b.Context(), rollout.ID{Rollout: "os"}, noon.Add(2*time.Hour)) // the newest
	b.must(err)
	wantHosts := []CycleHost{{Name: "c", Ring: "canary", Status: policies.Failed, Phase: policies.PhaseRolledBack, Since: noon.Add(70 * time.Minute), Message: "a probe failed"}}
	if diff := cmp.Diff(wantHosts, one.Cycle.Hosts); diff != "" {
		t.Errorf("hosts differ (-want +got):\n%s", diff)
	}
	if v := one.Verdict; v == nil || v.Outcome != kpi.Failed || v.Why != "a ring was rolled back" || v.Failed != 1 {
		t.Errorf("verdict of os/2 = %+v", v)
	}
	if len(one.Cycle.Items) != 2 || len(one.Events) != 1 || one.Events[0].Host != "c" {
		t.Errorf("os/2 has the items %v and the events %v", one.Cycle.Items, one.Events)
	}
	first, err := b.ChangeRecord(b.Context(), rollout.ID{Rollout: "os", Number: 1}, noon.Add(2*time.Hour))
	b.must(err)
	if v := first.Verdict; v == nil || v.Outcome != kpi.Succeeded || v.Converged != 2 || len(first.Events) != 2 {
		t.Errorf("verdict of os/1 = %+v, %d events", v, len(first.Events))
	}
	if _, err := b.ChangeRecord(b.Context(), rollout.ID{Rollout: "os", Number: 3}, noon); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("record of a cycle that is not there: %v, want ErrNotFound", err)
	}
}

// TestReleaseRecord has a release that went to all hosts at once, and one that a person promoted.
func TestReleaseRecord(t *testing.T) {
	b := newBench(t)
	b.must(b.Store.AddRelease(b.Context(), store.Release{Number: 1, Made: noon}))
	b.must(b.Store.AddRelease(b.Context(), store.Release{Number: 2, Made: noon.Add(time.Minute)}))
	plan := osPlan()
	s := rollout.State{Release: 2, Made: noon.Add(time.Minute), Plan: &plan, Rings: []rollout.Ring{{Name: "canary", Phase: rollout.Passed}, {Name: "early", Phase: rollout.Halted}},
		History: []rollout.Entry{{At: noon.Add(time.Minute), Ring: "canary", What: "rolling"}, {At: noon.Add(2 * time.Minute), Ring: "canary", What: "passed", Who: "bob", Why: "seen it"}}}
	raw, err := json.Marshal(s)
	b.must(err)
	b.must(b.Store.PutRollouts(b.Context(), store.Rollout{Release: 2, State: string(raw)}))
	list, err := b.ChangeRecords(b.Context(), 20)
	b.must(err)
	if len(list) != 2 || list[0].ID != "2" || list[0].Phase != "halted" || list[1].Phase != "done" || list[1].Ended == nil {
		t.Fatalf("records = %+v", list)
	}
	one, err := b.ChangeRecord(b.Context(), rollout.ID{Number: 2}, noon.Add(time.Hour))
	b.must(err)
	if len(one.People) != 1 || one.People[0].Who != "bob" || one.Verdict == nil || one.Verdict.Outcome != kpi.Open {
		t.Errorf("record of 2 = %+v, verdict %+v", one.People, one.Verdict)
	}
	if same, err := b.ChangeRecordOf(b.Context(), "2", noon.Add(time.Hour)); err != nil || same.ID != "2" {
		t.Errorf("record of \"2\" = %s, %v", same.ID, err)
	}
	for _, id := range []string{"", "0", "3", "newest", "os", "os/0", "-"} {
		if _, err := b.ChangeRecordOf(b.Context(), id, noon); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("record of %q: %v, want ErrNotFound", id, err)
		}
	}
	if few, err := b.ChangeRecords(b.Context(), 1); err != nil || len(few) != 1 {
		t.Errorf("one record = %v, %v", few, err)
	}
}

package rollout

import (
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

func TestBusy(t *testing.T) {
	given := func(cycle uint64, seen time.Time) State {
		return State{Release: cycle, Plan: &policies.Rollout{}, Superseded: 9, Hosts: map[inventory.HostID]Grant{"h": {Seen: seen}}}
	}
	ended := given(1, start)
	ended.Withdrawn = &Act{}
	called := start.Add(time.Minute)
	row := func(cycle uint64, phase string) store.PatchHost { return store.PatchHost{Cycle: cycle, Phase: phase} }
	cases := map[string]struct {
		older        []State
		row          store.PatchHost
		busy, unsure bool
	}{
		"nothing before":                   {nil, row(0, ""), false, false},
		"never given":                      {[]State{{Release: 1}}, row(0, ""), false, false},
		"has not called since":             {[]State{given(1, called)}, row(0, ""), false, true},
		"called and said nothing":          {[]State{given(1, start)}, row(0, ""), true, true},
		"called and waits":                 {[]State{given(1, start)}, row(1, policies.PhaseIdle), true, true},
		"at work":                          {[]State{given(1, start)}, row(1, policies.PhaseReboot), true, false},
		"at work in one that policy ended": {[]State{ended}, row(1, policies.PhaseReboot), true, false},
		"policy ended it":                  {[]State{ended}, row(0, ""), true, true},
		"at work, and never given":         {[]State{{Release: 1}}, row(1, policies.PhaseInstall), true, false},
		"done":                             {[]State{given(1, start)}, row(1, policies.PhaseDone), false, false},
		"back again":                       {[]State{given(1, start)}, row(1, policies.PhaseRolledBack), false, false},
		"at work behind one that it never fetched": {[]State{given(2, called), given(1, start)}, row(1, policies.PhaseReboot), true, false},
		"done behind one that it never fetched":    {[]State{given(2, called), given(1, start)}, row(1, policies.PhaseDone), false, true},
		"a newer one is reported":                  {[]State{given(1, start)}, row(2, policies.PhaseDone), false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if b, u := busy(c.older, store.Host{Host: inventory.Host{ID: "h"}, LastSeen: called}, c.row); b != c.busy || u != c.unsure {
				t.Errorf("busy = %v, unsure = %v, want %v, %v", b, u, c.busy, c.unsure)
			}
		})
	}
}

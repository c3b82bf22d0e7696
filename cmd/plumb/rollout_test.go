package main

import (
	"strings"
	"testing"

	"plumb/policies"
	"plumb/server/views"
)

// TestRolloutShowsWhatHostsDo has three hosts at work on a patch cycle.
func TestRolloutShowsWhatHostsDo(t *testing.T) {
	var out strings.Builder
	shell := &terminal{out: &out}
	work := func(host, phase string) views.PatchProgress {
		return views.PatchProgress{Host: host, Rollout: "os", Cycle: 3, Phase: phase, Done: 3, Total: 20}
	}
	shell.printRollout(views.Rollout{Name: "os", Title: "cycle 3 of os", Cycle: 3, Phase: "rolling",
		Work: []views.PatchProgress{work("h1", policies.PhaseInstall), work("h2", policies.PhaseReboot), work("h3", policies.PhaseRollback)}})
	want := "h1: installing 3 of 20\nh2: rebooting\nh3: going back to the versions before\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("rollout show =\n%s\nwant in it\n%s", out.String(), want)
	}
}

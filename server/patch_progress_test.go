package server_test

import (
	"net/http"
	"testing"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/server/views"
)

// TestProgressOfPatchCycles lets a host tell what it is at work on, and a viewer see it.
func TestProgressOfPatchCycles(t *testing.T) {
	r := start(t)
	cert, _, _, _ := r.enroll(t, "web1")
	in := protocol.CheckIn{Version: protocol.Version, Reports: []policies.Report{}, Patching: []protocol.Progress{
		{Rollout: "os", Cycle: 3, Phase: policies.PhaseInstall, Done: 3, Total: 20}, {Rollout: "apps", Cycle: 1, Phase: policies.PhaseVerify}}}
	if code, body, err := r.overTLS(r.at.Agents, cert).try("POST", protocol.PathCheckIn, in); err != nil || code != http.StatusOK {
		t.Fatalf("check-in: %d, %s, %v", code, body, err)
	}
	viewer := r.person(t, "viewer")
	for query, want := range map[string][]string{"": {"apps/1", "os/3"}, "?rollout=os": {"os/3"}, "?rollout=none": {}} {
		var list []views.PatchProgress
		if code := viewer.do(t, "GET", "/v1/patch/progress"+query, nil, &list); code != http.StatusOK || len(list) != len(want) {
			t.Fatalf("progress%s: %d, %+v, want %v", query, code, list, want)
		}
		for _, p := range list {
			if p.Host != "web1" || p.Since.IsZero() || p.Rollout == "os" && p.Words() != "installing 3 of 20" {
				t.Errorf("progress%s = %+v, %s", query, p, p.Words())
			}
		}
	}
}

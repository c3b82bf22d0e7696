package fleet

import (
	"encoding/json"
	"testing"

	"plumb/policies"
	"plumb/server/store"
)

func patchRun(patched *policies.Patched, status policies.Status) Run {
	c := policies.Catalog{Resources: []policies.Resource{
		{Address: "policy.p.file.a", Kind: "file", Attributes: json.RawMessage(`{"rollout":"not","ring":"this"}`)},
		{Address: "rollout.os", Kind: "patch", Attributes: json.RawMessage(`{"rollout":"os","ring":"canary","baseline":{"name":"b"}}`)},
		{Address: "rollout.odd", Kind: "patch", Attributes: json.RawMessage(`[]`)},
		{Address: "rollout.twin", Kind: "patch", Attributes: json.RawMessage(`{"rollout":"os","ring":"other"}`)},
	}}
	r := policies.Result{Resources: []policies.ResourceResult{
		{Address: "policy.p.file.a", Status: policies.Compliant},
		{Address: "rollout.os", Status: status, Message: "waits", Patched: patched},
		{Address: "rollout.odd", Status: status, Patched: patched},
		{Address: "rollout.twin", Status: status, Patched: patched}}}
	return Run{Report: policies.Report{Epoch: "e", Seq: 1, Release: 1, Finished: start}, Catalog: &c, Result: foundOf(r)}
}

func TestDerivePatchHosts(t *testing.T) {
	full := policies.Patched{Cycle: 4, Set: "abc", Phase: policies.PhaseReboot, Reboot: []string{"linux-image-amd64"}}
	missing := patchRun(nil, policies.Compliant)
	missing.Result = &Found{}
	for name, c := range map[string]struct {
		run  Run
		want store.PatchHost
	}{
		"all of it":     {patchRun(&full, policies.Pending), store.PatchHost{Cycle: 4, Set: "abc", Status: policies.Pending, Phase: policies.PhaseReboot, Reboot: true, Message: "waits", Detail: full}},
		"nothing given": {patchRun(&policies.Patched{Phase: policies.PhaseIdle}, policies.Compliant), store.PatchHost{Status: policies.Compliant, Phase: policies.PhaseIdle, Message: "waits", Detail: policies.Patched{Phase: policies.PhaseIdle}}},
		"an error":      {patchRun(nil, policies.Failed), store.PatchHost{Status: policies.Failed, Phase: policies.PhaseIdle, Message: "waits"}},
		"no answer":     {missing, store.PatchHost{Status: policies.Missing, Phase: policies.PhaseIdle, Message: "the host did not report it"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.Rollout, c.want.Ring, c.want.Since = "os", "canary", start
			step, _ := Derive(State{}, c.run, start)
			same(t, "rows", step.PatchHosts, []store.PatchHost{c.want})
		})
	}
}

func TestDeriveLeavesPatchHostsThatNothingIsSaidAbout(t *testing.T) {
	_, state := Derive(State{}, patchRun(nil, policies.Compliant), start)
	broken := Run{Report: policies.Report{Epoch: "e", Seq: 2, Release: 2, Finished: start, Problem: "no such fact"}}
	step, _ := Derive(state, broken, start)
	if step.PatchHosts != nil {
		t.Errorf("rows after a release that did not compile = %v, want none said", step.PatchHosts)
	}
	same2, _ := Derive(state, patchRun(nil, policies.Compliant), start)
	if same2.PatchHosts != nil {
		t.Errorf("rows after the same result = %v, want none said", same2.PatchHosts)
	}
	empty := patchRun(nil, policies.Compliant)
	empty.Catalog, empty.Result = &policies.Catalog{}, &Found{}
	empty.Report.Catalog = "another"
	step, _ = Derive(state, empty, start)
	same(t, "rows after the rollout left", step.PatchHosts, []store.PatchHost{})
}

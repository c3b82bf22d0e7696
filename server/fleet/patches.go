package fleet

import (
	"encoding/json"
	"slices"

	"plumb/policies"
	"plumb/server/store"
)

// patches says how the host stands with each rollout that carries patches. A release that did
// not compile says nothing about them, so what was known stays.
func (d *deriver) patches() {
	if d.next.Catalog == nil || d.next.Result == nil {
		return
	}
	d.step.PatchHosts = []store.PatchHost{}
	for i := range d.list {
		if d.list[i].declared.Kind != "patch" {
			continue // nearly all of them
		}
		row, ok := patchHost(&d.list[i])
		twice := slices.ContainsFunc(d.step.PatchHosts, func(p store.PatchHost) bool { return p.Rollout == row.Rollout })
		if !ok || twice {
			continue
		}
		row.Since = d.at
		d.step.PatchHosts = append(d.step.PatchHosts, row)
	}
}

// patchHost reads a resource of the kind patch that is no check; rollout and ring stand in its attributes.
func patchHost(one *entry) (store.PatchHost, bool) {
	if one.declared.Check {
		return store.PatchHost{}, false
	}
	var names struct{ Rollout, Ring string }
	if err := json.Unmarshal(one.declared.Attributes, &names); err != nil || names.Rollout == "" {
		return store.PatchHost{}, false
	}
	row := store.PatchHost{Rollout: names.Rollout, Ring: names.Ring, Status: one.Status, Phase: policies.PhaseIdle, Message: one.Message}
	if one.Patched != nil {
		row.Detail = *one.Patched
		row.Cycle, row.Set, row.Phase = one.Patched.Cycle, one.Patched.Set, one.Patched.Phase
		row.Reboot = len(one.Patched.Reboot) > 0
	}
	return row, true
}

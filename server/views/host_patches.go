package views

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
)

// HostPatches is how a host stands with one rollout that carries patches.
type HostPatches struct {
	Rollout string
	Ring    string
	// Cycle is 0 when the host holds none.
	Cycle   uint64
	Status  policies.Status
	Phase   string
	Reboot  bool
	Message string
	Since   time.Time
	// Detail is what the host tells of it.
	Detail policies.Patched
}

// HostPatches returns how a host stands with patches, by rollout.
func (r Reader) HostPatches(ctx context.Context, name string) ([]HostPatches, error) {
	h, err := r.Store.HostByName(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot find the host %q: %w", name, err)
	}
	rows, err := r.Store.PatchHostsOf(ctx, h.ID)
	if err != nil {
		return nil, err
	}
	var list []HostPatches
	for _, p := range rows {
		list = append(list, HostPatches{Rollout: p.Rollout, Ring: p.Ring, Cycle: p.Cycle, Status: p.Status, Phase: p.Phase,
			Reboot: p.Reboot, Message: p.Message, Since: p.Since.UTC(), Detail: p.Detail})
	}
	return list, nil
}

package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
)

// PatchReboot is a host that needs a reboot after patching.
type PatchReboot struct {
	Host    string    `json:"host"`
	Rollout string    `json:"rollout"`
	Ring    string    `json:"ring"`
	Since   time.Time `json:"since"`
	// Reasons are what only works after a reboot.
	Reasons []string `json:"reasons"`
}

// PatchReboots lists the selected hosts that need a reboot, those that wait longest first.
func (r Reader) PatchReboots(ctx context.Context, f PatchFilter) ([]PatchReboot, error) {
	seen, err := r.sight(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("cannot read what is on offer: %w", err)
	}
	names := map[inventory.HostID]string{}
	for _, a := range seen.groups {
		for _, h := range a.Hosts {
			names[h.ID] = h.Name
		}
	}
	for _, one := range seen.Unknown {
		if f.Group == "" {
			names[one.Host.ID] = one.Host.Name
		}
	}
	rows, err := r.Store.PatchHosts(ctx, "")
	if err != nil {
		return nil, err
	}
	all := []PatchReboot{}
	for _, row := range rows {
		if name := names[row.Host]; name != "" && row.Reboot {
			all = append(all, PatchReboot{Host: name, Rollout: row.Rollout, Ring: row.Ring, Since: row.Since.UTC(), Reasons: list(row.Detail.Reboot)})
		}
	}
	slices.SortFunc(all, func(a, b PatchReboot) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Host, b.Host)) })
	return all, nil
}

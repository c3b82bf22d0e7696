package views

import (
	"cmp"
	"context"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/server/patching"
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
		return nil, err
	}
	return r.reboots(ctx, seen, f)
}

func (r Reader) reboots(ctx context.Context, seen *sight, f PatchFilter) ([]PatchReboot, error) {
	rows, err := r.Store.Reboots(ctx)
	if err != nil || len(rows) == 0 {
		return []PatchReboot{}, err
	}
	names := map[inventory.HostID]string{}
	for _, row := range rows {
		names[row.Host] = ""
	}
	note := func(h patching.Member) {
		if _, waits := names[h.ID]; waits {
			names[h.ID] = h.Name
		}
	}
	for _, a := range seen.groups {
		for _, h := range a.Hosts {
			note(h)
		}
	}
	for _, one := range seen.Unknown {
		if f.Group == "" {
			note(one.Host)
		}
	}
	all := []PatchReboot{}
	for _, row := range rows {
		if name := names[row.Host]; name != "" {
			all = append(all, PatchReboot{Host: name, Rollout: row.Rollout, Ring: row.Ring, Since: row.Since.UTC(), Reasons: list(row.Detail.Reboot)})
		}
	}
	slices.SortFunc(all, func(a, b PatchReboot) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Host, b.Host)) })
	return all, nil
}

package modules

import (
	"plumb/policies"
	"plumb/policies/patch"
)

// Patch is the kind patch: the patch cycles of one rollout on one host. No resource block names
// it; a rollout that carries a patch baseline makes it for each host in one of its rings, under
// the address rollout.NAME and with the windows of its ring.
type Patch struct {
	Rollout  string         `json:"rollout"`
	Ring     string         `json:"ring"`
	Baseline patch.Baseline `json:"baseline"`
	// Conffiles is keep, new or hold; Superseded wait or newest; Rollback downgrade, snapshot or
	// none; Reboot as_needed, never, always or services_only.
	Conffiles  string `json:"conffiles"`
	Superseded string `json:"superseded"`
	Rollback   string `json:"rollback"`
	Reboot     string `json:"reboot"`
	// Deadline and Grace are in seconds; 0 is none.
	Deadline int `json:"deadline,omitempty"`
	Grace    int `json:"grace,omitempty"`
	// MinFree holds bytes by mount point.
	MinFree map[string]int64 `json:"min_free,omitempty"`
	// Kernels is how many kernels stay beside the running and the newest one; nil leaves all.
	Kernels *int             `json:"kernels,omitempty"`
	Hooks   *policies.Hooks  `json:"hooks,omitempty"`
	Probes  []policies.Probe `json:"probes,omitempty"`
}

// Identity is the rollout.
func (p *Patch) Identity() string { return p.Rollout }

// Validate finds nothing: the rollout block was looked at when it was read.
func (p *Patch) Validate() []Mistake { return nil }

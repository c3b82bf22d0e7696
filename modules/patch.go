package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"plumb/modules/patching"
	"plumb/modules/system"
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

	outcome *policies.Patched // of the last Check or Apply
}

func patchKind() Kind {
	return Kind{
		Name: "patch", Internal: true, Rank: checkRank - 1,
		Doc: "The patch cycles of a rollout on one host; a `rollout` block that carries a patch baseline makes one for each host of its rings, " +
			"at the address `rollout.NAME`. It takes from the patch set that the server gave the host what is installed in an older version and what the " +
			"host's own baseline lets in, installs it in small steps, restarts services or asks for a reboot, looks at units and probes, and goes " +
			"back by itself when something fails. A step that was begun is finished or taken back after any crash, without the server.",
		New: func() Resource {
			return &Patch{Conffiles: "keep", Superseded: "wait", Rollback: "downgrade", Reboot: "as_needed"}
		},
	}
}

// UnfinishedPatches returns a catalog entry for each rollout of which something is under way on the
// host with this state folder, as it was when the host went on last. The catalog of the host may
// have none any more, because its rollout went or the host has left the rings.
func UnfinishedPatches(state string) []policies.Resource {
	var list []policies.Resource
	for _, spec := range patching.Unfinished(state) {
		raw, err := json.Marshal(patchOf(spec))
		if err != nil {
			continue // it was read from JSON
		}
		list = append(list, policies.Resource{Address: "rollout." + spec.Rollout, Kind: "patch", Policy: spec.Rollout, Mode: policies.Enforce, Attributes: raw})
	}
	return list
}

func patchOf(s patching.Spec) *Patch {
	return &Patch{
		Rollout: s.Rollout, Baseline: s.Baseline, Conffiles: s.Conffiles, Superseded: s.Superseded, Rollback: s.Rollback, Reboot: s.Reboot,
		Deadline: int(s.Deadline / time.Second), Grace: int(s.Grace / time.Second),
		MinFree: s.MinFree, Kernels: s.Kernels, Hooks: s.Hooks, Probes: s.Probes,
	}
}

// Identity is the rollout.
func (p *Patch) Identity() string { return p.Rollout }

// Validate finds nothing: the rollout block was looked at when it was read.
func (p *Patch) Validate() []Mistake { return nil }

// Check lists the updates of the patch set that are still to come.
func (p *Patch) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	m := patching.New(p.spec(), sys)
	changes, err := m.Check(ctx)
	p.outcome = m.Patched()
	return changes, translated(err)
}

// Apply takes the host as far as it may go now. It wraps [ErrWait] when the rest has to wait.
func (p *Patch) Apply(ctx context.Context, sys *system.System, _ []policies.Change) error {
	m := patching.New(p.spec(), sys)
	err := m.Apply(ctx)
	p.outcome = m.Patched()
	return translated(err)
}

// Presses says why patching must go on now, outside a window too.
func (p *Patch) Presses(sys *system.System, now time.Time) string {
	return patching.New(p.spec(), sys).Presses(now)
}

// Patched tells how the cycle fares, as the last Check or Apply left it.
func (p *Patch) Patched() *policies.Patched { return p.outcome }

// Progress tells how far a cycle is while Apply is at work on it; the cycle is 0 when none is.
func (p *Patch) Progress(sys *system.System) (cycle uint64, phase string, done, total int) {
	return patching.New(p.spec(), sys).Progress()
}

func (p *Patch) spec() patching.Spec {
	return patching.Spec{
		Rollout: p.Rollout, Baseline: p.Baseline, Conffiles: p.Conffiles, Superseded: p.Superseded, Rollback: p.Rollback, Reboot: p.Reboot,
		Deadline: time.Duration(p.Deadline) * time.Second, Grace: time.Duration(p.Grace) * time.Second,
		MinFree: p.MinFree, Kernels: p.Kernels, Hooks: p.Hooks, Probes: p.Probes,
	}
}

// translated puts the machine's words for waiting and not knowing into those of a kind.
func translated(err error) error {
	switch {
	case errors.Is(err, patching.ErrWait):
		return fmt.Errorf("%w: %w", ErrWait, err)
	case errors.Is(err, patching.ErrUnknown):
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

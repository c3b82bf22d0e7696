package views

import (
	"fmt"
	"slices"
	"time"

	"plumb/policies"
)

// PatchProgress is a host that is at work on a patch cycle right now, by its own word. It proves
// nothing and is stored nowhere: what counts is the report at the end.
type PatchProgress struct {
	Host    string `json:"host"`
	Rollout string `json:"rollout"`
	Cycle   uint64 `json:"cycle"`
	// Phase is one of the phases of policies.Patched.
	Phase string `json:"phase"`
	// Done of Total packages are in; 0 of 0 before it is known which ones come.
	Done  int `json:"done"`
	Total int `json:"total"`
	// Since is when the host first told of the phase, Told when it last did.
	Since time.Time `json:"since"`
	Told  time.Time `json:"told"`
}

// PatchProgress lists what hosts are at work on right now, by rollout and name of the host, of one
// rollout unless the name is empty.
func (r Reader) PatchProgress(rollout string, now time.Time) []PatchProgress {
	if r.Live == nil {
		return []PatchProgress{}
	}
	all := r.Live(now)
	if rollout == "" {
		return list(all)
	}
	return list(slices.DeleteFunc(all, func(p PatchProgress) bool { return p.Rollout != rollout }))
}

// Words say what the host does: "installing 3 of 20" once three packages are in.
func (p PatchProgress) Words() string {
	switch p.Phase {
	case policies.PhasePreflight:
		return "getting ready"
	case policies.PhaseDownload:
		return "fetching packages"
	case policies.PhaseInstall:
		return fmt.Sprintf("installing %d of %d", p.Done, p.Total)
	case policies.PhaseRestart:
		return "restarting services"
	case policies.PhaseReboot:
		return "rebooting"
	case policies.PhaseVerify:
		return "looking whether all is well"
	case policies.PhaseRollback:
		return "going back to the versions before"
	}
	return p.Phase
}

// Package patching takes one host through one patch cycle: from the set that the server gave it
// to verified, or back to the versions before, whatever happens in between.
//
// Whatever it is about to do stands in a journal on the disk first, and what was done is read
// from the package database and never believed. So a [Machine] is made anew for each call, and
// goes on where a killed one stopped.
package patching

import (
	"errors"
	"time"

	"plumb/policies"
	"plumb/policies/patch"
)

var (
	// ErrWait is wrapped when the host is fine as it is, and something has to be waited for.
	ErrWait = errors.New("patching waits")
	// ErrUnknown is wrapped when it cannot be told here what is to be done.
	ErrUnknown = errors.New("patches cannot be told here")
)

// Spec is how a host patches, from the rollout and the ring that it is in.
type Spec struct {
	// Rollout names the rollout block, and with it the journal.
	Rollout string
	// Baseline is what the host itself lets in, whatever a set says.
	Baseline patch.Baseline
	// Conffiles is keep, new or hold.
	Conffiles string
	// Superseded is wait or newest.
	Superseded string
	// Rollback is downgrade, snapshot or none.
	Rollback string
	// Reboot is as_needed, always, services_only, or never, which restarts no service either.
	Reboot string
	// Deadline counts from when the cycle was offered, Grace from when the host took it; a
	// Deadline of 0 is none.
	Deadline, Grace time.Duration
	// MinFree is what must be free before packages are touched, in bytes by mount point.
	MinFree map[string]int64
	// Kernels is how many stay beside the running and the newest one; nil leaves all.
	Kernels *int
	// Hooks and Probes are those of the rollout.
	Hooks  *policies.Hooks
	Probes []policies.Probe
}

package patching

import (
	"context"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

// Machine patches one host. It is made for one call and reads all else from the disk.
type Machine struct {
	spec Spec
	sys  *system.System
}

// New returns the machine of a rollout on a host.
func New(spec Spec, sys *system.System) *Machine { return &Machine{spec: spec, sys: sys} }

// Check lists what is still to come.
func (m *Machine) Check(context.Context) ([]policies.Change, error) { return nil, nil }

// Apply goes on as far as it may.
func (m *Machine) Apply(context.Context) error { return nil }

// Presses says why patching must go on now.
func (m *Machine) Presses(time.Time) string { return "" }

// Patched tells how the cycle fares.
func (m *Machine) Patched() *policies.Patched { return &policies.Patched{Phase: policies.PhaseIdle} }

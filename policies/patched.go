package policies

// Patched is how a host fares with a patch cycle, beside the status of the resource. It names
// neither host nor time, as all of a [Result].
type Patched struct {
	// Cycle and Set name the order that it is about; Cycle is 0 when none was given.
	Cycle uint64 `json:"cycle"`
	Set   string `json:"set,omitempty"`
	// Phase is where the host is: one of the Phase words.
	Phase string `json:"phase"`
	// Installed are the packages that this cycle brought, Missing those still to come.
	Installed []PatchedPackage `json:"installed,omitempty"`
	Missing   []PatchedPackage `json:"missing,omitempty"`
	// Held are updates that cannot be installed, each with the chain that blocks it.
	Held []Held `json:"held,omitempty"`
	// Left are items of the set whose version has left the repository.
	Left []PatchedPackage `json:"left,omitempty"`
	// Conffiles are changed configuration files for which a new version brings another text.
	Conffiles []Conffile `json:"conffiles,omitempty"`
	// Restarted are services that were restarted, Stale those that still use old files.
	Restarted []string `json:"restarted,omitempty"`
	Stale     []string `json:"stale,omitempty"`
	// Reboot says why a reboot is needed; empty when none is.
	Reboot []string `json:"reboot,omitempty"`
	// Probes are the health probes that failed, each with what it said.
	Probes []string `json:"probes,omitempty"`
	// RolledBack is true when the host went back by itself; Rollback says how that went.
	RolledBack bool   `json:"rolled_back,omitempty"`
	Rollback   string `json:"rollback,omitempty"`
	// Kernels are kernels that were removed.
	Kernels []string `json:"kernels,omitempty"`
	// Notes are what else a person should know: a hook that failed afterwards, a new package
	// that came along, a version to which there is no way back.
	Notes []string `json:"notes,omitempty"`
}

// The phases of a patch cycle on a host.
const (
	PhaseIdle       = "idle"        // nothing to do, or nothing begun
	PhasePreflight  = "preflight"   // room, locks, clock and window are looked at
	PhaseDownload   = "download"    // packages are fetched, nothing is changed
	PhaseInstall    = "install"     // packages are being installed
	PhaseRestart    = "restart"     // services are being restarted
	PhaseReboot     = "reboot"      // a reboot is needed, or under way
	PhaseVerify     = "verify"      // versions, units and probes are looked at
	PhaseRollback   = "rollback"    // the versions before are being brought back
	PhaseDone       = "done"        // all of it is in
	PhaseRolledBack = "rolled_back" // the versions before are back; this set is not tried again
)

// PatchedPackage is one package of a cycle on a host.
type PatchedPackage struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after"`
}

// Held is an update that cannot be installed, and why.
type Held struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Chain leads from the update to what blocks it, in words, one step each.
	Chain []string `json:"chain"`
}

// Conffile is a configuration file that differs from what its package last brought, while the
// new version brings another text.
type Conffile struct {
	Path    string `json:"path"`
	Package string `json:"package"`
	// Policy is what becomes of it: keep, new or hold.
	Policy string `json:"policy"`
}

package system

import (
	"context"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// PackageManager is one package manager as patching needs it: apt, dnf or zypper. Versions are
// in its own words and its own order. What it reports as done was read back from its database,
// never from an exit code.
type PackageManager interface {
	OfferSource
	// Name is apt, dnf or zypper.
	Name() string
	// CompareVersions orders two versions: -1, 0 or 1.
	CompareVersions(a, b string) (int, error)
	// InstalledVersions returns what is completely installed.
	InstalledVersions(ctx context.Context) (map[Target]bool, error)
	// Busy waits until no other package manager holds the locks; an error that wraps [ErrBusy] names the holder.
	Busy(ctx context.Context, wait time.Duration) error
	// Broken lists packages that an interrupted run left half done, sorted. Mend finishes them.
	Broken(ctx context.Context) ([]string, error)
	Mend(ctx context.Context) error
	// Origins returns what the host's own package lists say of exact versions: for each one offer
	// from each repository that has it. What is only installed, or was only fetched earlier, is in none.
	Origins(ctx context.Context, wanted []Target) (map[Target][]inventory.Offer, error)
	// Update fetches the package lists.
	Update(ctx context.Context) error
	// PlanPatch simulates the installation of exact versions. It changes nothing.
	PlanPatch(ctx context.Context, wanted []Target) (PatchPlan, error)
	// FetchPatch downloads and verifies all that the steps of a plan need. It changes no package.
	FetchPatch(ctx context.Context, wanted []Target) error
	// InstallPatch installs exactly these versions, newer or older than what is there, in one go;
	// only versions that were fetched are used. Conffiles is keep, new or hold.
	InstallPatch(ctx context.Context, wanted []Target, conffiles string) error
	// Conffiles predicts which changed configuration files the versions bring anew. They were fetched.
	Conffiles(ctx context.Context, wanted []Target) ([]policies.Conffile, error)
	// Aftermath says which services use files that were replaced, and why a reboot is needed.
	Aftermath(ctx context.Context) (Aftermath, error)
	// Kernels lists installed kernels, and RemoveKernels removes some.
	Kernels(ctx context.Context) ([]Kernel, error)
	RemoveKernels(ctx context.Context, names []string) error
}

// Target is one exact version of one package.
type Target struct {
	Name, Arch, Version string
}

// PatchPlan is what the installation of some targets comes to.
type PatchPlan struct {
	// Steps can be installed one after the other, each complete in itself, as small as they can be.
	Steps [][]Target
	// Added are new packages that they draw in (they are in Steps, too); Removed are packages that
	// would have to go, for which nothing of the step is in Steps.
	Added   []Target
	Removed []string
	// Gone are targets whose version no repository has any more.
	Gone []Target
	// Held are targets that cannot be installed, each with the chain that blocks it.
	Held []policies.Held
	// Download is what has to be fetched, and Disk how much larger the host gets, in bytes.
	Download, Disk int64
}

// Aftermath is what is left to do after packages were replaced.
type Aftermath struct {
	// Services are units that still use replaced files.
	Services []string
	// Reboot says why a reboot is needed; empty when none is.
	Reboot []string
}

// Kernel is one installed kernel package.
type Kernel struct {
	// Package is its name with version where the manager needs that to remove it.
	Package string
	// Release is what uname -r says when it runs, such as 6.1.0-56-amd64.
	Release string
	// Running and Newest tell what must never be removed.
	Running, Newest bool
}

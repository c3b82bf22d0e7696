package system

import (
	"context"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// zypperManager is zypper with rpm below it. Names of packages are those of [inventory.Offer]: "glibc",
// and "glibc.i686" for a foreign architecture.
type zypperManager struct{ s *System }

// Name is zypper.
func (z zypperManager) Name() string { return "zypper" }

// CompareVersions orders two versions as rpm does.
func (z zypperManager) CompareVersions(a, b string) (int, error) { return CompareRPMVersions(a, b) }

func (z zypperManager) OffersKey() (string, error) { return "", errRPMUnfinished }
func (z zypperManager) Offers(context.Context) (inventory.Offers, error) {
	return inventory.Offers{}, errRPMUnfinished
}
func (z zypperManager) InstalledVersions(context.Context) (map[Target]bool, error) {
	return nil, errRPMUnfinished
}
func (z zypperManager) Busy(context.Context, time.Duration) error { return errRPMUnfinished }
func (z zypperManager) Broken(context.Context) ([]string, error)  { return nil, errRPMUnfinished }
func (z zypperManager) Mend(context.Context) error                { return errRPMUnfinished }
func (z zypperManager) Update(context.Context) error              { return errRPMUnfinished }
func (z zypperManager) PlanPatch(context.Context, []Target) (PatchPlan, error) {
	return PatchPlan{}, errRPMUnfinished
}
func (z zypperManager) FetchPatch(context.Context, []Target) error           { return errRPMUnfinished }
func (z zypperManager) InstallPatch(context.Context, []Target, string) error { return errRPMUnfinished }
func (z zypperManager) Conffiles(context.Context, []Target) ([]policies.Conffile, error) {
	return nil, errRPMUnfinished
}
func (z zypperManager) Aftermath(context.Context) (Aftermath, error) {
	return Aftermath{}, errRPMUnfinished
}
func (z zypperManager) Kernels(context.Context) ([]Kernel, error)     { return nil, errRPMUnfinished }
func (z zypperManager) RemoveKernels(context.Context, []string) error { return errRPMUnfinished }

var _ PackageManager = zypperManager{}

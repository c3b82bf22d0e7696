package system

import (
	"context"
	"errors"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// dnfManager is dnf with rpm below it. Names of packages are those of [inventory.Offer]: "glibc",
// and "glibc.i686" for a foreign architecture.
type dnfManager struct{ s *System }

var errRPMUnfinished = errors.New("this cannot be done yet")

// Name is dnf.
func (d dnfManager) Name() string { return "dnf" }

// CompareVersions orders two versions as rpm does.
func (d dnfManager) CompareVersions(a, b string) (int, error) { return CompareRPMVersions(a, b) }

func (d dnfManager) OffersKey() (string, error) { return "", errRPMUnfinished }
func (d dnfManager) Offers(context.Context) (inventory.Offers, error) {
	return inventory.Offers{}, errRPMUnfinished
}
func (d dnfManager) InstalledVersions(context.Context) (map[Target]bool, error) {
	return nil, errRPMUnfinished
}
func (d dnfManager) Busy(context.Context, time.Duration) error { return errRPMUnfinished }
func (d dnfManager) Broken(context.Context) ([]string, error)  { return nil, errRPMUnfinished }
func (d dnfManager) Mend(context.Context) error                { return errRPMUnfinished }
func (d dnfManager) Update(context.Context) error              { return errRPMUnfinished }
func (d dnfManager) PlanPatch(context.Context, []Target) (PatchPlan, error) {
	return PatchPlan{}, errRPMUnfinished
}
func (d dnfManager) FetchPatch(context.Context, []Target) error           { return errRPMUnfinished }
func (d dnfManager) InstallPatch(context.Context, []Target, string) error { return errRPMUnfinished }
func (d dnfManager) Conffiles(context.Context, []Target) ([]policies.Conffile, error) {
	return nil, errRPMUnfinished
}
func (d dnfManager) Aftermath(context.Context) (Aftermath, error) {
	return Aftermath{}, errRPMUnfinished
}
func (d dnfManager) Kernels(context.Context) ([]Kernel, error)     { return nil, errRPMUnfinished }
func (d dnfManager) RemoveKernels(context.Context, []string) error { return errRPMUnfinished }

var _ PackageManager = dnfManager{}

package system

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/policies"
)

// aptManager is apt and dpkg. Names of packages are those of [inventory.Offer]: "libc6", and
// "libc6:i386" for a foreign architecture.
type aptManager struct {
	aptOffers
}

func newAptManager(s *System) aptManager { return aptManager{aptOffers{s}} }

var errUnfinished = errors.New("apt cannot do this yet")

// Name is apt.
func (a aptManager) Name() string { return "apt" }

// CompareVersions orders two versions as dpkg does.
func (a aptManager) CompareVersions(x, y string) (int, error) { return CompareDebVersions(x, y) }

// InstalledVersions returns what dpkg calls installed.
func (a aptManager) InstalledVersions(context.Context) (map[Target]bool, error) {
	a.s.ForgetDpkg()
	db, err := a.s.Dpkg()
	if err != nil {
		return nil, err
	}
	there := map[Target]bool{}
	for _, p := range db.All() {
		if p.Installed() {
			there[targetOf(db, p)] = true
		}
	}
	return there, nil
}

func targetOf(db *Dpkg, p Package) Target {
	return Target{Name: db.label(p), Arch: p.Arch, Version: p.Version}
}

// Busy waits for the locks of dpkg and apt.
func (a aptManager) Busy(ctx context.Context, wait time.Duration) error {
	return a.s.waitForLocks(ctx, wait, slices.Concat(packageLocks(), listLocks()))
}

// Broken lists the packages that dpkg left half done.
func (a aptManager) Broken(context.Context) ([]string, error) {
	a.s.ForgetDpkg()
	db, err := a.s.Dpkg()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range db.Broken() {
		names = append(names, db.label(p))
	}
	return names, nil
}

// Mend finishes what an interrupted dpkg left.
func (a aptManager) Mend(ctx context.Context) error { return a.s.repairDpkg(ctx) }

// Update fetches the package lists.
func (a aptManager) Update(ctx context.Context) error {
	a.s.apt.updated = false
	_, err := a.s.UpdateApt(ctx, 0)
	return err
}

// PlanPatch simulates.
func (a aptManager) PlanPatch(context.Context, []Target) (PatchPlan, error) {
	return PatchPlan{}, errUnfinished
}

// FetchPatch downloads.
func (a aptManager) FetchPatch(context.Context, []Target) error { return errUnfinished }

// InstallPatch installs.
func (a aptManager) InstallPatch(context.Context, []Target, string) error { return errUnfinished }

// Conffiles predicts.
func (a aptManager) Conffiles(context.Context, []Target) ([]policies.Conffile, error) {
	return nil, errUnfinished
}

// Aftermath looks.
func (a aptManager) Aftermath(context.Context) (Aftermath, error) { return Aftermath{}, errUnfinished }

// Kernels lists.
func (a aptManager) Kernels(context.Context) ([]Kernel, error) { return nil, errUnfinished }

// RemoveKernels removes.
func (a aptManager) RemoveKernels(context.Context, []string) error { return errUnfinished }

// spec is what apt-get takes for exactly this version.
func (t Target) spec() string {
	name, arch, _ := strings.Cut(t.Name, ":")
	if arch == "" {
		arch = t.Arch
	}
	if arch == "" || arch == "all" {
		return fmt.Sprintf("%s=%s", name, t.Version)
	}
	return fmt.Sprintf("%s:%s=%s", name, arch, t.Version)
}

var _ PackageManager = aptManager{}

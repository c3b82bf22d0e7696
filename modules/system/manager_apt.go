package system

import (
	"context"
	"slices"
	"time"
)

// aptManager is apt and dpkg. Names of packages are those of [inventory.Offer]: "libc6", and
// "libc6:i386" for a foreign architecture.
type aptManager struct {
	aptOffers
}

func newAptManager(s *System) aptManager { return aptManager{aptOffers{s}} }

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

// Update fetches the package lists.
func (a aptManager) Update(ctx context.Context) error {
	a.s.apt.updated = false
	_, err := a.s.UpdateApt(ctx, 0)
	return err
}

var _ PackageManager = aptManager{}

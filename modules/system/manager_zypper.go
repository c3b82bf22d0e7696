package system

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
)

// zypperManager is zypper with rpm below it. Names of packages are as those of dnf. Patches, which
// are zypper's word for notices, are never installed as such: it leaves those out that want
// a reboot, and says that all is well.
type zypperManager struct{ s *System }

// Name is zypper.
func (z zypperManager) Name() string { return "zypper" }

// CompareVersions orders two versions as rpm does.
func (z zypperManager) CompareVersions(a, b string) (int, error) { return CompareRPMVersions(a, b) }

// InstalledVersions returns what rpm's database holds.
func (z zypperManager) InstalledVersions(ctx context.Context) (map[Target]bool, error) {
	return rpmDatabase(z).installedVersions(ctx)
}

// Busy waits for the locks of rpm and zypper.
func (z zypperManager) Busy(ctx context.Context, wait time.Duration) error {
	return rpmDatabase(z).busy(ctx, wait)
}

// Broken lists what an interrupted installation left.
func (z zypperManager) Broken(ctx context.Context) ([]string, error) {
	return rpmDatabase(z).broken(ctx)
}

// Mend finishes it.
func (z zypperManager) Mend(ctx context.Context) error {
	if err := z.Busy(ctx, lockWait); err != nil {
		return err
	}
	return rpmDatabase(z).mend(ctx, z.installer())
}

// Update fetches the package lists.
func (z zypperManager) Update(ctx context.Context) error {
	out, err := z.s.Run(ctx, Command{Argv: []string{"zypper", "--non-interactive", "--xmlout", "refresh"}, Timeout: dnfQueryLimit, MaxOutput: rpmMaxOutput})
	if err == nil && out.Code != 0 {
		err = zypperFailure(out)
	}
	if err != nil {
		return fmt.Errorf("cannot fetch the package lists: %w", err)
	}
	return nil
}

// FetchPatch downloads into zypper's own cache; zypper verifies digests and signatures. A version
// that is installed is fetched as well: it is the way back.
func (z zypperManager) FetchPatch(ctx context.Context, wanted []Target) error {
	there, fresh, err := rpmDatabase(z).toFetch(ctx, wanted, z.locate)
	if err != nil {
		return err
	}
	if err := z.fetch(ctx, there, "--download-only", "--force"); err != nil {
		return err
	}
	return z.fetch(ctx, fresh, "--download-only")
}

func (z zypperManager) fetch(ctx context.Context, list []Target, options ...string) error {
	if len(list) == 0 {
		return nil
	}
	out, err := z.call(ctx, dnfInstallLimit, list, options...)
	if err == nil && !zypperFine(out.Code) {
		err = zypperFailure(out)
	}
	if err != nil {
		return fmt.Errorf("cannot fetch the packages: %w", err)
	}
	return z.fetched(ctx, list)
}

// fetched refuses what zypper would have to download, for no option keeps it from that.
func (z zypperManager) fetched(ctx context.Context, wanted []Target) error {
	there, err := z.InstalledVersions(ctx)
	if err != nil {
		return err
	}
	for _, t := range wanted {
		if _, ok := z.locate(t); !ok && !there[t] {
			return fmt.Errorf("%s %s is not in zypper's cache: it was not fetched", t.Name, t.Version)
		}
	}
	return nil
}

// zypperFine tells exit codes with which the packages are in.
func zypperFine(code int) bool {
	return code == 0 || code == zypperReboot || code == zypperRestart || code == zypperScript
}

// locate finds a package file in zypper's cache. Repositories have it in folders or not.
func (z zypperManager) locate(t Target) (string, bool) {
	const cache = "/var/cache/zypp/packages/*/"
	return rpmDatabase(z).locate(cache+t.nvra()+".rpm", cache+"*/"+t.nvra()+".rpm", cache+"*/*/"+t.nvra()+".rpm")
}

// InstallPatch installs what was fetched.
func (z zypperManager) InstallPatch(ctx context.Context, wanted []Target, conffiles string) error {
	if len(wanted) == 0 {
		return nil
	}
	if err := z.Busy(ctx, lockWait); err != nil {
		return err
	}
	if err := z.fetched(ctx, wanted); err != nil {
		return err
	}
	return rpmDatabase(z).installPatch(ctx, wanted, conffiles, z.installer())
}

func (z zypperManager) installer() rpmInstaller {
	return rpmInstaller{z.simulate, z.install, z.reinstall, z.locate, zypperFine, zypperFailure}
}

// install goes to exactly these versions, up or down.
func (z zypperManager) install(ctx context.Context, wanted []Target) (Output, error) {
	return z.call(ctx, dnfInstallLimit, wanted)
}

// reinstall unpacks versions that are there again.
func (z zypperManager) reinstall(ctx context.Context, list []Target) (Output, error) {
	return z.call(ctx, dnfInstallLimit, list, "--force")
}

// Conffiles predicts from the fetched packages.
func (z zypperManager) Conffiles(ctx context.Context, wanted []Target) ([]policies.Conffile, error) {
	return rpmDatabase(z).conffiles(ctx, wanted, z.locate)
}

// Aftermath looks at what was installed since the boot.
func (z zypperManager) Aftermath(ctx context.Context) (Aftermath, error) {
	return rpmDatabase(z).aftermath(ctx, z.rebootNotices(ctx))
}

// Kernels lists the installed kernels.
func (z zypperManager) Kernels(ctx context.Context) ([]Kernel, error) {
	return rpmDatabase(z).kernels(ctx)
}

// RemoveKernels removes some of them.
func (z zypperManager) RemoveKernels(ctx context.Context, names []string) error {
	return rpmDatabase(z).removeKernels(ctx, names)
}

var _ PackageManager = zypperManager{}

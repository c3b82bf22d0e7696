package system

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
)

// dnfManager is dnf with rpm below it. Names of packages are those of [inventory.Offer]: "glibc",
// and "glibc.i686" for a foreign architecture.
type dnfManager struct{ s *System }

// Name is dnf.
func (d dnfManager) Name() string { return "dnf" }

// CompareVersions orders two versions as rpm does.
func (d dnfManager) CompareVersions(a, b string) (int, error) { return CompareRPMVersions(a, b) }

// InstalledVersions returns what rpm's database holds.
func (d dnfManager) InstalledVersions(ctx context.Context) (map[Target]bool, error) {
	return rpmDatabase(d).installedVersions(ctx)
}

// Busy waits for the locks of rpm and dnf.
func (d dnfManager) Busy(ctx context.Context, wait time.Duration) error {
	return rpmDatabase(d).busy(ctx, wait)
}

// Broken lists what an interrupted transaction left.
func (d dnfManager) Broken(ctx context.Context) ([]string, error) { return rpmDatabase(d).broken(ctx) }

// Mend finishes it.
func (d dnfManager) Mend(ctx context.Context) error {
	if err := d.Busy(ctx, lockWait); err != nil {
		return err
	}
	return rpmDatabase(d).mend(ctx, d.installer())
}

// Update fetches the package lists.
func (d dnfManager) Update(ctx context.Context) error {
	out, err := d.run(ctx, dnfQueryLimit, "-q", "-y", "makecache", "--refresh")
	if err == nil && out.Code != 0 {
		err = dnfFailure(out)
	}
	if err != nil {
		return fmt.Errorf("cannot fetch the package lists: %w", err)
	}
	return nil
}

// FetchPatch downloads into dnf's own cache; dnf verifies digests and signatures. A version that
// is installed is fetched as well: it is the way back.
func (d dnfManager) FetchPatch(ctx context.Context, wanted []Target) error {
	there, fresh, err := rpmDatabase(d).toFetch(ctx, wanted, d.locate)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		verb string
		list []Target
	}{{"reinstall", there}, {"install", fresh}} {
		if err := d.fetch(ctx, part.verb, part.list); err != nil {
			return fmt.Errorf("cannot fetch the packages: %w", err)
		}
	}
	return nil
}

func (d dnfManager) fetch(ctx context.Context, verb string, list []Target) error {
	if len(list) == 0 {
		return nil
	}
	// The lists stay those of the plan, however old they are.
	out, err := d.call(ctx, dnfInstallLimit, list, "-q", "-y", "--setopt=*.metadata_expire=-1", verb, "--downloadonly")
	if err != nil {
		return err
	}
	if out.Code != 0 {
		return dnfFailure(out)
	}
	for _, t := range list {
		if _, ok := d.locate(t); !ok {
			return fmt.Errorf("dnf says that all is well, and %s %s is not in its cache", t.Name, t.Version)
		}
	}
	return nil
}

func nevras(list []Target) []string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.nevra()
	}
	return names
}

// locate finds a package file in dnf's cache.
func (d dnfManager) locate(t Target) (string, bool) {
	return rpmDatabase(d).locate("/var/cache/dnf/*/packages/"+t.nvra()+".rpm", "/var/cache/libdnf5/*/packages/"+t.nvra()+".rpm")
}

// locate returns the first file that a pattern finds.
func (r rpmDatabase) locate(patterns ...string) (string, bool) {
	for _, pattern := range patterns {
		if files, err := r.s.Files().Glob(pattern, 10); err == nil && len(files) > 0 {
			return files[0], true
		}
	}
	return "", false
}

// InstallPatch installs from the cache: dnf refuses what is not there.
func (d dnfManager) InstallPatch(ctx context.Context, wanted []Target, conffiles string) error {
	if len(wanted) == 0 {
		return nil
	}
	if err := d.Busy(ctx, lockWait); err != nil {
		return err
	}
	return rpmDatabase(d).installPatch(ctx, wanted, conffiles, d.installer())
}

func (d dnfManager) installer() rpmInstaller {
	return rpmInstaller{d.simulate, d.install, d.reinstall, d.locate, func(code int) bool { return code == 0 }, dnfFailure}
}

// install goes to exactly these versions, up or down.
func (d dnfManager) install(ctx context.Context, wanted []Target) (Output, error) {
	return d.call(ctx, dnfInstallLimit, wanted, "-y", "-C", "install")
}

// reinstall unpacks versions that are there again. They are fetched anew when the cache has lost them.
func (d dnfManager) reinstall(ctx context.Context, list []Target) (Output, error) {
	out, err := d.call(ctx, dnfInstallLimit, list, "-y", "-C", "reinstall")
	if err != nil || out.Code == 0 {
		return out, err
	}
	return d.call(ctx, dnfInstallLimit, list, "-y", "reinstall")
}

// Conffiles predicts from the fetched packages.
func (d dnfManager) Conffiles(ctx context.Context, wanted []Target) ([]policies.Conffile, error) {
	return rpmDatabase(d).conffiles(ctx, wanted, d.locate)
}

// Aftermath looks at what was installed since the boot.
func (d dnfManager) Aftermath(ctx context.Context) (Aftermath, error) {
	return rpmDatabase(d).aftermath(ctx, d.rebootNotices(ctx))
}

// Kernels lists the installed kernels.
func (d dnfManager) Kernels(ctx context.Context) ([]Kernel, error) {
	return rpmDatabase(d).kernels(ctx)
}

// RemoveKernels removes some of them.
func (d dnfManager) RemoveKernels(ctx context.Context, names []string) error {
	return rpmDatabase(d).removeKernels(ctx, names)
}

var _ PackageManager = dnfManager{}

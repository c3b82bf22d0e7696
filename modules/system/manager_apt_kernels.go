package system

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernels lists the installed images by their packages. The newest is that of each flavour, as
// a host may boot another one than it runs.
func (a aptManager) Kernels(context.Context) ([]Kernel, error) {
	db, err := a.readAnew()
	if err != nil {
		return nil, err
	}
	running, err := runningKernel()
	if err != nil {
		return nil, err
	}
	return kernelsOf(db, running), nil
}

func runningKernel() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("cannot tell which kernel runs: %w", err)
	}
	return unix.ByteSliceToString(name.Release[:]), nil
}

func kernelsOf(db *Dpkg, running string) []Kernel {
	var found []Kernel
	newest := map[string]string{} // by flavour
	for _, p := range db.All() {
		release, ok := kernelRelease(p.Name)
		if !ok || !p.Installed() {
			continue
		}
		found = append(found, Kernel{Package: db.label(p), Release: release, Running: release == running})
		number, flavour := splitRelease(release)
		if newest[flavour] == "" || newer(number, newest[flavour]) {
			newest[flavour] = number
		}
	}
	for i := range found {
		number, flavour := splitRelease(found[i].Release)
		found[i].Newest = newest[flavour] == number
	}
	return found
}

// kernelRelease reads the release from "linux-image-6.1.0-56-amd64". Packages that follow the
// newest one, such as linux-image-amd64, and symbols for debuggers are no images.
func kernelRelease(name string) (string, bool) {
	release, ok := strings.CutPrefix(name, "linux-image-")
	release = strings.TrimPrefix(release, "unsigned-")
	if !ok || release == "" || release[0] < '0' || release[0] > '9' || strings.HasSuffix(release, "-dbg") {
		return "", false
	}
	return strings.TrimSuffix(release, "-unsigned"), true
}

// splitRelease parts "6.1.0-56-cloud-amd64" into "6.1.0-56" and "cloud-amd64".
func splitRelease(release string) (number, flavour string) {
	parts := strings.Split(release, "-")
	for i, part := range parts {
		if part == "" || part[0] < '0' || part[0] > '9' {
			return strings.Join(parts[:i], "-"), strings.Join(parts[i:], "-")
		}
	}
	return release, ""
}

// RemoveKernels removes images with their modules and headers. It refuses the running and the
// newest ones, and whatever else would go along with them.
func (a aptManager) RemoveKernels(ctx context.Context, names []string) error {
	kernels, err := a.Kernels(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	db, err := a.s.Dpkg()
	if err != nil {
		return err
	}
	remove, releases, err := kernelPackages(db, kernels, names)
	if err != nil {
		return err
	}
	return a.s.DoApt(ctx, AptRequest{Remove: remove, Accept: func(plan AptPlan) error { return acceptKernels(plan, releases) }})
}

// kernelPackages returns all that belongs to the named images, and their releases.
func kernelPackages(db *Dpkg, kernels []Kernel, names []string) (remove, releases []string, err error) {
	for _, name := range names {
		at := slices.IndexFunc(kernels, func(k Kernel) bool { return k.Package == name })
		if at < 0 {
			return nil, nil, fmt.Errorf("cannot remove %s: it is no installed kernel", name)
		}
		k := kernels[at]
		if k.Running || k.Newest {
			return nil, nil, fmt.Errorf("cannot remove %s: the running kernel and the newest one stay", name)
		}
		remove, releases = append(remove, k.Package), append(releases, k.Release)
		for _, part := range []string{"linux-modules-extra-", "linux-modules-", "linux-headers-"} {
			if p, ok := db.Find(part + k.Release); ok && !p.Gone() {
				remove = append(remove, db.label(p))
			}
		}
	}
	return remove, releases, nil
}

// acceptKernels lets nothing come, and nothing go but what bears one of the releases.
func acceptKernels(plan AptPlan, releases []string) error {
	for name := range plan.Install {
		return fmt.Errorf("%w: it would install %s in place of a kernel", ErrNoPlan, name)
	}
	for _, name := range plan.Remove {
		ours := slices.ContainsFunc(releases, func(r string) bool {
			bare, _, _ := strings.Cut(name, ":")
			return strings.HasPrefix(name, "linux-") && (strings.HasSuffix(bare, "-"+r) || strings.HasSuffix(bare, "-"+r+"-unsigned") || strings.HasSuffix(bare, "-"+r+"-dbg"))
		})
		if !ours {
			return fmt.Errorf("%w: it would also remove %s", ErrNoPlan, name)
		}
	}
	return nil
}

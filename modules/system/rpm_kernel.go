package system

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// kernelPackage tells the package that holds a kernel's image, on each family.
func kernelPackage(name string) bool {
	switch name {
	case "kernel-core", "kernel-rt-core", "kernel-64k-core", "kernel-uek-core", "kernel-default", "kernel-preempt", "kernel-azure", "kernel-kvmsmall":
		return true
	}
	return false
}

// kernels lists the installed kernels. On hosts before the split into parts "kernel" itself is one.
func (r rpmDatabase) kernels(ctx context.Context) ([]Kernel, error) {
	list, err := r.packages(ctx)
	if err != nil {
		return nil, err
	}
	image := kernelPackage
	if !slices.ContainsFunc(list, func(p rpmPackage) bool { return kernelPackage(p.rpmName()) }) {
		image = func(name string) bool { return name == "kernel" }
	}
	running, err := runningKernel()
	if err != nil {
		return nil, err
	}
	var kernels []Kernel
	newest := -1
	var newestVersion string
	for _, p := range list {
		if !image(p.rpmName()) {
			continue
		}
		release, err := r.kernelRelease(ctx, p.Target)
		if err != nil {
			return nil, err
		}
		if newest < 0 || newerRPM(p.Version, newestVersion) {
			newest, newestVersion = len(kernels), p.Version
		}
		kernels = append(kernels, Kernel{Package: p.nvra(), Release: release, Running: release == running})
	}
	if newest >= 0 {
		kernels[newest].Newest = true
	}
	return kernels, nil
}

// kernelRelease looks for the folder of the kernel's modules: the release is not always made
// of the package's version.
func (r rpmDatabase) kernelRelease(ctx context.Context, t Target) (string, error) {
	out, err := r.s.must(ctx, Command{Argv: []string{"rpm", "-ql", "--", t.nvra()}, Timeout: rpmQueryLimit, MaxOutput: rpmMaxOutput})
	if err != nil {
		return "", fmt.Errorf("cannot list the files of %s: %w", t.nvra(), err)
	}
	for line := range strings.Lines(out) {
		if _, rest, ok := strings.Cut(strings.TrimSpace(line), "/lib/modules/"); ok {
			release, _, _ := strings.Cut(rest, "/")
			return release, nil
		}
		if release, ok := strings.CutPrefix(path.Base(strings.TrimSpace(line)), "vmlinuz-"); ok {
			return release, nil
		}
	}
	return strings.TrimPrefix(t.nvra(), t.rpmName()+"-"), nil
}

// removeKernels removes kernels with their parts of the same version. rpm itself refuses when
// anything else needs them; the running and the newest kernel are refused here.
func (r rpmDatabase) removeKernels(ctx context.Context, names []string) error {
	kernels, err := r.kernels(ctx)
	if err != nil {
		return err
	}
	list, err := r.packages(ctx)
	if err != nil {
		return err
	}
	argv := []string{"rpm", "-e", "--"}
	for _, name := range names {
		i := slices.IndexFunc(kernels, func(k Kernel) bool { return k.Package == name })
		if i < 0 || kernels[i].Running || kernels[i].Newest {
			return fmt.Errorf("cannot remove the kernel %s: it is not there, or it is the running or the newest one", name)
		}
		argv = append(argv, partsOfKernel(name, list)...)
	}
	if len(names) == 0 {
		return nil
	}
	_, err = r.s.must(ctx, Command{Argv: argv, Timeout: dnfInstallLimit})
	return err
}

// partsOfKernel are kernel-core, kernel-modules and the like of one version.
func partsOfKernel(name string, list []rpmPackage) []string {
	i := slices.IndexFunc(list, func(p rpmPackage) bool { return p.nvra() == name })
	if i < 0 {
		return nil
	}
	var parts []string
	for _, p := range list {
		if p.Version == list[i].Version && p.Arch == list[i].Arch && installOnly(p.rpmName()) {
			parts = append(parts, p.nvra())
		}
	}
	return parts
}

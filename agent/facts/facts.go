// Package facts finds out what a host is: its system, packages, addresses, mounts and the
// facts that administrators add.
//
// Two calls on an idle host give equal facts, whatever the time: an agent sends facts only
// when their digest has changed.
package facts

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"plumb/inventory"
	"plumb/modules/system"
)

// maxText bounds each file of the operating system that is read here, in bytes.
const maxText = 1 << 20

// Collect returns the facts of a host. Below a root that is not the running host it finds
// what files tell: system, packages, names. What is not readable is left out, as if the host
// lacked it; warnings name each file of facts.d that could not be used. An error means that
// a policy could not rely on the facts.
func Collect(ctx context.Context, sys *system.System) (found inventory.Facts, warnings []string, err error) {
	if err := ctx.Err(); err != nil {
		return found, nil, err
	}
	found = inventory.Facts{
		OS: readOS(sys), Arch: runtime.GOARCH,
		Packages: map[string]string{}, Interfaces: map[string][]string{}, Mounts: map[string]inventory.Mount{},
		Timezone: timezone(sys), PackageManager: packageManager(sys),
	}
	if err := addPackages(ctx, sys, &found); err != nil {
		return found, nil, err
	}
	found.Hostname = hostname(sys)
	found.FQDN = fqdn(found.Hostname, text(sys, "/etc/hosts"))
	if sys.Running() {
		if err := addRunning(ctx, sys, &found); err != nil {
			return found, nil, err
		}
	}
	found.Custom, warnings = readCustom(sys.State)
	return found, warnings, nil
}

// addPackages takes over the packages of rpm or dpkg. The architecture of another root is
// dpkg's, too.
func addPackages(ctx context.Context, sys *system.System, found *inventory.Facts) error {
	if sys.RPMHost() {
		return addRPMs(ctx, sys, found)
	}
	db, err := sys.Dpkg()
	if errors.Is(err, system.ErrNoDpkg) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot collect facts: %w", err)
	}
	found.Packages = db.Versions()
	if !sys.Running() && db.Arch != "" {
		found.Arch = goArch(db.Arch)
	}
	return nil
}

// addRPMs asks rpm, whose database only rpm itself can read: below another root there are none.
func addRPMs(ctx context.Context, sys *system.System, found *inventory.Facts) error {
	if !sys.Running() {
		return nil
	}
	versions, err := sys.RPMPackages(ctx)
	if errors.Is(err, system.ErrNoTool) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot collect facts: %w", err)
	}
	found.Packages = versions
	return nil
}

// goArch translates dpkg's name of an architecture into Go's.
func goArch(arch string) string {
	switch arch {
	case "i386":
		return "386"
	case "armhf", "armel":
		return "arm"
	case "ppc64el":
		return "ppc64le"
	default:
		return arch
	}
}

// addRunning adds what only a running host can tell.
func addRunning(ctx context.Context, sys *system.System, found *inventory.Facts) error {
	var err error
	if found.Interfaces, err = interfaces(text(sys, "/proc/net/if_inet6")); err != nil {
		return fmt.Errorf("cannot collect facts: %w", err)
	}
	found.Kernel = kernelRelease()
	found.Init = initName(text(sys, "/proc/1/comm"))
	found.Virtual = virtual(ctx, sys)
	found.Chassis = chassis(found.Virtual, text(sys, "/sys/class/dmi/id/chassis_type"))
	found.CPUs = countCPUs(text(sys, "/sys/devices/system/cpu/online"))
	found.MemoryMB = memoryMB(text(sys, "/proc/meminfo"))
	found.Mounts = parseMounts(mountTable(sys))
	found.BootID = text(sys, "/proc/sys/kernel/random/boot_id")
	return nil
}

// mountTable is the table of process 1: a service may see a namespace of its own.
func mountTable(sys *system.System) string {
	if table := text(sys, "/proc/1/mountinfo"); table != "" {
		return table
	}
	return text(sys, "/proc/self/mountinfo")
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func initName(comm string) string {
	if comm == "systemd" {
		return "systemd"
	}
	return "other"
}

// text returns the trimmed text of a file, nothing when it cannot be read.
func text(sys *system.System, name string) string {
	raw, err := sys.Files().Read(name, maxText)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

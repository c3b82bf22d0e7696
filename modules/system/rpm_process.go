package system

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
)

// livePackageManager reads the number of a process out of a lock file. Those files stay behind,
// and then the number is nobody's or belongs to some other program.
func livePackageManager(text string) (Holder, bool) {
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 1 {
		return Holder{}, false
	}
	comm, err := os.ReadFile("/proc/" + text + "/comm")
	if err != nil {
		return Holder{}, false
	}
	name := strings.ToLower(string(comm))
	for _, word := range []string{"dnf", "yum", "zypp", "packagekit", "python", "y2", "ruby"} {
		if strings.Contains(name, word) {
			return describeProcess(pid), true
		}
	}
	return Holder{}, false
}

// bootTime is when the first process of this host started, in seconds after 1970. The kernel's own word
// is that of the machine below, which a container shares.
func bootTime() int64 {
	var boot int64
	system, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(system)) {
		if at, ok := strings.CutPrefix(line, "btime "); ok {
			boot, _ = strconv.ParseInt(strings.TrimSpace(at), 10, 64)
		}
	}
	if first, err := os.Stat("/proc/1"); err == nil {
		boot = max(boot, first.ModTime().Unix())
	}
	return boot
}

// rpmReboot are packages that only work after a reboot, besides kernels.
func rpmReboot(name string) bool {
	switch name {
	case "glibc", "linux-firmware", "kernel-firmware", "systemd", "dbus", "dbus-1", "dbus-broker", "dbus-daemon", "microcode_ctl", "ucode-intel", "ucode-amd":
		return true
	}
	return installOnly(name)
}

// aftermath goes by when packages were installed: what was replaced since the boot and needs a
// reboot says so. Notices add what their makers want.
func (r rpmDatabase) aftermath(ctx context.Context, asked []string) (Aftermath, error) {
	list, err := r.packages(ctx)
	if err != nil {
		return Aftermath{}, err
	}
	after := Aftermath{}
	boot := bootTime()
	for _, p := range list {
		if p.installed > boot && (rpmReboot(p.rpmName()) || slices.Contains(asked, p.Name)) {
			after.Reboot = append(after.Reboot, p.Name+" "+p.Version+" was installed since the boot")
		}
	}
	for _, flag := range []string{"/run/reboot-needed", "/run/reboot-required"} {
		if there, err := r.s.Files().Exists(flag); err == nil && there {
			after.Reboot = append(after.Reboot, flag+" is there")
		}
	}
	slices.Sort(after.Reboot)
	after.Services, err = staleUnits("/proc")
	return after, err
}

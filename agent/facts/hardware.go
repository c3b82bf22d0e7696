package facts

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumb/modules/system"
)

// virtual says what the host runs on in the words of systemd-detect-virt, which is asked
// where it is installed. Elsewhere the marks of the common ones are looked for.
func virtual(ctx context.Context, sys *system.System) string {
	kept := boot(sys)
	if word := kept.load(sys.State); word != "" {
		return word
	}
	word, sure := findVirtual(ctx, sys)
	if sure {
		kept.save(sys.State, word)
	}
	return word
}

// findVirtual is not sure when the program is there and did not answer.
func findVirtual(ctx context.Context, sys *system.System) (word string, sure bool) {
	out, err := sys.Run(ctx, system.Command{Argv: []string{"systemd-detect-virt"}, Timeout: 5 * time.Second})
	if word := strings.TrimSpace(string(out.Stdout)); err == nil && word != "" {
		return word, true // it exits with 1 when it says "none"
	}
	return virtualByMarks(sys), errors.Is(err, system.ErrNoTool)
}

func virtualByMarks(sys *system.System) string {
	if word := text(sys, "/run/systemd/container"); word != "" {
		return word
	}
	for _, mark := range [][2]string{{"/.dockerenv", "docker"}, {"/run/.containerenv", "podman"}} {
		if found, err := sys.Files().Exists(mark[0]); err == nil && found {
			return mark[1]
		}
	}
	return virtualByDMI(text(sys, "/sys/class/dmi/id/sys_vendor"), text(sys, "/sys/class/dmi/id/product_name"),
		text(sys, "/proc/cpuinfo"))
}

// virtualByDMI knows a virtual machine by what its firmware calls itself, or at least by
// the processor's flag that every hypervisor sets.
func virtualByDMI(vendor, product, cpuinfo string) string {
	for _, one := range [][2]string{
		{"QEMU", "qemu"}, {"KVM", "kvm"}, {"VMware", "vmware"}, {"VirtualBox", "oracle"}, {"innotek", "oracle"},
		{"Virtual Machine", "microsoft"}, {"Amazon EC2", "amazon"}, {"Google", "google"}, {"Xen", "xen"},
		{"Parallels", "parallels"}, {"OpenStack", "kvm"}, {"Bochs", "bochs"},
	} {
		if strings.Contains(vendor, one[0]) || strings.Contains(product, one[0]) {
			return one[1]
		}
	}
	for line := range strings.Lines(cpuinfo) {
		if strings.HasPrefix(line, "flags") && slices.Contains(strings.Fields(line), "hypervisor") {
			return "vm-other"
		}
	}
	return "none"
}

// chassis is vm or container for what is virtual, else what the firmware says.
func chassis(virtual, dmiType string) string {
	switch virtual {
	case "none", "":
	case "docker", "podman", "lxc", "lxc-libvirt", "systemd-nspawn", "rkt", "wsl", "proot", "pouch", "openvz", "container-other":
		return "container"
	default:
		return "vm"
	}
	switch dmiType { // the numbers of the SMBIOS specification, 7.4.1
	case "8", "9", "10", "14", "30", "31", "32":
		return "laptop"
	case "3", "4", "5", "6", "7", "13", "15", "16", "24", "35":
		return "desktop"
	default:
		return "server"
	}
}

// countCPUs counts the processors in a list such as "0-3,6".
func countCPUs(online string) int {
	count := 0
	for part := range strings.SplitSeq(online, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		from, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return runtime.NumCPU()
		}
		to := from
		if isRange {
			if to, err = strconv.ParseUint(last, 10, 16); err != nil || to < from {
				return runtime.NumCPU()
			}
		}
		count += int(to-from) + 1
	}
	return count
}

// memoryMB reads "MemTotal: 24684084 kB".
func memoryMB(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err == nil && kib > 0 {
				return kib / 1024
			}
		}
	}
	return 0
}

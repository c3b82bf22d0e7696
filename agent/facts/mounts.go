package facts

import (
	"slices"
	"strconv"
	"strings"

	"plumb/inventory"
)

// pseudo are file systems that hold nothing, only views of the kernel.
var pseudo = [...]string{
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
	"fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs",
	"sysfs", "tracefs",
}

// passing are folders below which mounts come and go with logins, services and containers.
var passing = [...]string{
	"/run/user/", "/run/credentials/", "/run/docker/", "/run/containerd/", "/run/netns/",
	"/var/lib/docker/", "/var/lib/containers/", "/var/lib/containerd/", "/var/lib/kubelet/",
}

// parseMounts reads /proc/PID/mountinfo:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//
// The last mount on a point is the one that is seen.
func parseMounts(table string) map[string]inventory.Mount {
	found := map[string]inventory.Mount{}
	for line := range strings.Lines(table) {
		point, mount, ok := parseMount(line)
		if ok {
			found[point] = mount
		}
	}
	for point, mount := range found {
		if slices.Contains(pseudo[:], mount.Type) || isPassing(point) {
			delete(found, point)
		}
	}
	return found
}

func isPassing(point string) bool {
	return slices.ContainsFunc(passing[:], func(dir string) bool { return strings.HasPrefix(point, dir) })
}

func parseMount(line string) (point string, mount inventory.Mount, ok bool) {
	left, right, ok := strings.Cut(line, " - ")
	own, super := strings.Fields(left), strings.Fields(right)
	if !ok || len(own) < 6 || len(super) < 2 {
		return "", mount, false
	}
	mount = inventory.Mount{Type: plain(super[0]), Device: plain(super[1])}
	options := strings.Split(own[5], ",")
	if len(super) > 2 {
		options = merge(options, strings.Split(super[2], ","))
	}
	for _, o := range options {
		mount.Options = append(mount.Options, plain(o))
	}
	return plain(own[4]), mount, true
}

// merge adds the options of the file system to those of the mount. Read-only is whatever is
// read-only in either.
func merge(own, super []string) []string {
	if slices.Contains(super, "ro") {
		own = slices.DeleteFunc(own, func(o string) bool { return o == "rw" || o == "ro" })
		own = slices.Insert(own, 0, "ro")
	}
	for _, o := range super {
		if o != "rw" && !slices.Contains(own, o) {
			own = append(own, o)
		}
	}
	return own
}

// plain undoes the kernel's octal escapes, such as \040 for a blank.
func plain(field string) string {
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+3 < len(field) {
			if code, err := strconv.ParseUint(field[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		b.WriteByte(field[i])
	}
	return strings.ToValidUTF8(b.String(), "?")
}

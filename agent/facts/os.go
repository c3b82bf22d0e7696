package facts

import (
	"os"
	"path"
	"slices"
	"strings"

	"plumb/inventory"
	"plumb/modules/system"
)

func readOS(sys *system.System) inventory.OS {
	release := text(sys, "/etc/os-release")
	if release == "" {
		release = text(sys, "/usr/lib/os-release")
	}
	return parseOS(release)
}

// parseOS reads os-release(5).
func parseOS(release string) inventory.OS {
	fields := map[string]string{}
	for line := range strings.Lines(release) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			fields[key] = unquote(value)
		}
	}
	return inventory.OS{
		Kernel: "linux", Family: family(fields["ID"], fields["ID_LIKE"]), ID: fields["ID"],
		Version: fields["VERSION_ID"], Codename: fields["VERSION_CODENAME"], Name: fields["PRETTY_NAME"],
	}
}

// unquote takes the quotes and backslashes of a shell's assignment away.
func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			i++
		}
		b.WriteByte(value[i])
	}
	return strings.ToValidUTF8(b.String(), "?")
}

// family tells whose package manager's world this is, "" for none that we know.
func family(id, like string) string {
	families := map[string][]string{
		"debian": {"debian", "ubuntu"},
		"rhel":   {"rhel", "fedora", "centos"},
		"suse":   {"suse", "sles", "opensuse"},
		"arch":   {"arch"},
	}
	for _, word := range append([]string{id}, strings.Fields(like)...) {
		for name, members := range families {
			if slices.Contains(members, word) {
				return name
			}
		}
	}
	return ""
}

// packageManager is the one that belongs to the distribution; a Debian host may have dnf, too.
func packageManager(sys *system.System) string {
	tools := [][2]string{{"/usr/bin/apt-get", "apt"}, {"/usr/bin/dnf", "dnf"}, {"/usr/bin/zypper", "zypper"}}
	switch readOS(sys).Family {
	case "rhel":
		tools = [][2]string{tools[1], tools[0], tools[2]}
	case "suse":
		tools = [][2]string{tools[2], tools[0], tools[1]}
	}
	for _, one := range tools {
		if found, err := sys.Files().Exists(one[0]); err == nil && found {
			return one[1]
		}
	}
	return ""
}

// hostname returns the host's name without a domain.
func hostname(sys *system.System) string {
	name := text(sys, "/etc/hostname")
	if sys.Running() {
		if kernel, err := os.Hostname(); err == nil {
			name = kernel
		}
	}
	name, _, _ = strings.Cut(name, "\n")
	name, _, _ = strings.Cut(name, ".")
	return strings.ToValidUTF8(name, "?")
}

// fqdn finds the name with its domain in /etc/hosts, "" when that knows none.
func fqdn(short, hosts string) string {
	if short == "" {
		return ""
	}
	for line := range strings.Lines(hosts) {
		line, _, _ = strings.Cut(line, "#")
		for i, name := range strings.Fields(line) {
			if i > 0 && strings.HasPrefix(name, short+".") {
				return strings.ToValidUTF8(strings.TrimSuffix(name, "."), "?")
			}
		}
	}
	return ""
}

// timezone reads the IANA name out of the link /etc/localtime, or out of Debian's file.
func timezone(sys *system.System) string {
	if e, err := sys.Files().Stat("/etc/localtime"); err == nil && e.IsLink() {
		if _, zone, ok := strings.Cut(path.Clean(e.Target), "zoneinfo/"); ok && zone != "" {
			return zone
		}
	}
	if zone, _, _ := strings.Cut(text(sys, "/etc/timezone"), "\n"); zone != "" {
		return strings.ToValidUTF8(zone, "?")
	}
	return "Etc/UTC"
}

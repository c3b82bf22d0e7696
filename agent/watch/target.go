package watch

import (
	"path/filepath"
	"strings"

	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
)

// Target is what to watch for one resource.
type Target struct {
	Address string
	// Paths are files, folders or links of their own. Nothing need be there yet.
	Paths []string
	// Folders are folders in which every entry counts, Trees those with all that lies below.
	Folders, Trees []string
	// Units are units of systemd.
	Units []string
	// Packages and Accounts say that the resource is one of the package manager or of /etc/passwd.
	Packages, Accounts bool
}

// Empty tells that there is nothing to watch, as for a setting of the kernel.
func (t Target) Empty() bool {
	return len(t.Paths)+len(t.Folders)+len(t.Trees)+len(t.Units) == 0 && !t.Packages && !t.Accounts
}

// TargetOf tells what to watch for a resource of a catalog. A patch resource changes by the
// server's orders only and is not watched.
func TargetOf(res policies.Resource, one modules.Resource) Target {
	t := Target{Address: res.Address}
	if linker, ok := one.(modules.Linker); ok && res.Kind != "patch" {
		for _, name := range linker.Provides() {
			t.add(name)
		}
	}
	switch one := one.(type) {
	case *modules.Directory:
		if one.Purge || one.Recurse {
			t.Trees = append(t.Trees, one.Path)
		}
	case *modules.SSHDDirective:
		t.Paths, t.Folders = append(t.Paths, system.SSHDConfig), append(t.Folders, system.SSHDDropIns)
	case *modules.FileContentCheck:
		t.pattern(one.Path)
	}
	return t
}

func (t *Target) add(name string) {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "path":
		t.Paths = append(t.Paths, rest)
	case "unit":
		t.Units = append(t.Units, rest)
	case "package":
		t.Packages = true
	case "user", "group":
		t.Accounts = true
	}
}

// pattern watches a path, or the folder of a pattern whose last part alone is one.
func (t *Target) pattern(path string) {
	const special = `*?[\`
	switch dir, name := filepath.Split(path); {
	case strings.ContainsAny(dir, special): // periodic runs look there
	case strings.ContainsAny(name, special):
		t.Folders = append(t.Folders, filepath.Clean(dir))
	default:
		t.Paths = append(t.Paths, path)
	}
}

// target is a Target that is watched.
type target struct {
	Target
	root  string
	spots []spot
	blind bool
}

// paths lists all single paths that matter now.
func (t *target) paths() []string {
	var list []string
	below := func(names ...string) {
		for _, name := range names {
			list = append(list, t.below(name))
		}
	}
	below(t.Paths...)
	if t.Packages {
		below("/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages", "/var/lib/rpm/Packages.db",
			"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/Packages.db")
	}
	if t.Accounts {
		below("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow")
	}
	for _, unit := range t.Units {
		below(invocations+unit, unitFolder+"/"+unit, "/run/systemd/system/"+unit)
		list = append(list, wants(t.below(unitFolder), unit)...)
	}
	return list
}

const (
	unitFolder = "/etc/systemd/system"
	// invocations is where systemd keeps a link for each unit that has started a process and has
	// not come to rest. It makes the link when the unit starts and takes it away when the unit is
	// inactive or failed, also for a oneshot that remains after its exit.
	invocations = "/run/systemd/units/invocation:"
)

// unheard tells of units that start no process, such as timers and sockets: systemd tells files
// nothing of their start and stop.
func unheard(unit string) bool { return !strings.HasSuffix(unit, ".service") }

func (t *target) below(name string) string { return filepath.Join("/", t.root, name) }

// wants lists where links may stand that start the unit with others.
func wants(root, unit string) []string {
	var list []string
	for _, ending := range []string{"wants", "requires"} {
		folders, _ := filepath.Glob(filepath.Join(root, "*."+ending))
		for _, folder := range folders {
			list = append(list, filepath.Join(folder, unit))
		}
	}
	return list
}

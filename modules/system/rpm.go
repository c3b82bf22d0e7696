package system

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rpmDatabase is what dnf and zypper have in common: rpm and its database.
type rpmDatabase struct{ s *System }

const (
	rpmQueryLimit = 2 * time.Minute
	rpmMaxOutput  = 64 << 20 // bytes
)

// rpmFormat is one line a package. An epoch that is 0 is mostly not named at all.
const rpmFormat = `%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{SOURCERPM}\t%{VENDOR}\t%{INSTALLTIME}\t%{SIZE}\n`

// rpmPackage is one installed package.
type rpmPackage struct {
	Target
	// source and sourceVersion are of the source package; sourceVersion has no epoch.
	source, sourceVersion string
	vendor                string
	installed             int64 // seconds after 1970
	size                  int64 // bytes on the disk
}

// packages lists what is installed, sorted. Signing keys, which rpm keeps as packages, are not.
func (r rpmDatabase) packages(ctx context.Context) ([]rpmPackage, error) {
	out, err := r.s.must(ctx, Command{Argv: []string{"rpm", "-qa", "--qf", rpmFormat}, Timeout: rpmQueryLimit, MaxOutput: rpmMaxOutput})
	if err != nil {
		return nil, fmt.Errorf("cannot list the installed packages: %w", err)
	}
	return parseRPMList(out), nil
}

// parseRPMList reads lines of rpmFormat and leaves out what is none.
func parseRPMList(out string) []rpmPackage {
	var list []rpmPackage
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 7 || fields[0] == "gpg-pubkey" {
			continue
		}
		for i := range fields {
			fields[i] = printableWord([]byte(fields[i]))
		}
		p := rpmPackage{Target: rpmTarget(fields[0], fields[1], fields[2]), vendor: rpmValue(fields[4])}
		if p.Name == "" || p.Version == "" {
			continue
		}
		p.source, p.sourceVersion = splitSourceRPM(rpmValue(fields[3]))
		p.source = cmp.Or(p.source, fields[0])
		p.installed, _ = strconv.ParseInt(fields[5], 10, 64)
		p.size, _ = strconv.ParseInt(fields[6], 10, 64)
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b rpmPackage) int { return compareRPMTargets(a.Target, b.Target) })
	return list
}

func compareRPMTargets(a, b Target) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version))
}

// rpmValue turns rpm's word for nothing into nothing.
func rpmValue(field string) string {
	if field == "(none)" {
		return ""
	}
	return field
}

// splitSourceRPM reads glibc-2.34-100.el9.src.rpm.
func splitSourceRPM(file string) (name, version string) {
	base, ok := strings.CutSuffix(file, ".rpm")
	if !ok {
		return "", ""
	}
	base = strings.TrimSuffix(strings.TrimSuffix(base, ".src"), ".nosrc")
	release := strings.LastIndexByte(base, '-')
	if release < 0 {
		return "", ""
	}
	dash := strings.LastIndexByte(base[:release], '-')
	if dash < 0 {
		return "", ""
	}
	return base[:dash], base[dash+1:]
}

// rpmTarget names a package as the rest of Plumb does: "glibc", and "glibc.i686" for a foreign
// architecture. Epoch 0 is left out.
func rpmTarget(name, arch, version string) Target {
	if arch != "" && arch != "noarch" && !nativeRPM(arch) {
		name += "." + arch
	}
	return Target{Name: name, Arch: arch, Version: strings.TrimPrefix(version, "0:")}
}

// nativeRPM tells whether rpm's word for an architecture is the host's own.
func nativeRPM(arch string) bool {
	switch runtime.GOARCH {
	case "amd64":
		return strings.HasPrefix(arch, "x86_64")
	case "arm64":
		return arch == "aarch64"
	case "386":
		return len(arch) == 4 && strings.HasSuffix(arch, "86")
	case "arm":
		return strings.HasPrefix(arch, "arm")
	}
	return arch == runtime.GOARCH
}

// rpmName is the name without the architecture.
func (t Target) rpmName() string {
	if t.Arch == "" {
		return t.Name
	}
	return strings.TrimSuffix(t.Name, "."+t.Arch)
}

// nevra is name-epoch:version-release.arch, the one name that dnf cannot take for another; the
// epoch is always there, for without it dnf takes any.
func (t Target) nevra() string {
	version := t.Version
	if !strings.Contains(version, ":") {
		version = "0:" + version
	}
	return t.rpmName() + "-" + version + t.dotArch()
}

// nvra is what rpm calls it, and its file.
func (t Target) nvra() string {
	_, version, ok := strings.Cut(t.Version, ":")
	if !ok {
		version = t.Version
	}
	return t.rpmName() + "-" + version + t.dotArch()
}

func (t Target) dotArch() string {
	if t.Arch == "" {
		return ""
	}
	return "." + t.Arch
}

// installedVersions is [PackageManager.InstalledVersions].
func (r rpmDatabase) installedVersions(ctx context.Context) (map[Target]bool, error) {
	list, err := r.packages(ctx)
	if err != nil {
		return nil, err
	}
	there := map[Target]bool{}
	for _, p := range list {
		there[p.Target] = true
	}
	return there, nil
}

// RPMPackages maps each installed package to its version, the newest where several are
// installed side by side. It is for hosts whose packages are rpm's.
func (s *System) RPMPackages(ctx context.Context) (map[string]string, error) {
	list, err := rpmDatabase{s}.packages(ctx)
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for _, p := range list {
		if old, ok := versions[p.Name]; !ok || newerRPM(p.Version, old) {
			versions[p.Name] = p.Version
		}
	}
	return versions, nil
}

// newerRPM is false for versions that cannot be read.
func newerRPM(a, b string) bool {
	order, err := CompareRPMVersions(a, b)
	return err == nil && order > 0
}

package system

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// ErrNoDpkg means that there is no dpkg database below the root: not a Debian-like host.
var ErrNoDpkg = errors.New("there is no dpkg database")

// Package is what dpkg knows about one package of one architecture.
type Package struct {
	// Name, Version and Arch are as dpkg writes them.
	Name, Version, Arch string
	// Source is the source package, Name where dpkg names none.
	Source string
	// SourceVersion is the version of the source package, Version where dpkg names no other.
	SourceVersion string
	// Want is install, hold, deinstall, purge or unknown: what somebody selected.
	Want string
	// Flag is ok or reinstreq.
	Flag string
	// Status is installed, unpacked, half-configured, half-installed, triggers-awaited,
	// triggers-pending, config-files or not-installed.
	Status string
	// Essential packages must not be removed.
	Essential bool
}

// Installed tells whether the package is in order and meant to stay: "install ok installed"
// or "hold ok installed". Every other state is a half-done job or a leftover.
func (p Package) Installed() bool {
	return (p.Want == "install" || p.Want == "hold") && p.Flag == "ok" && p.Status == "installed"
}

// Held tells whether somebody asked that it keeps its version.
func (p Package) Held() bool { return p.Want == "hold" }

// Gone tells whether none of its programs are on the disk; its configuration may be.
func (p Package) Gone() bool { return p.Status == "not-installed" || p.Status == "config-files" }

// Broken tells whether dpkg was stopped half-way through it.
func (p Package) Broken() bool {
	return p.Flag != "ok" || !p.Gone() && p.Status != "installed"
}

// State is dpkg's own three words, such as "install ok installed".
func (p Package) State() string { return p.Want + " " + p.Flag + " " + p.Status }

// Dpkg is dpkg's database as it was when it was read.
type Dpkg struct {
	// Arch is the architecture of the host in dpkg's words.
	Arch string
	// Interrupted is true when dpkg left a journal: it was killed and not yet mended.
	Interrupted bool

	packages map[string][]Package // by name, one for each architecture
}

// Find returns the package "name" or "name:arch". Of several architectures
// it prefers the host's own.
func (d *Dpkg) Find(name string) (Package, bool) {
	name, arch, _ := strings.Cut(name, ":")
	list := d.packages[name]
	for _, p := range list {
		if arch == p.Arch || arch == "" && (p.Arch == d.Arch || p.Arch == "all") {
			return p, true
		}
	}
	if arch == "" && len(list) > 0 {
		return list[0], true
	}
	return Package{}, false
}

// All returns every package that dpkg has heard of, by name and architecture.
func (d *Dpkg) All() []Package {
	var all []Package
	for _, name := range slices.Sorted(maps.Keys(d.packages)) {
		all = append(all, d.packages[name]...)
	}
	return all
}

// Broken returns the packages that dpkg left half-done, by name.
func (d *Dpkg) Broken() []Package {
	return slices.DeleteFunc(d.All(), func(p Package) bool { return !p.Broken() })
}

// Versions maps each installed package to its version. A package of a foreign
// architecture goes by "name:arch".
func (d *Dpkg) Versions() map[string]string {
	versions := make(map[string]string, len(d.packages))
	for _, list := range d.packages {
		for _, p := range list {
			if p.Installed() {
				versions[d.label(p)] = p.Version
			}
		}
	}
	return versions
}

func (d *Dpkg) label(p Package) string {
	if p.Arch == d.Arch || p.Arch == "all" || p.Arch == "" || d.Arch == "" {
		return p.Name
	}
	return p.Name + ":" + p.Arch
}

// DpkgMemory keeps the database of a run; its zero value has not read it yet.
type DpkgMemory struct {
	mu   sync.Mutex
	read *Dpkg
	seen stamp // of the status file, before it was read
}

// Dpkg reads dpkg's database, and again only when its status file has been replaced. The
// error wraps [ErrNoDpkg] where there is none.
func (s *System) Dpkg() (*Dpkg, error) {
	m := s.dpkgMemory()
	m.mu.Lock()
	defer m.mu.Unlock()
	now := s.stampOf(dpkgDir + "/status")
	if m.read != nil && now == m.seen {
		return m.read, nil
	}
	d, err := readDpkg(s)
	if err != nil {
		return nil, err
	}
	m.read, m.seen = d, now
	return d, nil
}

// ForgetDpkg makes the next [System.Dpkg] read again: a package manager that was killed may
// have left its last word in the journal only.
func (s *System) ForgetDpkg() {
	m := s.dpkgMemory()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read = nil
}

func (s *System) dpkgMemory() *DpkgMemory {
	if s.Database != nil {
		return s.Database
	}
	return &s.dpkg
}

const (
	dpkgDir    = "/var/lib/dpkg"
	dpkgMaxLen = 128 << 20 // bytes; a large desktop has 8 MiB
)

func readDpkg(s *System) (*Dpkg, error) {
	d := &Dpkg{packages: map[string][]Package{}}
	found := false
	for _, name := range dpkgFiles(s) {
		raw, err := s.Files().Read(name, dpkgMaxLen)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read dpkg's database: %w", err)
		}
		found = true
		d.Interrupted = d.Interrupted || path.Dir(name) == dpkgDir+"/updates"
		scanStatus(raw, d.add)
	}
	if !found {
		return nil, ErrNoDpkg
	}
	d.Arch = d.nativeArch()
	return d, nil
}

// dpkgFiles lists what makes up the database, the newest word last: the status file, one
// file a package on images without dpkg, and the journal of a dpkg that did not finish.
func dpkgFiles(s *System) []string {
	files := []string{dpkgDir + "/status"}
	for _, name := range s.systemNames(dpkgDir + "/status.d") {
		if !strings.HasSuffix(name, ".md5sums") {
			files = append(files, dpkgDir+"/status.d/"+name)
		}
	}
	for _, name := range s.systemNames(dpkgDir + "/updates") {
		if strings.Trim(name, "0123456789") == "" {
			files = append(files, dpkgDir+"/updates/"+name)
		}
	}
	return files
}

func (d *Dpkg) add(p Package) {
	list := d.packages[p.Name]
	for i := range list {
		if list[i].Arch == p.Arch {
			list[i] = p
			return
		}
	}
	d.packages[p.Name] = append(list, p)
}

// nativeArch is the architecture of dpkg itself, or on an image without dpkg the first
// one that a package names.
func (d *Dpkg) nativeArch() string {
	if list := d.packages["dpkg"]; len(list) > 0 {
		return list[0].Arch
	}
	for _, p := range d.All() {
		if p.Arch != "all" && p.Arch != "" {
			return p.Arch
		}
	}
	return ""
}

// systemNames returns the sorted names in a folder, none when it cannot be read.
func (s *System) systemNames(name string) []string {
	entries, err := s.Files().List(name)
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = path.Base(e.Path)
	}
	return names
}

package system

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"plumb/inventory"
)

const aptLists = "/var/lib/apt/lists"

// aptOffers reads apt's own copies of the package lists, so it needs neither the network nor
// a running host. On a running host apt itself has the last word on what is newer, because
// only apt knows all about pins.
type aptOffers struct{ s *System }

// OffersKey changes with the package lists, dpkg's status and apt's preferences.
func (a aptOffers) OffersKey() (string, error) {
	key := ""
	for _, folder := range []string{aptLists, "/etc/apt", "/etc/apt/preferences.d"} {
		entries, err := a.s.Files().List(folder)
		if err != nil && folder == aptLists {
			return "", fmt.Errorf("cannot look at the package lists: %w", err)
		}
		for _, e := range entries {
			key += mark(e)
		}
	}
	for _, name := range dpkgFiles(a.s) {
		if e, err := a.s.Files().StatFollow(name); err == nil {
			key += mark(e)
		}
	}
	return inventory.Digest([]byte(key)), nil
}

func mark(e Entry) string {
	if e.IsDir() {
		return ""
	}
	return fmt.Sprintf("%s %d %d %d\n", e.Path, e.inode, e.Size, e.Modified.UnixNano())
}

// Offers lists the installed packages for which the package lists have something newer.
func (a aptOffers) Offers(ctx context.Context) (inventory.Offers, error) {
	db, err := a.s.Dpkg()
	if err != nil {
		return inventory.Offers{}, fmt.Errorf("cannot tell what is on offer: %w", err)
	}
	versions, err := a.versions(ctx, db)
	if err != nil {
		return inventory.Offers{}, err
	}
	found := inventory.Offers{Manager: "apt", List: []inventory.Offer{}}
	for _, p := range db.All() {
		if offer, ok := offerFor(p, db.label(p), versions[p.Name]); ok {
			found.List = append(found.List, offer)
		}
	}
	if a.s.Running() && len(found.List) > 0 {
		if err := a.ask(ctx, db, versions, &found); err != nil {
			return inventory.Offers{}, err
		}
	}
	slices.SortFunc(found.List, inventory.Offer.Compare)
	return found, nil
}

// listed is one version of a package in one repository.
type listed struct {
	name, version, arch   string
	source, sourceVersion string
	size                  int64
	phased                int
	from                  *aptRepository
	component             string
}

// versions reads from all lists what concerns installed packages.
func (a aptOffers) versions(ctx context.Context, db *Dpkg) (map[string][]listed, error) {
	names := a.s.systemNames(aptLists)
	repositories, err := a.repositories(names)
	if err != nil {
		return nil, err
	}
	all := map[string][]listed{}
	for _, name := range names {
		repository, rest := repositoryOf(name, repositories)
		if repository == nil || !isPackageList(rest) {
			continue
		}
		err := a.readList(ctx, name, func(r io.Reader) error {
			return scanList(r, repository, rest, db, func(l listed) { all[l.name] = append(all[l.name], l) })
		})
		if err != nil {
			return nil, fmt.Errorf("cannot read the package list %s: %w", name, err)
		}
	}
	return all, nil
}

// isPackageList tells whether a file holds a list of binary packages, packed or not.
func isPackageList(rest string) bool {
	switch path.Ext(rest) {
	case ".gz", ".xz", ".lz4", ".zst", ".bz2", ".lzma":
		rest = strings.TrimSuffix(rest, path.Ext(rest))
	}
	return rest == "Packages" || strings.HasSuffix(rest, "_Packages")
}

func scanList(r io.Reader, from *aptRepository, file string, db *Dpkg, add func(listed)) error {
	component := ""
	if c, _, ok := strings.Cut(file, "_binary-"); ok {
		component = c
	}
	now := listed{from: from, component: component}
	want := func(field, value []byte) bool {
		return string(field) != "Package" || len(db.packages[string(value)]) > 0
	}
	return scanStanzas(r, want, now.take, func() {
		if len(db.packages[now.name]) > 0 && now.version != "" {
			now.source = cmp.Or(now.source, now.name)
			add(now)
		}
		now = listed{from: from, component: component}
	})
}

func (l *listed) take(field string, value []byte) {
	switch field {
	case "Package":
		l.name = text(value)
	case "Version":
		l.version = text(value)
	case "Architecture":
		l.arch = text(value)
	case "Source":
		l.source, l.sourceVersion = splitSource(printableWord(value))
	case "Size":
		l.size = positive(value)
	case "Phased-Update-Percentage":
		l.phased = phasedShare(value)
	}
}

// phasedShare reads a share in percent. Ubuntu pulls an update that does harm by setting it to 0,
// which for an offer means that it is not phased at all, so a pulled one counts as barely begun.
func phasedShare(value []byte) int {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return int(min(max(n, 1), 100))
}

// splitSource reads "glibc" or "glibc (2.36-9)", where the version differs from the package's.
func splitSource(value string) (name, version string) {
	name, rest, _ := strings.Cut(value, " ")
	return name, strings.Trim(rest, "() ")
}

func positive(value []byte) int64 {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// offerFor picks the candidate of an installed package as apt does without pins: of the
// versions with the highest priority the newest. What is installed has priority 100, so a
// repository that is not meant for automatic upgrades never wins against it.
func offerFor(p Package, label string, versions []listed) (inventory.Offer, bool) {
	if !p.Installed() {
		return inventory.Offer{}, false
	}
	var best *listed
	priority := installedPriority(p, versions)
	for i := range versions {
		v := &versions[i]
		if !sameArch(p, v.arch) || v.from.priority < priority || !newer(v.version, p.Version) {
			continue
		}
		if v.from.priority > priority || best == nil || better(v, best) {
			best, priority = v, v.from.priority
		}
	}
	if best == nil {
		return inventory.Offer{}, false
	}
	return best.offer(p, label, versions), true
}

// installedPriority is that of the best repository that has the installed version, too.
func installedPriority(p Package, versions []listed) int {
	priority := 100
	for _, v := range versions {
		if v.version == p.Version && sameArch(p, v.arch) {
			priority = max(priority, v.from.priority)
		}
	}
	return priority
}

func sameArch(p Package, arch string) bool { return arch == p.Arch || arch == "all" || p.Arch == "all" }

// newer is false for versions that dpkg itself would refuse.
func newer(a, b string) bool {
	order, err := CompareDebVersions(a, b)
	return err == nil && order > 0
}

// better prefers the newer version, and of one version the repository for security: it is the
// one that says more about it.
func better(a, b *listed) bool {
	if a.version != b.version {
		return newer(a.version, b.version)
	}
	return a.from.security && !b.from.security
}

func (l *listed) offer(p Package, label string, versions []listed) inventory.Offer {
	o := inventory.Offer{Package: label, Source: l.source, Installed: p.Version, Candidate: l.version, Arch: l.arch,
		Origin: l.from.origin, Suite: l.from.suite, Label: l.from.label, Codename: l.from.codename, Component: l.component, Site: l.from.site,
		Security: l.from.security, Phased: l.phased, Size: l.size, Held: p.Held(), Reboot: needsReboot(l.source), Manager: "apt"}
	if l.sourceVersion != l.version {
		o.SourceVersion = l.sourceVersion
	}
	if p.SourceVersion != p.Version {
		o.InstalledSource = p.SourceVersion
	}
	for _, v := range versions {
		onTheWay := newer(v.version, p.Version) && !newer(v.version, l.version)
		o.Security = o.Security || v.from.security && onTheWay && sameArch(p, v.arch)
	}
	return o
}

// needsReboot goes by the source package: what only the kernel or the first process loads, or
// what every process holds.
func needsReboot(source string) bool {
	switch source {
	case "linux", "intel-microcode", "amd64-microcode", "glibc", "dbus":
		return true
	}
	return strings.HasPrefix(source, "linux-signed") || strings.HasPrefix(source, "linux-meta") || strings.HasPrefix(source, "linux-latest")
}

// ask lets apt correct the candidates by its pins. Only packages with something newer are
// asked for: what apt would leave alone is dropped.
func (a aptOffers) ask(ctx context.Context, db *Dpkg, versions map[string][]listed, found *inventory.Offers) error {
	names := make([]string, len(found.List))
	for i, o := range found.List {
		names[i] = o.Package
	}
	argv := slices.Concat([]string{"apt-cache"}, a.s.apt.options, []string{"policy", "--"}, names)
	out, err := a.s.Run(ctx, Command{Argv: argv, Timeout: aptQueryLimit, MaxOutput: 32 << 20})
	if errors.Is(err, ErrNoTool) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot ask apt for its candidates: %w", err)
	}
	candidates := parsePolicies(string(out.Stdout))
	kept := make([]inventory.Offer, 0, len(found.List))
	for _, o := range found.List {
		if one, ok := corrected(o, candidates, db, versions); ok {
			kept = append(kept, one)
		}
	}
	found.List = kept
	return nil
}

// corrected is the offer of the version that apt chose.
func corrected(o inventory.Offer, candidates map[string]string, db *Dpkg, versions map[string][]listed) (inventory.Offer, bool) {
	chosen, said := candidates[o.Package]
	if !said || chosen == o.Candidate {
		return o, true
	}
	p, ok := db.Find(o.Package)
	if !ok || !newer(chosen, p.Version) {
		return o, false
	}
	for _, v := range versions[p.Name] {
		if v.version == chosen && sameArch(p, v.arch) {
			return v.offer(p, o.Package, versions[p.Name]), true
		}
	}
	return o, false
}

// parsePolicies reads the candidates of "apt-cache policy A B …".
func parsePolicies(out string) map[string]string {
	candidates, name := map[string]string{}, ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if head, ok := strings.CutSuffix(line, ":"); ok && !strings.HasPrefix(line, " ") {
			name = head
		} else if v, ok := strings.CutPrefix(line, "  Candidate: "); ok && name != "" {
			candidates[name] = v
		}
	}
	return candidates
}

package system

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumb/inventory"
)

func dnfLists() rpmLists {
	return rpmLists{
		repositories: []string{"/etc/yum.repos.d", "/etc/distro.repos.d"},
		caches:       []string{"/var/cache/dnf/*", "/var/cache/libdnf5/*"},
		others:       []string{"/etc/dnf/dnf.conf", "/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml"},
	}
}

// OffersKey changes with rpm's database, the lists and dnf's settings.
func (d dnfManager) OffersKey() (string, error) { return rpmDatabase(d).key(dnfLists(), time.Now()) }

// Offers asks dnf for upgrades. Lists that are older than a day are fetched anew before; when
// that cannot be done, the old ones have to do.
func (d dnfManager) Offers(ctx context.Context) (inventory.Offers, error) {
	var stale error
	if rpmDatabase(d).age(dnfLists(), time.Now()) > 0 {
		stale = d.Update(ctx)
	}
	found := inventory.Offers{Manager: "dnf", List: []inventory.Offer{}}
	installed, err := rpmDatabase(d).packages(ctx)
	if err != nil {
		return found, err
	}
	free, err := d.upgrades(ctx)
	if err != nil && stale != nil {
		err = stale
	}
	if err != nil {
		return found, fmt.Errorf("cannot ask dnf for updates: %w", err)
	}
	// What is excluded or locked is on offer, too; it is held.
	all, err := d.upgrades(ctx, "--disableplugin=versionlock", "--disableexcludes=all")
	if err != nil {
		return found, fmt.Errorf("cannot ask dnf for updates: %w", err)
	}
	for t, u := range all {
		if _, ok := free[t]; !ok {
			u.Held = true
			free[t] = u
		}
	}
	found.List = newest(free, installed)
	rpmDatabase(d).complete(ctx, dnfLists(), &found)
	return found, nil
}

// upgrades lists newer versions. Suite is the repository and Origin the vendor.
func (d dnfManager) upgrades(ctx context.Context, options ...string) (map[Target]inventory.Offer, error) {
	const format = `%{name}\t%{arch}\t%{epoch}:%{version}-%{release}\t%{repoid}\t%{downloadsize}\t%{sourcerpm}\t%{vendor}\n`
	out, err := d.query(ctx, slices.Concat(options, []string{"repoquery", "--upgrades", "--latest-limit=1", "--qf", format})...)
	if err != nil {
		return nil, err
	}
	return parseDnfUpgrades(out), nil
}

func parseDnfUpgrades(out string) map[Target]inventory.Offer {
	found := map[Target]inventory.Offer{}
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) != 7 {
			continue
		}
		for i := range fields {
			fields[i] = printableWord([]byte(fields[i]))
		}
		t := rpmTarget(fields[0], fields[1], fields[2])
		o := inventory.Offer{Package: t.Name, Arch: t.Arch, Candidate: t.Version, Suite: fields[3], Origin: rpmValue(fields[6]), Manager: "dnf"}
		o.Size, _ = strconv.ParseInt(fields[4], 10, 64)
		o.Source, o.SourceVersion = splitSourceRPM(rpmValue(fields[5]))
		found[t] = o
	}
	return found
}

// newest joins offers with what is installed: of several versions side by side the newest counts.
func newest(offers map[Target]inventory.Offer, installed []rpmPackage) []inventory.Offer {
	there := map[string]rpmPackage{}
	for _, p := range installed {
		if old, ok := there[p.Name]; !ok || newerRPM(p.Version, old.Version) {
			there[p.Name] = p
		}
	}
	best := map[string]inventory.Offer{}
	for _, o := range offers {
		p, ok := there[o.Package]
		if !ok || !newerRPM(o.Candidate, p.Version) {
			continue
		}
		if other, ok := best[o.Package]; ok && !newerRPM(o.Candidate, other.Candidate) {
			continue
		}
		best[o.Package] = withSource(o, p)
	}
	list := []inventory.Offer{}
	for _, o := range best {
		list = append(list, o)
	}
	return list
}

// withSource fills in what is installed. A version of the source counts only where it differs: it
// never has an epoch.
func withSource(o inventory.Offer, p rpmPackage) inventory.Offer {
	o.Installed = p.Version
	if o.Source == "" {
		o.Source = p.source
	}
	if o.SourceVersion == withoutEpoch(o.Candidate) {
		o.SourceVersion = ""
	}
	if p.sourceVersion != withoutEpoch(p.Version) {
		o.InstalledSource = p.sourceVersion
	}
	return o
}

func withoutEpoch(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		return rest
	}
	return version
}

func (d dnfManager) rebootNotices(ctx context.Context) []string {
	return rpmDatabase(d).rebootAsked(ctx, dnfLists())
}

package system

import (
	"context"
	"fmt"
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
	all, err := d.upgrades(ctx)
	if err != nil && stale != nil {
		err = stale
	}
	if err != nil {
		return found, fmt.Errorf("cannot ask dnf for updates: %w", err)
	}
	if err := d.markHeld(ctx, all); err != nil {
		return found, fmt.Errorf("cannot ask dnf for updates: %w", err)
	}
	found.List = newest(all, installed)
	rpmDatabase(d).complete(ctx, dnfLists(), &found)
	return found, nil
}

// upgrades lists newer versions, also of what is excluded on this host. Suite is the
// repository and Origin the vendor.
func (d dnfManager) upgrades(ctx context.Context) (map[Target]inventory.Offer, error) {
	out, err := d.query(ctx, "--disableexcludes=all", "repoquery", "--upgrades", "--latest-limit=1", "--qf", dnfOfferFormat)
	if err != nil {
		return nil, err
	}
	return parseDnfUpgrades(out), nil
}

// dnfUpdates is dnf's exit code when there are updates.
const dnfUpdates = 100

// markHeld marks what dnf itself would not go to, because somebody excluded or locked it here.
func (d dnfManager) markHeld(ctx context.Context, all map[Target]inventory.Offer) error {
	out, err := d.run(ctx, dnfQueryLimit, "-q", "-C", "check-update")
	if err != nil {
		return err
	}
	if out.Code != 0 && out.Code != dnfUpdates {
		return dnfFailure(out)
	}
	free := parseDnfCheck(string(out.Stdout))
	for t, o := range all {
		o.Held = !free[t.rpmName()+t.dotArch()]
		all[t] = o
	}
	return nil
}

// parseDnfCheck reads the names with architecture that begin the lines; what a long name pushed
// into the next line is indented there.
func parseDnfCheck(out string) map[string]bool {
	free := map[string]bool{}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "Obsoleting ") {
			break
		}
		if name := firstWord(line); name != "" && line[0] != ' ' && strings.Contains(name, ".") {
			free[name] = true
		}
	}
	return free
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

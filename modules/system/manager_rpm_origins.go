package system

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"plumb/inventory"
)

// dnfOfferFormat is what [parseDnfUpgrades] reads.
const dnfOfferFormat = `%{name}\t%{arch}\t%{epoch}:%{version}-%{release}\t%{repoid}\t%{downloadsize}\t%{sourcerpm}\t%{vendor}\n`

// Origins asks dnf, which knows of each version in each repository who made it. What is excluded
// on this host counts as well.
func (d dnfManager) Origins(ctx context.Context, wanted []Target) (map[Target][]inventory.Offer, error) {
	if len(wanted) == 0 {
		return map[Target][]inventory.Offer{}, nil
	}
	args := []string{"--disableexcludes=all", "repoquery", "--available", "--qf", dnfOfferFormat, "--"}
	for _, t := range wanted {
		args = append(args, t.rpmName())
	}
	out, err := d.query(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot ask dnf where versions come from: %w", err)
	}
	return rpmDatabase(d).origins(dnfLists(), dnfListed(out), wanted), nil
}

// dnfListed are versions line by line: one may be in several repositories.
func dnfListed(out string) []inventory.Offer {
	var all []inventory.Offer
	for line := range strings.Lines(out) {
		all = slices.AppendSeq(all, maps.Values(parseDnfUpgrades(line)))
	}
	return all
}

// Origins asks zypper, which names repositories by their titles. A title that two have tells
// nothing. Who made a version and from which source is taken from what is installed: zypper
// changes neither in an update.
func (z zypperManager) Origins(ctx context.Context, wanted []Target) (map[Target][]inventory.Offer, error) {
	if len(wanted) == 0 {
		return map[Target][]inventory.Offer{}, nil
	}
	args := []string{"search", "--details", "--match-exact", "--type", "package", "--"}
	for _, t := range wanted {
		args = append(args, t.rpmName())
	}
	answer, err := z.query(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot ask zypper where versions come from: %w", err)
	}
	installed, err := rpmDatabase(z).packages(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot tell where versions come from: %w", err)
	}
	all := zypperListed(answer.found, rpmDatabase(z).repositories(zypperLists().repositories), installed)
	return rpmDatabase(z).origins(zypperLists(), all, wanted), nil
}

// zypperListed are the versions that a search found in repositories whose titles tell them apart.
func zypperListed(found []zypperSolvable, repositories map[string]rpmRepository, installed []rpmPackage) []inventory.Offer {
	there := map[string]rpmPackage{}
	for _, p := range installed {
		there[p.Name] = p
	}
	var all []inventory.Offer
	for _, v := range found {
		id, ok := titled(printableWord([]byte(v.Repository)), repositories)
		if v.Kind != "package" || !ok {
			continue
		}
		t := rpmTarget(printableWord([]byte(v.Name)), printableWord([]byte(v.Arch)), printableWord([]byte(v.Edition)))
		p := there[t.Name]
		all = append(all, inventory.Offer{Package: t.Name, Arch: t.Arch, Candidate: t.Version, Suite: id,
			Source: cmp.Or(p.source, t.rpmName()), Origin: p.vendor, Manager: "zypper"})
	}
	return all
}

// titled finds the one repository with the title. In its file the title may hold variables, such as
// $releasever, for which zypper shows what they stand for.
func titled(title string, repositories map[string]rpmRepository) (id string, ok bool) {
	for one, r := range repositories {
		name := cmp.Or(r.name, one)
		if name != title && !(strings.Contains(name, "$") && filled(name, title)) {
			continue
		}
		if ok {
			return "", false
		}
		id, ok = one, true
	}
	return id, ok
}

var rpmVariable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$(\w+|\{[^}]*\})`) })

// filled tells whether a text is what a name with variables may stand for.
func filled(name, text string) bool {
	parts := rpmVariable().Split(name, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	ok, err := regexp.MatchString("^"+strings.Join(parts, ".+")+"$", text)
	return err == nil && ok
}

// origins picks what was asked for, and adds what the repositories say of themselves.
func (r rpmDatabase) origins(l rpmLists, all []inventory.Offer, wanted []Target) map[Target][]inventory.Offer {
	repositories := r.repositories(l.repositories)
	found := map[Target][]inventory.Offer{}
	for _, o := range all {
		from := repositories[o.Suite]
		o.Codename, o.Label, o.Site = o.Suite, cmp.Or(from.name, o.Suite), from.site
		o.Origin = cmp.Or(o.Origin, o.Suite)
		for _, t := range wanted {
			if t == (Target{Name: o.Package, Arch: o.Arch, Version: o.Candidate}) {
				found[t] = append(found[t], o)
			}
		}
	}
	return found
}

package system

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	ids := map[string][]string{}
	for id, r := range repositories {
		title := cmp.Or(r.name, id)
		ids[title] = append(ids[title], id)
	}
	there := map[string]rpmPackage{}
	for _, p := range installed {
		there[p.Name] = p
	}
	var all []inventory.Offer
	for _, v := range found {
		id := ids[printableWord([]byte(v.Repository))]
		if v.Kind != "package" || len(id) != 1 {
			continue
		}
		t := rpmTarget(printableWord([]byte(v.Name)), printableWord([]byte(v.Arch)), printableWord([]byte(v.Edition)))
		p := there[t.Name]
		all = append(all, inventory.Offer{Package: t.Name, Arch: t.Arch, Candidate: t.Version, Suite: id[0],
			Source: cmp.Or(p.source, t.rpmName()), Origin: p.vendor, Manager: "zypper"})
	}
	return all
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

package system

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"plumb/inventory"
)

func zypperLists() rpmLists {
	return rpmLists{
		repositories: []string{"/etc/zypp/repos.d"},
		caches:       []string{"/var/cache/zypp/raw/*"},
		others:       []string{"/etc/zypp/zypp.conf", "/etc/zypp/locks"},
	}
}

// OffersKey changes with rpm's database, the lists and zypper's settings.
func (z zypperManager) OffersKey() (string, error) {
	return rpmDatabase(z).key(zypperLists(), time.Now())
}

// Offers asks zypper for newer versions. Lists that are older than a day are fetched anew before;
// when that cannot be done, the old ones have to do.
func (z zypperManager) Offers(ctx context.Context) (inventory.Offers, error) {
	var stale error
	if rpmDatabase(z).age(zypperLists(), time.Now()) > 0 {
		stale = z.Update(ctx)
	}
	found := inventory.Offers{Manager: "zypper", List: []inventory.Offer{}}
	installed, err := rpmDatabase(z).packages(ctx)
	if err != nil {
		return found, err
	}
	updates, locks, err := z.updates(ctx)
	if err != nil && stale != nil {
		err = stale
	}
	if err != nil {
		return found, fmt.Errorf("cannot ask zypper for updates: %w", err)
	}
	found.List = newest(zypperOffers(updates, locks, installed), installed)
	rpmDatabase(z).complete(ctx, zypperLists(), &found)
	return found, nil
}

// updates lists what zypper would go to, and of other packages what it cannot go to: because they
// are locked, or need what is not there.
func (z zypperManager) updates(ctx context.Context) (updates []zypperUpdate, locks []string, err error) {
	free, err := z.query(ctx, "list-updates")
	if err != nil {
		return nil, nil, err
	}
	all, err := z.query(ctx, "list-updates", "--all")
	if err != nil {
		return nil, nil, err
	}
	locked, err := z.query(ctx, "locks")
	if err != nil {
		return nil, nil, err
	}
	updates = free.updates
	for _, u := range all.updates {
		if !slices.ContainsFunc(free.updates, func(f zypperUpdate) bool { return f.Name == u.Name && f.Arch == u.Arch }) {
			updates = append(updates, u)
		}
	}
	return updates, locked.locks, nil
}

// zypperOffers takes the source and the vendor from what is installed: zypper changes neither in an
// update.
func zypperOffers(updates []zypperUpdate, locks []string, installed []rpmPackage) map[Target]inventory.Offer {
	there := map[string]rpmPackage{}
	for _, p := range installed {
		there[p.Name] = p
	}
	found := map[Target]inventory.Offer{}
	for _, u := range updates {
		if u.Kind != "package" {
			continue
		}
		t := rpmTarget(printableWord([]byte(u.Name)), printableWord([]byte(u.Arch)), printableWord([]byte(u.Edition)))
		p := there[t.Name]
		o := inventory.Offer{Package: t.Name, Arch: t.Arch, Candidate: t.Version, Suite: printableWord([]byte(u.Source.Alias)),
			Source: p.source, Origin: p.vendor, Held: zypperLocks(locks, t.rpmName()), Manager: "zypper"}
		found[t] = o
	}
	return found
}

// zypperLocks tells whether a lock keeps the package: they are patterns as those of a shell.
func zypperLocks(locks []string, name string) bool {
	for _, lock := range locks {
		if ok, err := path.Match(lock, name); err == nil && ok {
			return true
		}
	}
	return false
}

func (z zypperManager) rebootNotices(ctx context.Context) []string {
	return rpmDatabase(z).rebootAsked(ctx, zypperLists())
}

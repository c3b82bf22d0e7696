package patch

import (
	"slices"
	"time"

	"plumb/inventory"
)

// Item returns what the verdict lets into a patch set, false when it lets nothing in. What is
// allowed as a dependency has to come from one of the baseline's sources as well.
func (b Baseline) Item(o inventory.Offer, v Verdict) (Item, bool) {
	item := ItemOf(o)
	item.Level = v.Level
	switch v.State {
	case Approved:
		return item, true
	case AllowedAsDependency:
		item.Dependency = true
		return item, !o.Held && (b.about(o) || names(b.Approved, o))
	}
	return Item{}, false
}

// Urgent returns what an offer that cannot wait adds to a patch set. It passes the ages of the
// rules, and whether there is a rule at all; rejects, holds, phasing and sources hold.
func (b Baseline) Urgent(o inventory.Offer, now time.Time) (Item, bool) {
	b.Rules = []Rule{{Level: "critical"}}
	return b.Item(o, Judge(b, o, now, nil, now))
}

// Bars says what a reject of the baseline makes of an item that is in a set already: Rejected,
// AllowedAsDependency, or empty when none is about it.
func (b Baseline) Bars(i Item, now time.Time) State {
	v, _ := b.reject(inventory.Offer{Package: i.Package, Source: i.Source, Candidate: i.Version}, now)
	return v.State
}

// slot is what a set holds one version of.
type slot struct{ manager, repository, name, arch string }

func (i Item) slot() slot { return slot{i.Manager, i.Repository, i.Package, i.Arch} }

// Newer tells whether version a of a package comes after b in the order of the package manager.
// Of versions that the manager would refuse to compare none is newer.
type Newer func(manager, a, b string) bool

// Gather makes one list of items out of several, the later ones only adding to the earlier: of
// each package in each repository the newest version stays. Of equal ones the one that is more
// than a dependency stays, with the worst level.
func Gather(newer Newer, lists ...[]Item) []Item {
	best := map[slot]Item{}
	for _, i := range slices.Concat(lists...) {
		there, ok := best[i.slot()]
		switch {
		case !ok || newer(i.Manager, i.Version, there.Version):
			best[i.slot()] = i
		case i.Version == there.Version:
			there.Dependency = there.Dependency && i.Dependency
			there.Level = worseLevel(there.Level, i.Level)
			best[i.slot()] = there
		}
	}
	all := make([]Item, 0, len(best))
	for _, i := range best {
		all = append(all, i)
	}
	slices.SortFunc(all, Item.Compare)
	return all
}

// worseLevel returns the level that is worse; no level is the least.
func worseLevel(a, b string) string {
	order := []string{"critical", "high", "medium", "low", ""}
	return order[max(0, min(slices.Index(order, a), slices.Index(order, b)))]
}

// Difference says what a set has that another has not. A level is no difference: it says how bad
// it is that a package is missing, not what is installed.
func Difference(before, after []Item) (added, removed []Item) {
	known := map[Item]bool{}
	for _, i := range before {
		known[i.plain()] = true
	}
	for _, i := range after {
		if !known[i.plain()] {
			added = append(added, i)
		}
		delete(known, i.plain())
	}
	for _, i := range before {
		if known[i.plain()] {
			removed = append(removed, i)
		}
	}
	return added, removed
}

func (i Item) plain() Item {
	i.Level = ""
	return i
}

package patching

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/patch"
)

// stock is what the package database and the package lists say.
type stock struct {
	manager system.PackageManager
	there   map[string][]system.Target // by name
	offers  []inventory.Offer
	origins origins
}

func (m *Machine) stock(ctx context.Context, offers inventory.Offers) (stock, error) {
	there, err := m.manager.InstalledVersions(ctx)
	if err != nil {
		return stock{}, fmt.Errorf("cannot tell what is installed: %w", err)
	}
	s := stock{manager: m.manager, there: map[string][]system.Target{}, offers: offers.List, origins: origins{}}
	for t := range there {
		s.there[t.Name] = append(s.there[t.Name], t)
	}
	return s, nil
}

// sameArch lets a package that is for all architectures stand for one of a certain one.
func sameArch(a, b string) bool {
	every := func(arch string) bool { return arch == "" || arch == "all" || arch == "noarch" }
	return a == b || every(a) || every(b)
}

// version is the newest installed version, empty for none.
func (s stock) version(name, arch string) string {
	best := ""
	for _, t := range s.there[name] {
		if !sameArch(t.Arch, arch) {
			continue
		}
		if best == "" || s.compare(t.Version, best) > 0 {
			best = t.Version
		}
	}
	return best
}

// has tells whether exactly this version is installed, maybe beside others (kernels of rpm).
func (s stock) has(t system.Target) bool {
	return slices.ContainsFunc(s.there[t.Name], func(o system.Target) bool { return sameArch(o.Arch, t.Arch) && o.Version == t.Version })
}

func (s stock) hasAll(list []system.Target) bool {
	return !slices.ContainsFunc(list, func(t system.Target) bool { return !s.has(t) })
}

func (s stock) hasAny(list []system.Target) bool {
	return slices.ContainsFunc(list, s.has)
}

// compare says that versions which cannot be read are equal: nothing is done for them.
func (s stock) compare(a, b string) int {
	order, err := s.manager.CompareVersions(a, b)
	if err != nil {
		return 0
	}
	return order
}

// want is one update that this host is to take.
type want struct {
	target system.Target
	before string
	offer  inventory.Offer
	// sourced is true when a source of the baseline has the version on this host; elsewhere are
	// other repositories that have it.
	sourced   bool
	elsewhere []string
}

// wants picks from a set what is installed in an older version and what the host's own baseline
// lets in. A package that is not installed is never taken. Of several versions the newest counts
// that has a source here; others of it are for hosts with other repositories. The key is that of
// the offers.
func (m *Machine) wants(ctx context.Context, set patch.Set, s stock, key string) ([]want, error) {
	list, claims := m.newer(set, s)
	found, err := m.origins(ctx, key, targets(list))
	if err != nil {
		return nil, err
	}
	maps.Copy(s.origins, found)
	best := map[string]want{}
	for i, w := range list {
		w, ok := m.weigh(w, claims[i], s.offersOf(w.target))
		ok = ok && (w.sourced || !s.served(set, w))
		key := w.target.Name + " " + w.target.Arch
		if old, there := best[key]; ok && (!there || s.prefers(w, old)) {
			best[key] = w
		}
	}
	return slices.SortedFunc(maps.Values(best), func(a, b want) int { return compareTargets(a.target, b.target) }), nil
}

// served tells whether the host has what the set brings of the package for hosts like it.
func (s stock) served(set patch.Set, w want) bool {
	return slices.ContainsFunc(set.Items, func(item patch.Item) bool {
		return item.Manager == s.manager.Name() && item.Package == w.target.Name && sameArch(item.Arch, w.target.Arch) && item.Version == w.before
	})
}

func (s stock) prefers(a, b want) bool {
	if a.sourced != b.sourced {
		return a.sourced
	}
	return s.compare(a.target.Version, b.target.Version) > 0
}

// newer picks from a set what is installed in an older version, each with what the set says of it.
func (m *Machine) newer(set patch.Set, s stock) (list []want, claims []inventory.Offer) {
	for _, item := range set.Items {
		before := s.version(item.Package, item.Arch)
		if item.Manager != m.manager.Name() || item.Dependency || before == "" || s.compare(before, item.Version) >= 0 {
			continue
		}
		list = append(list, want{target: system.Target{Name: item.Package, Arch: item.Arch, Version: item.Version}, before: before})
		claims = append(claims, s.claim(item, before))
	}
	return list, claims
}

func compareTargets(a, b system.Target) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version))
}

// ruleless is the baseline without its rules: ages and severities are the server's to judge,
// sources and rejects are the host's own.
func (m *Machine) ruleless() patch.Baseline {
	b := m.spec.Baseline
	b.Rules = []patch.Rule{{}}
	return b
}

// claim is what the set says of a version, and what else the host knows about the repository that
// it names.
func (s stock) claim(item patch.Item, before string) inventory.Offer {
	made := inventory.Offer{Package: item.Package, Source: item.Source, Arch: item.Arch, Installed: before, Candidate: item.Version, Manager: item.Manager}
	made.Origin, made.Label, made.Codename = repositoryOf(item.Repository)
	for _, o := range s.offers {
		if o.Repository() != item.Repository {
			continue
		}
		made.Suite, made.Codename, made.Site = o.Suite, o.Codename, o.Site
		if o.Package == item.Package && sameArch(o.Arch, item.Arch) {
			made.Component = o.Component
		}
	}
	return made
}

// repositoryOf takes apart what [inventory.Offer.Repository] put together.
func repositoryOf(text string) (origin, label, codename string) {
	origin, rest, _ := strings.Cut(text, "/")
	last := max(0, strings.LastIndex(rest, "/"))
	return origin, rest[:last], strings.TrimPrefix(rest[last:], "/")
}

// candidate is what the package lists have newest for a package, if anything.
func (s stock) candidate(t system.Target) (inventory.Offer, bool) {
	for _, o := range s.offers {
		if o.Package == t.Name && sameArch(o.Arch, t.Arch) {
			return o, true
		}
	}
	return inventory.Offer{}, false
}

func targets(wants []want) []system.Target {
	list := make([]system.Target, len(wants))
	for i, w := range wants {
		list[i] = w.target
	}
	return list
}

func (m *Machine) now() time.Time {
	if m.sys.Now != nil {
		return m.sys.Now()
	}
	return time.Now()
}

// missing is what is still to come, for the report.
func missing(wants []want) []policies.PatchedPackage {
	var list []policies.PatchedPackage
	for _, w := range wants {
		list = append(list, policies.PatchedPackage{Name: w.target.Name, Before: w.before, After: w.target.Version})
	}
	return list
}

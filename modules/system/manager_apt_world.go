package system

import "slices"

// debWorld is a set of packages that are on a host at one time, found by their names and by
// what they provide.
type debWorld struct {
	byName map[string][]*debRecord
	byKey  map[debKey]*debRecord
	// dependsOn and clashesWith find the packages whose relations name a package.
	dependsOn, clashesWith map[string][]*debRecord
}

func newDebWorld(packages []*debRecord) *debWorld {
	w := &debWorld{byName: map[string][]*debRecord{}, byKey: map[debKey]*debRecord{},
		dependsOn: map[string][]*debRecord{}, clashesWith: map[string][]*debRecord{}}
	for _, r := range packages {
		w.byKey[r.key()] = r
		for _, name := range r.names() {
			w.byName[name] = append(w.byName[name], r)
		}
		for _, atom := range slices.Concat(r.depends...) {
			w.dependsOn[atom.name] = append(w.dependsOn[atom.name], r)
		}
		for _, atom := range r.clashes {
			w.clashesWith[atom.name] = append(w.clashesWith[atom.name], r)
		}
	}
	return w
}

// names are that of the package and those that it provides.
func (r *debRecord) names() []string {
	names := []string{r.name}
	for _, p := range r.provides {
		names = append(names, p.name)
	}
	return names
}

// debView is a world in which one package has another version.
type debView struct {
	base   *debWorld
	change *debRecord
}

// each visits the packages that go by a name until visit says that it is enough.
func (v debView) each(name string, visit func(*debRecord) (enough bool)) {
	for _, r := range v.base.byName[name] {
		if v.change != nil && v.change.replaces(r) {
			continue
		}
		if visit(r) {
			return
		}
	}
	if v.change != nil && slices.Contains(v.change.names(), name) {
		visit(v.change)
	}
}

// replaces tells whether r cannot stay beside it. A package that goes from an architecture to
// "all", or back, is the same package.
func (r *debRecord) replaces(other *debRecord) bool {
	return r.name == other.name && (r.arch == other.arch || r.arch == "all" || other.arch == "all")
}

// meets tells whether one of the alternatives that a package needs is there.
func (v debView) meets(of *debRecord, group []debAtom) bool {
	return v.meetsBy(of, group, func(debAtom, *debRecord) bool { return true })
}

// meetsBy counts only what the caller lets count.
func (v debView) meetsBy(of *debRecord, group []debAtom, counts func(debAtom, *debRecord) bool) bool {
	for _, atom := range group {
		found := false
		v.each(atom.name, func(r *debRecord) bool {
			found = found || atom.serves(of, r) && counts(atom, r)
			return found
		})
		if found {
			return true
		}
	}
	return false
}

// clashes returns the packages that the package does not go with.
func (v debView) clashes(of *debRecord) []*debRecord {
	var found []*debRecord
	for _, atom := range of.clashes {
		v.each(atom.name, func(r *debRecord) bool {
			if r.name != of.name && atom.hits(r) {
				found = append(found, r)
			}
			return false
		})
	}
	return found
}

// mentions tells whether one of the alternatives goes by one of the names.
func mentions(group []debAtom, names []string) bool {
	return slices.ContainsFunc(group, func(a debAtom) bool { return slices.Contains(names, a.name) })
}

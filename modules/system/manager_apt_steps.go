package system

import (
	"cmp"
	"maps"
	"slices"
)

// aptGraph says of changes that are made together which of them need which others, so that
// they can be made in small steps. A change needs another one that has to be made before it or
// together with it: its new version depends on the other's new one or clashes with its old
// one, or the other's old version would be left without what it depends on.
type aptGraph struct {
	before *debWorld
	after  *debWorld
	// changes are the new versions by key, and order lists them.
	changes map[debKey]*debRecord
	order   []debKey
}

func newAptGraph(there, changes []*debRecord) *aptGraph {
	g := &aptGraph{before: newDebWorld(there), changes: map[debKey]*debRecord{}}
	for _, r := range changes {
		if g.changes[r.key()] == nil {
			g.order = append(g.order, r.key())
		}
		g.changes[r.key()] = r
	}
	inOrder(g.order)
	after := slices.Clone(changes)
	for _, r := range there {
		if g.changed(r) == nil {
			after = append(after, r)
		}
	}
	g.after = newDebWorld(after)
	return g
}

// changed returns the new version of a package. One that goes from an architecture to "all",
// or back, is the same package.
func (g *aptGraph) changed(r *debRecord) *debRecord {
	if c := g.changes[r.key()]; c != nil {
		return c
	}
	if c := g.changes[debKey{r.name, "all"}]; c != nil {
		return c
	}
	if r.arch != "all" {
		return nil
	}
	for _, k := range g.order {
		if k.name == r.name {
			return g.changes[k]
		}
	}
	return nil
}

// needs returns the changes that one change needs.
func (g *aptGraph) needs(key debKey) []debKey {
	change := g.changes[key]
	view := debView{g.before, change}
	found := map[debKey]bool{}
	add := func(r *debRecord) {
		if c := g.changed(r); c != nil && c != change {
			found[c.key()] = true
		}
	}
	for _, group := range change.depends {
		if !g.keepsMeeting(view, change, group) {
			g.eachThatServes(change, group, add)
		}
	}
	for _, r := range view.clashes(change) {
		add(r)
	}
	g.dependents(change, view, add)
	for _, r := range g.before.byName[change.name] { // versions of all architectures go together
		if r.name == change.name && r.arch != change.arch {
			add(r)
		}
	}
	return g.sorted(found)
}

// keepsMeeting tells whether an alternative is met by something that goes on to meet it when it
// changes, too. What is met only until then does not count.
func (g *aptGraph) keepsMeeting(view debView, of *debRecord, group []debAtom) bool {
	return view.meetsBy(of, group, func(atom debAtom, r *debRecord) bool {
		next := g.changed(r)
		return r == view.change || next == nil || atom.serves(of, next)
	})
}

// dependents visits those that are hurt by the change: what depends on the version that goes,
// and what clashes with the one that comes.
func (g *aptGraph) dependents(change *debRecord, view debView, add func(*debRecord)) {
	names := change.names()
	if old := g.before.byKey[change.key()]; old != nil {
		names = append(names, old.names()...)
	}
	for _, name := range names {
		for _, r := range g.before.dependsOn[name] {
			for _, group := range r.depends {
				if r.name == change.name || !mentions(group, names) || g.keepsMeeting(view, r, group) || !(debView{base: g.before}).meets(r, group) {
					continue
				}
				add(r)
				g.eachThatServes(r, group, add)
			}
		}
		for _, r := range g.before.clashesWith[name] {
			if r.name != change.name && slices.ContainsFunc(r.clashes, func(c debAtom) bool { return c.hits(change) }) {
				add(r)
			}
		}
	}
}

// eachThatServes visits what meets the alternatives when all changes are made.
func (g *aptGraph) eachThatServes(of *debRecord, group []debAtom, add func(*debRecord)) {
	for _, atom := range group {
		for _, r := range g.after.byName[atom.name] {
			if atom.serves(of, r) {
				add(r)
			}
		}
	}
}

func (g *aptGraph) sorted(found map[debKey]bool) []debKey {
	var keys []debKey
	for _, k := range g.order {
		if found[k] {
			keys = append(keys, k)
		}
	}
	return keys
}

// steps returns the changes in groups that can be made one after the other. What needs one
// another in a circle is one group (Tarjan's strongly connected components, which come out
// with what is needed first).
func (g *aptGraph) steps() [][]debKey {
	t := &tarjan{graph: g, index: map[debKey]int{}, low: map[debKey]int{}, onStack: map[debKey]bool{}, needs: map[debKey][]debKey{}}
	for _, k := range g.order {
		if _, seen := t.index[k]; !seen {
			t.visit(k)
		}
	}
	return g.adopt(t)
}

// adopt puts what is new on the host into the step that first needs it: alone it would be of
// no use.
func (g *aptGraph) adopt(t *tarjan) [][]debKey {
	var steps [][]debKey
	of := map[debKey]int{}        // the group that each change is in
	waiting := map[int][]debKey{} // new groups that no step has yet
	for id, group := range t.groups {
		for _, k := range group {
			of[k] = id
		}
		for _, k := range slices.Clone(group) {
			for _, need := range t.needs[k] {
				group = append(group, waiting[of[need]]...)
				delete(waiting, of[need])
			}
		}
		if g.allNew(group) {
			waiting[id] = group
			continue
		}
		steps = append(steps, inOrder(group))
	}
	for _, id := range slices.Sorted(maps.Keys(waiting)) { // nothing that is installed needs it
		steps = append(steps, inOrder(waiting[id]))
	}
	return steps
}

func inOrder(group []debKey) []debKey {
	slices.SortFunc(group, compareKeys)
	return group
}

func compareKeys(a, b debKey) int {
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.arch, b.arch))
}

// allNew tells whether nothing of the group is on the host in another version.
func (g *aptGraph) allNew(group []debKey) bool {
	return !slices.ContainsFunc(group, func(k debKey) bool {
		return slices.ContainsFunc(g.before.byName[k.name], func(r *debRecord) bool { return r.name == k.name })
	})
}

type tarjan struct {
	graph   *aptGraph
	index   map[debKey]int
	low     map[debKey]int
	onStack map[debKey]bool
	stack   []debKey
	// needs keeps what was found, and groups are the circles in the order in which to make them.
	needs  map[debKey][]debKey
	groups [][]debKey
}

func (t *tarjan) visit(k debKey) {
	t.index[k] = len(t.index)
	t.low[k] = t.index[k]
	t.stack, t.onStack[k] = append(t.stack, k), true
	t.needs[k] = t.graph.needs(k)
	for _, need := range t.needs[k] {
		if _, seen := t.index[need]; !seen {
			t.visit(need)
			t.low[k] = min(t.low[k], t.low[need])
		} else if t.onStack[need] {
			t.low[k] = min(t.low[k], t.index[need])
		}
	}
	if t.low[k] != t.index[k] {
		return
	}
	at := slices.Index(t.stack, k)
	group := slices.Clone(t.stack[at:])
	t.stack = t.stack[:at]
	for _, member := range group {
		t.onStack[member] = false
	}
	t.groups = append(t.groups, group)
}

package agent

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"plumb/agent/cause"
	"plumb/agent/run"
	"plumb/agent/state"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
)

// standing is what stands on the host since its newest run. A daemon keeps it, so that a mend, and a
// round in which nothing changed, reads and writes no more than what did. The files say the same, see
// [Agent.keep]; whoever starts anew reads those.
type standing struct {
	held    state.Held
	comp    Compiled
	key     string // what the catalog was compiled from
	catalog policies.Catalog
	place   map[string]int // of an address in the catalog and in the result
	last    Last           // without the catalog
	memory  cause.Memory
	told    []string // addresses of which the last result says what was done
	behind  map[string]bool
	of      string // the whole files, see [Agent.seals]

	found               inventory.Facts
	rawFacts, rawOffers []byte
}

// stands returns what stands of a release, nil when that is not known or may have become something else.
func (r *round) stands(h state.Held) *standing {
	s := r.standing
	if s == nil || s.held != h || s.last.Audit != r.auditing() {
		return nil
	}
	if key, err := r.key(h.Bundle, r.id.Host, r.found, s.comp.Reads); err != nil || key != s.key {
		return nil
	}
	return s
}

// stand begins to keep what a run left.
func (r *round) stand(done finished, last Last) *standing {
	s := &standing{held: done.held, comp: done.comp, catalog: done.catalog, place: map[string]int{}, last: last, memory: done.memory,
		behind: map[string]bool{}, found: r.found, rawFacts: r.rawFacts, rawOffers: r.rawOffers}
	s.last.Catalog = policies.Catalog{}
	for i, res := range done.catalog.Resources {
		s.place[res.Address] = i
	}
	key, err := r.key(done.held.Bundle, r.id.Host, r.found, done.comp.Reads)
	if err != nil || r.older || len(s.place) != len(last.Result.Resources) {
		return nil // a catalog of other facts, or a result that says something else
	}
	s.key = key
	s.tell()
	return s
}

func (s *standing) tell() {
	s.told = nil
	for _, one := range s.last.Result.Resources {
		if one.Status == policies.Repaired || one.Refreshed {
			s.told = append(s.told, one.Address)
		}
	}
}

// part is the catalog of a mend: what has to be looked at, what that depends on, whom it notifies, and
// what a killed run has begun. A folder that purges has to know all that is managed in it.
func (s *standing) part(only map[string]bool, begun []string) policies.Catalog {
	want := map[int]bool{}
	add := func(addresses ...string) {
		for _, address := range addresses {
			if at, ok := s.place[address]; ok {
				want[at] = true
			}
		}
	}
	for _, address := range slices.AppendSeq(begun, maps.Keys(only)) {
		at, ok := s.place[address]
		if !ok {
			continue
		}
		res := s.catalog.Resources[at]
		if res.Kind == "directory" {
			return s.catalog
		}
		add(address)
		add(res.DependsOn...)
		add(res.Notify...)
	}
	part := s.catalog
	part.Resources = nil
	for _, at := range slices.Sorted(maps.Keys(want)) {
		part.Resources = append(part.Resources, s.catalog.Resources[at])
	}
	return part
}

// anyPackage tells whether a package is among the addresses, on which what is known of the host depends.
func (s *standing) anyPackage(addresses map[string]bool) bool {
	for address := range addresses {
		if at, ok := s.place[address]; ok && s.catalog.Resources[at].Kind == "package" {
			return true
		}
	}
	return false
}

// results are those of the last run for a part of the catalog.
func (s *standing) results(part policies.Catalog) policies.Result {
	short := policies.Result{Catalog: s.last.Result.Catalog}
	for _, res := range part.Resources {
		short.Resources = append(short.Resources, s.last.Result.Resources[s.place[res.Address]])
	}
	return short
}

// take brings what a mend found into what stands, and returns the whole.
func (s *standing) take(result policies.Result, memory cause.Memory) (policies.Result, cause.Memory) {
	whole := s.last.Result.Resources
	for _, address := range s.told {
		whole[s.place[address]] = run.Carry(whole[s.place[address]])
		s.behind[address] = true
	}
	for _, one := range result.Resources {
		whole[s.place[one.Address]] = one
		s.behind[one.Address] = true
		if left, ok := memory[one.Address]; ok {
			s.memory[one.Address] = left
		} else {
			delete(s.memory, one.Address)
		}
	}
	s.tell()
	return s.last.Result, s.memory
}

// follow notes what a whole run changed.
func (s *standing) follow(last Last, memory cause.Memory) {
	before := s.last.Result.Resources
	for i, one := range last.Result.Resources {
		if &before[0] == &last.Result.Resources[0] { // of a mend, see take
			break
		}
		if !same(one, before[i]) || !sameEntry(memory[one.Address], s.memory[one.Address]) {
			s.behind[one.Address] = true
		}
	}
	s.last, s.memory = last, memory
	s.last.Catalog = policies.Catalog{}
	s.tell()
}

// same tells whether two results are the same. What patching and fights add counts as different.
func same(a, b policies.ResourceResult) bool {
	return a.Address == b.Address && a.Status == b.Status && a.Mode == b.Mode && a.Cause == b.Cause && a.From == b.From && a.To == b.To &&
		a.Message == b.Message && a.Refreshed == b.Refreshed && a.By == b.By && slices.Equal(a.Changes, b.Changes) &&
		a.Patched == nil && b.Patched == nil && a.Flapping == nil && b.Flapping == nil
}

func sameEntry(a, b cause.Entry) bool {
	if len(a.Packages)+len(b.Packages) > 0 || len(a.Changed) != len(b.Changed) {
		return false
	}
	if n := len(a.Changed); n > 0 && !a.Changed[n-1].At.Equal(b.Changed[n-1].At) {
		return false
	}
	return a.Wanted == b.Wanted && a.Status == b.Status && a.Cause == b.Cause && a.From == b.From && a.To == b.To && a.Commit == b.Commit
}

// lazyTree reads a held bundle when somebody opens a file of it, which few resources do.
type lazyTree struct {
	open func() (fs.FS, error)
}

func (d lazyTree) Open(name string) (fs.File, error) {
	tree, err := d.open()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return tree.Open(name)
}

func (a *Agent) lazyTree(h state.Held) fs.FS {
	return lazyTree{sync.OnceValues(func() (fs.FS, error) {
		raw, err := a.Dir.Bundle(h)
		if err != nil {
			return nil, err
		}
		tree, err := bundle.Unpack(raw)
		if err != nil {
			return nil, fmt.Errorf("cannot unpack release %d: %w", h.Number, err)
		}
		return tree.FS(), nil
	})}
}

package patching

import (
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/advisories"
)

// member are hosts in a ring of a rollout, with the baseline as their own terms have it.
type member struct {
	*Alike
	baseline patch.Baseline
}

// members returns the hosts that a rollout is about, in the words of their own terms.
func (s *Sight) members(r policies.Rollout) []member {
	var list []member
	for _, a := range s.Groups {
		i := slices.IndexFunc(a.Terms.Baselines, func(b patch.Baseline) bool { return b.Name == r.Baseline() })
		if i >= 0 && r.RingOf(a.Terms.Groups) != "" {
			list = append(list, member{a, a.Terms.Baselines[i]})
		}
	}
	return list
}

// release is the newest one that one of the hosts runs.
func (m member) release() uint64 {
	var newest uint64
	for _, h := range m.Hosts {
		newest = max(newest, h.Release)
	}
	return newest
}

// bars are the baselines whose rejects count for what is in a set already: those of the hosts
// that run the newest release. A host that is behind must not keep out what is no longer rejected.
func bars(members []member) []patch.Baseline {
	var newest uint64
	var list []patch.Baseline
	for _, m := range members {
		switch n := m.release(); {
		case n > newest:
			newest, list = n, []patch.Baseline{m.baseline}
		case n == newest:
			list = append(list, m.baseline)
		}
	}
	return list
}

// barred leaves out items that all of the baselines reject now, and marks those that only others
// may bring in. What one of them lets in stays: each host holds the set against its own baseline.
func barred(items []patch.Item, bars []patch.Baseline, now time.Time) []patch.Item {
	var left []patch.Item
	for _, i := range items {
		states := map[patch.State]bool{}
		for _, b := range bars {
			states[b.Bars(i, now)] = true
		}
		free := len(bars) == 0 || states[""]
		if !free && !states[patch.AllowedAsDependency] {
			continue
		}
		i.Dependency = i.Dependency || !free
		left = append(left, i)
	}
	return left
}

// compose returns what the rollout's hosts may have now. It is cumulative: what was in the set
// before stays until a newer version takes its place or it is rejected, so that a host which
// missed some cycles only needs the newest.
func (s *Sight) compose(members []member, before []patch.Item, now time.Time) []patch.Item {
	against := bars(members)
	lists := [][]patch.Item{barred(before, against, now)}
	for _, m := range members {
		lists = append(lists, barred(s.approved(m, now), against, now))
	}
	return patch.Gather(advisories.Newer, lists...)
}

// approved is what the terms of these hosts approve now.
func (s *Sight) approved(m member, now time.Time) []patch.Item {
	var items []patch.Item
	for _, o := range m.Offers.List {
		v, _ := s.Judge(m.Alike, m.baseline, o, now)
		if i, ok := m.baseline.Item(o, v); ok {
			items = append(items, i)
		}
	}
	return items
}

// urgent returns the set before with what answers the advisories added, and the advisories that
// are answered by what was added. Ages do not count here; rejects, holds and phasing do.
func (s *Sight) urgent(members []member, before []patch.Item, ids map[string]bool, now time.Time) (items []patch.Item, answered []string) {
	against := bars(members)
	items = barred(before, against, now)
	for _, m := range members {
		for _, o := range m.Offers.List {
			of := s.named(m.Alike, o, ids)
			one, ok := m.baseline.Urgent(o, now)
			if len(of) == 0 || !ok {
				continue
			}
			with := patch.Gather(advisories.Newer, items, barred([]patch.Item{one}, against, now))
			if added, _ := patch.Difference(items, with); len(added) > 0 {
				items, answered = with, append(answered, of...)
			}
		}
	}
	slices.Sort(answered)
	return items, slices.Compact(answered)
}

// Lacking names the packages on offer to a host of which a set has a version that is newer than
// what is installed.
func Lacking(items []patch.Item, offers inventory.Offers) []string {
	versions := map[string][]patch.Item{}
	for _, i := range items {
		versions[i.Package] = append(versions[i.Package], i)
	}
	var names []string
	for _, o := range offers.List {
		if slices.ContainsFunc(versions[o.Package], func(i patch.Item) bool {
			return !i.Dependency && i.Arch == o.Arch && i.Repository == o.Repository() && advisories.Newer(i.Manager, i.Version, o.Installed)
		}) {
			names = append(names, o.Package)
		}
	}
	return names
}

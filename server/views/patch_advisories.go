package views

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"plumb/policies/patch"
	"plumb/server/store"
)

// PatchAdvisories returns advisories whose answer a selected host lacks, the worst first; with
// all of them also those that concern nobody, which are many.
func (r Reader) PatchAdvisories(ctx context.Context, f PatchFilter, all bool, limit int) ([]PatchAdvisory, error) {
	p, err := r.sight(ctx, f)
	if err != nil {
		return nil, err
	}
	open := p.open()
	if all {
		known, err := r.Store.Advisories(ctx, store.AdvisoryFilter{Limit: limit})
		if err != nil {
			return nil, err
		}
		for _, a := range known {
			if open[a.ID] == nil {
				open[a.ID] = &PatchAdvisory{Advisory: a.Advisory, FirstSeen: a.FirstSeen, Packages: []string{}}
			}
		}
	}
	list := make([]PatchAdvisory, 0, len(open))
	for _, id := range slices.Sorted(maps.Keys(open)) {
		list = append(list, *open[id])
	}
	slices.SortStableFunc(list, func(a, b PatchAdvisory) int {
		return cmp.Or(-cmp.Compare(min(a.Hosts.Len(), 1), min(b.Hosts.Len(), 1)), compareSeverity(a.Severity, b.Severity), b.Published.Compare(a.Published))
	})
	return list[:min(len(list), limit)], nil
}

func compareSeverity(a, b string) int {
	words := patch.Severities()
	return cmp.Compare(slices.Index(words, a), slices.Index(words, b))
}

// open returns the advisories whose answer is on offer and not installed, by ID.
func (p *sight) open() map[string]*PatchAdvisory {
	open := map[string]*PatchAdvisory{}
	for _, a := range p.groups {
		for _, one := range p.openOf(a) {
			there := advisory(open, one.Advisory, one.FirstSeen)
			there.Packages, there.Hosts = union(there.Packages, one.Packages), there.Hosts.with(a.hosts)
		}
	}
	return open
}

// openOf is open for hosts that are alike, without their names.
func (p *sight) openOf(a alike) map[string]*PatchAdvisory {
	open := map[string]*PatchAdvisory{}
	for _, o := range a.Offers.List {
		for _, one := range p.Answered(a.Alike, o) {
			there := advisory(open, one.Advisory, one.FirstSeen)
			there.Packages = union(there.Packages, []string{o.Package})
		}
	}
	return open
}

// advisory is the one in the map, which is made if need be.
func advisory(in map[string]*PatchAdvisory, a patch.Advisory, seen time.Time) *PatchAdvisory {
	if in[a.ID] == nil {
		in[a.ID] = &PatchAdvisory{Advisory: a, FirstSeen: seen}
	}
	return in[a.ID]
}

func union(a, b []string) []string {
	both := slices.Concat(a, b)
	slices.Sort(both)
	return slices.Compact(both)
}

// PatchSLAs returns how the hosts stand with each SLA: what they lack, and since when it is late.
func (r Reader) PatchSLAs(ctx context.Context, f PatchFilter, now time.Time) ([]PatchSLA, error) {
	p, err := r.sight(ctx, f)
	if err != nil {
		return nil, err
	}
	return r.slas(ctx, p, now)
}

func (r Reader) slas(ctx context.Context, p *sight, now time.Time) ([]PatchSLA, error) {
	found := map[string]*PatchSLA{}
	dues := map[string]map[string]*PatchSLADue{}
	for _, a := range p.groups {
		open := p.openOf(a)
		for _, sla := range a.Terms.SLAs {
			if found[sla.Name] == nil {
				found[sla.Name], dues[sla.Name] = &PatchSLA{Name: sla.Name, Anchor: sla.Anchor}, map[string]*PatchSLADue{}
			}
			for _, one := range open {
				if due, ok := patch.Due(one.Advisory, sla, one.FirstSeen); ok {
					found[sla.Name].add(dues[sla.Name], a, one, due, now)
				}
			}
		}
	}
	list := make([]PatchSLA, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		one := *found[name]
		one.Entries = sortedDues(dues[name])
		list = append(list, one)
	}
	exposures, err := r.exposures(ctx, p.slas(), now)
	for i := range list {
		list[i].Exposure = exposures[list[i].Name]
	}
	return list, err
}

// add counts one open advisory. Hosts of another release of the policy may have another time for it.
func (s *PatchSLA) add(dues map[string]*PatchSLADue, a alike, one *PatchAdvisory, due, now time.Time) {
	late := now.After(due)
	s.Open += len(a.Hosts)
	if late {
		s.Overdue += len(a.Hosts)
	}
	key := one.ID + " " + due.String()
	if dues[key] == nil {
		dues[key] = &PatchSLADue{Advisory: one.ID, Severity: one.Severity, Exploited: one.Exploited, Due: due.UTC(), Overdue: late}
	}
	dues[key].Packages, dues[key].Hosts = union(dues[key].Packages, one.Packages), dues[key].Hosts.with(a.hosts)
}

func sortedDues(dues map[string]*PatchSLADue) []PatchSLADue {
	list := make([]PatchSLADue, 0, len(dues))
	for _, one := range dues {
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b PatchSLADue) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Advisory, b.Advisory))
	})
	return list
}

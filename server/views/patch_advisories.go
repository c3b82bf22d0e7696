package views

import (
	"cmp"
	"context"
	"fmt"
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
		return nil, fmt.Errorf("cannot read what is on offer: %w", err)
	}
	open := p.open()
	if all {
		known, err := r.Store.Advisories(ctx, store.AdvisoryFilter{Limit: limit})
		if err != nil {
			return nil, err
		}
		for _, a := range known {
			if open[a.ID] == nil {
				open[a.ID] = &PatchAdvisory{Advisory: a.Advisory, FirstSeen: a.FirstSeen, Packages: []string{}, Hosts: []string{}}
			}
		}
	}
	list := make([]PatchAdvisory, 0, len(open))
	for _, id := range slices.Sorted(maps.Keys(open)) {
		list = append(list, *open[id])
	}
	slices.SortStableFunc(list, func(a, b PatchAdvisory) int {
		return cmp.Or(-cmp.Compare(min(len(a.Hosts), 1), min(len(b.Hosts), 1)), compareSeverity(a.Severity, b.Severity), b.Published.Compare(a.Published))
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
			merge(open, one)
		}
	}
	return open
}

// openOf is open for hosts that are alike.
func (p *sight) openOf(a alike) map[string]*PatchAdvisory {
	open := map[string]*PatchAdvisory{}
	for _, o := range a.Offers.List {
		for _, one := range p.Answered(a.Alike, o) {
			merge(open, &PatchAdvisory{Advisory: one.Advisory, FirstSeen: one.FirstSeen, Packages: []string{o.Package}, Hosts: a.hosts})
		}
	}
	return open
}

func merge(into map[string]*PatchAdvisory, one *PatchAdvisory) {
	there := into[one.ID]
	if there == nil {
		there = &PatchAdvisory{Advisory: one.Advisory, FirstSeen: one.FirstSeen}
		into[one.ID] = there
	}
	there.Packages = union(there.Packages, one.Packages)
	there.Hosts = union(there.Hosts, one.Hosts)
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
		return nil, fmt.Errorf("cannot read what is on offer: %w", err)
	}
	found := map[string]*PatchSLA{}
	dues := map[string]map[string]*PatchSLADue{}
	for _, a := range p.groups {
		for _, sla := range a.Terms.SLAs {
			if found[sla.Name] == nil {
				found[sla.Name], dues[sla.Name] = &PatchSLA{Name: sla.Name, Anchor: sla.Anchor}, map[string]*PatchSLADue{}
			}
			for _, one := range p.openOf(a) {
				if due, ok := patch.Due(one.Advisory, sla, one.FirstSeen); ok {
					found[sla.Name].add(dues[sla.Name], one, due, now)
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
func (s *PatchSLA) add(dues map[string]*PatchSLADue, one *PatchAdvisory, due, now time.Time) {
	late := now.After(due)
	s.Open += len(one.Hosts)
	if late {
		s.Overdue += len(one.Hosts)
	}
	key := one.ID + " " + due.String()
	if dues[key] == nil {
		dues[key] = &PatchSLADue{Advisory: one.ID, Severity: one.Severity, Exploited: one.Exploited, Due: due.UTC(), Overdue: late}
	}
	dues[key].Packages, dues[key].Hosts = union(dues[key].Packages, one.Packages), union(dues[key].Hosts, one.Hosts)
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

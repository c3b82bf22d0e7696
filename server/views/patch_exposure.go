package views

import (
	"context"
	"math"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
	"plumb/server/store"
)

// ExposureDays is how far back exposures that ended are looked at.
const ExposureDays = 90

// exposures measures, as of an instant, for how long hosts lacked answers, by the name of the SLA;
// those of each host are given. It is the only place that does.
func (r Reader) exposures(ctx context.Context, slas map[inventory.HostID][]patch.SLA, asOf time.Time) (map[string]PatchExposure, error) {
	if len(slas) == 0 {
		return nil, nil
	}
	all, err := r.Store.Exposures(ctx, asOf.AddDate(0, 0, -ExposureDays))
	if err != nil {
		return nil, err
	}
	all = exposedAt(all, asOf)
	names := map[string]bool{}
	for _, e := range all {
		names[e.Advisory] = true
	}
	known, err := r.advisoriesByID(ctx, sortedNames(names))
	if err != nil {
		return nil, err
	}
	gauges := map[string]*gauge{}
	for _, e := range all {
		for _, sla := range slas[e.Host] {
			if gauges[sla.Name] == nil {
				gauges[sla.Name] = &gauge{now: asOf}
			}
			if a, ok := known[e.Advisory]; ok {
				gauges[sla.Name].add(e, a, sla)
			}
		}
	}
	found := map[string]PatchExposure{}
	for name, g := range gauges {
		found[name] = g.read()
	}
	return found, nil
}

// exposedAt are the exposures as they were known at an instant.
func exposedAt(all []store.Exposure, asOf time.Time) []store.Exposure {
	all = slices.DeleteFunc(all, func(e store.Exposure) bool { return e.Since.After(asOf) })
	for i := range all {
		if all[i].Until.After(asOf) {
			all[i].Until = time.Time{}
		}
	}
	return all
}

// slas are those of each host that is seen.
func (p *sight) slas() map[inventory.HostID][]patch.SLA {
	found := map[inventory.HostID][]patch.SLA{}
	for _, a := range p.groups {
		for _, h := range a.Hosts {
			found[h.ID] = a.Terms.SLAs
		}
	}
	return found
}

func sortedNames(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// gauge measures exposures.
type gauge struct {
	now          time.Time
	days         []float64
	found        PatchExposure
	inTime, late int
}

// add measures one exposure, if the SLA is about its advisory. One that opened again, because the
// answer was lost, counts from then on.
func (g *gauge) add(e store.Exposure, a store.Advisory, sla patch.SLA) {
	due, ok := patch.Due(a.Advisory, sla, a.FirstSeen)
	if !ok {
		return
	}
	start := patch.Anchored(a.Advisory, sla, a.FirstSeen)
	if e.Again {
		due, start = e.Since.Add(due.Sub(start)), e.Since
	}
	end := g.now
	if g.found.Lasting++; !e.Until.IsZero() {
		end = e.Until
		g.found.Lasting, g.found.Ended = g.found.Lasting-1, g.found.Ended+1
	}
	if e.Until.IsZero() && end.After(due) {
		g.found.Overdue++
	}
	switch {
	case end.After(due):
		g.late++
	case !e.Until.IsZero():
		g.inTime++
	}
	g.days = append(g.days, max(0, end.Sub(start).Hours()/24))
}

func (g *gauge) read() PatchExposure {
	slices.Sort(g.days)
	g.found.P50, g.found.P90 = quantile(g.days, 0.5), quantile(g.days, 0.9)
	if n := g.inTime + g.late; n > 0 {
		share := math.Round(1000*float64(g.inTime)/float64(n)) / 10
		g.found.InTime = &share
	}
	return g.found
}

// quantile is the smallest of the sorted values that the share of them does not exceed, with one
// decimal; nil without values.
func quantile(sorted []float64, share float64) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	i := int(math.Ceil(share*float64(len(sorted)))) - 1
	value := math.Round(10*sorted[max(i, 0)]) / 10
	return &value
}

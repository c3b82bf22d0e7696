package views

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
	"plumb/server/kpi"
	"plumb/server/store"
)

// KPIFilter selects what the figures are about. Zero fields select all.
type KPIFilter struct {
	// Query is the period, the instant whose knowledge counts, and the policy.
	kpi.Query
	// Host is the name of a host, Group that of a group as its members are now.
	Host, Group string
}

// KPIs are the figures of a period.
type KPIs struct {
	kpi.Figures
	// SLAs say how hosts stood with each patch_sla as of then.
	SLAs []KPISLA `json:"patch_slas"`
}

// KPISLA is how hosts stood with one patch_sla.
type KPISLA struct {
	Name string `json:"name"`
	PatchExposure
}

// KPIs derives the figures. The error is store.ErrNotFound when there is no such host.
func (r Reader) KPIs(ctx context.Context, f KPIFilter) (KPIs, error) {
	changes, err := r.pastChanges(ctx)
	if err != nil {
		return KPIs{}, err
	}
	hosts, err := r.kpiHosts(ctx, f)
	if err != nil {
		return KPIs{}, err
	}
	figures := KPIs{}
	if figures.Figures, err = r.compute(ctx, f, changes, hosts, kpi.Since(f.Query, changes)); err != nil {
		return KPIs{}, err
	}
	figures.SLAs, err = r.pastSLAs(ctx, hosts, f.AsOf)
	return figures, err
}

// compute reads what the question needs, and all where it turns out that this does not suffice.
func (r Reader) compute(ctx context.Context, f KPIFilter, changes []kpi.Change, hosts []store.PastHost, since time.Time) (kpi.Figures, error) {
	q := f.Query
	past := &past{store: r.Store, ctx: ctx, since: since, whole: f.Host == "" && f.Group == "", kept: r.histories(len(hosts)), enough: kpi.Enough(q, since, changes), policy: newPolicyCounts(r.Store, q.Policy)}
	figures, whole := kpi.ComputeSince(q, since, changes, past.hosts(hosts))
	if past.err == nil && !whole {
		return r.compute(ctx, f, changes, hosts, time.Time{})
	}
	return figures, past.err
}

// kpiHosts returns the hosts that the filter selects, in order of their IDs, those that are gone among them.
func (r Reader) kpiHosts(ctx context.Context, f KPIFilter) ([]store.PastHost, error) {
	if f.Host != "" {
		h, err := r.Store.HostByName(ctx, f.Host)
		return []store.PastHost{h.Past()}, err
	}
	hosts, err := r.Store.PastHosts(ctx)
	if err != nil || f.Group == "" {
		return hosts, err
	}
	return r.inGroup(ctx, hosts, f.Group)
}

// inGroup returns the hosts whose newest catalog puts them into a group. Hosts of which that is
// not known are left out.
func (r Reader) inGroup(ctx context.Context, hosts []store.PastHost, group string) ([]store.PastHost, error) {
	known, err := r.termsOf(ctx, hosts)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(hosts, func(h store.PastHost) bool { return !slices.Contains(known[h.Terms].Groups, group) }), nil
}

// termsOf returns the terms of hosts by their digest; those that are not known are not in it.
func (r Reader) termsOf(ctx context.Context, hosts []store.PastHost) (map[string]patch.Terms, error) {
	known := map[string]patch.Terms{"": {}}
	for _, h := range hosts {
		if _, seen := known[h.Terms]; seen {
			continue
		}
		var terms patch.Terms
		raw, err := r.Store.Object(ctx, store.Ref{Kind: store.KindTerms, Digest: h.Terms})
		if err == nil {
			err = json.Unmarshal(raw, &terms)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("cannot read what policy says of %s: %w", h.Name, err)
		}
		known[h.Terms] = terms
	}
	return known, nil
}

// pastSLAs measures exposures as of an instant, by what policy says of the hosts now.
func (r Reader) pastSLAs(ctx context.Context, hosts []store.PastHost, asOf time.Time) ([]KPISLA, error) {
	terms, err := r.termsOf(ctx, hosts)
	if err != nil {
		return nil, err
	}
	slas, names := map[inventory.HostID][]patch.SLA{}, map[string]bool{}
	for _, h := range hosts {
		if of := terms[h.Terms].SLAs; h.Revoked.IsZero() && len(of) > 0 {
			slas[h.ID] = of
			for _, sla := range of {
				names[sla.Name] = true
			}
		}
	}
	found, err := r.exposures(ctx, slas, asOf)
	list := []KPISLA{}
	for _, name := range sortedNames(names) {
		list = append(list, KPISLA{name, found[name]})
	}
	return list, err
}

package views

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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

// KPIs derives the figures. The error is store.ErrNotFound when there is no such host.
func (r Reader) KPIs(ctx context.Context, f KPIFilter) (kpi.Figures, error) {
	changes, err := r.pastChanges(ctx)
	if err != nil {
		return kpi.Figures{}, err
	}
	hosts, err := r.kpiHosts(ctx, f)
	if err != nil {
		return kpi.Figures{}, err
	}
	past := &past{store: r.Store, ctx: ctx}
	figures := kpi.Compute(f.Query, changes, past.hosts(hosts))
	return figures, past.err
}

// kpiHosts returns the hosts that the filter selects, in order of their IDs, those that are gone among them.
func (r Reader) kpiHosts(ctx context.Context, f KPIFilter) ([]store.Host, error) {
	if f.Host != "" {
		h, err := r.Store.HostByName(ctx, f.Host)
		return []store.Host{h}, err
	}
	hosts, err := r.Store.Hosts(ctx, store.HostFilter{Revoked: true})
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts: %w", err)
	}
	if f.Group != "" {
		if hosts, err = r.inGroup(ctx, hosts, f.Group); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(hosts, func(a, b store.Host) int { return cmp.Compare(a.ID, b.ID) })
	return hosts, nil
}

// inGroup returns the hosts whose newest catalog puts them into a group. Hosts of which that is
// not known are left out.
func (r Reader) inGroup(ctx context.Context, hosts []store.Host, group string) ([]store.Host, error) {
	known := map[string]bool{"": false}
	var members []store.Host
	for _, h := range hosts {
		is, seen := known[h.Terms]
		if !seen {
			raw, err := r.Store.Object(ctx, store.Ref{Kind: store.KindTerms, Digest: h.Terms})
			var terms patch.Terms
			if err == nil {
				err = json.Unmarshal(raw, &terms)
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, fmt.Errorf("cannot read the groups of %s: %w", h.Name, err)
			}
			is = slices.Contains(terms.Groups, group)
			known[h.Terms] = is
		}
		if is {
			members = append(members, h)
		}
	}
	return members, nil
}

package views

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
	"plumb/server/advisories"
	"plumb/server/store"
)

// alike are hosts with the same offers and the same terms: what is said of one holds for all.
type alike struct {
	offers []inventory.Offer
	terms  patch.Terms
	hosts  []string
}

// patching is what a question about patching is answered from.
type patching struct {
	groups  []*alike
	hosts   int
	unknown []PatchUnknown
	seen    map[store.Version]time.Time
	known   map[string][]store.Advisory // by source package
}

// patching loads the hosts that the filter selects, each pair of objects once.
func (r Reader) patching(ctx context.Context, f PatchFilter) (*patching, error) {
	hosts, err := r.patchHosts(ctx, f)
	if err != nil {
		return nil, err
	}
	p := &patching{unknown: []PatchUnknown{}}
	pairs := map[[2]string]*alike{}
	for _, h := range hosts {
		if reason := unknownPatching(h); reason != "" {
			if f.Group == "" { // which groups it is in is not known either
				p.hosts++
				p.unknown = append(p.unknown, PatchUnknown{h.Name, reason})
			}
			continue
		}
		key := [2]string{h.Offers, h.Terms}
		if pairs[key] == nil {
			if pairs[key], err = r.alike(ctx, h); err != nil {
				return nil, err
			}
			p.groups = append(p.groups, pairs[key])
		}
		pairs[key].hosts = append(pairs[key].hosts, h.Name)
	}
	p.groups = slices.DeleteFunc(p.groups, func(a *alike) bool { return f.Group != "" && !slices.Contains(a.terms.Groups, f.Group) })
	for _, a := range p.groups {
		p.hosts += len(a.hosts)
	}
	return p, r.patchFacts(ctx, p)
}

func (r Reader) patchHosts(ctx context.Context, f PatchFilter) ([]store.Host, error) {
	if f.Host == "" {
		hosts, err := r.Store.Hosts(ctx, store.HostFilter{})
		if err != nil {
			return nil, fmt.Errorf("cannot list hosts: %w", err)
		}
		return hosts, nil
	}
	h, err := r.Store.HostByName(ctx, f.Host)
	return []store.Host{h}, err
}

func unknownPatching(h store.Host) string {
	switch {
	case h.Seq == 0:
		return "it has not reported yet"
	case h.Terms == "":
		return "what policy says about it is not compiled yet"
	case h.Offers == "":
		return "it does not tell what its package manager offers"
	}
	return ""
}

func (r Reader) alike(ctx context.Context, h store.Host) (*alike, error) {
	var found inventory.Offers
	var terms patch.Terms
	for ref, v := range map[store.Ref]any{{Kind: store.KindOffers, Digest: h.Offers}: &found, {Kind: store.KindTerms, Digest: h.Terms}: &terms} {
		raw, err := r.Store.Object(ctx, ref)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, v); err != nil {
			return nil, fmt.Errorf("cannot read the stored %s %.12s: %w", ref.Kind, ref.Digest, err)
		}
	}
	return &alike{offers: found.List, terms: terms}, nil
}

// patchFacts loads what is known of all versions and source packages that are on offer.
func (r Reader) patchFacts(ctx context.Context, p *patching) error {
	var versions []store.Version
	sources := map[string]bool{}
	for _, a := range p.groups {
		for _, o := range a.offers {
			versions = append(versions, store.VersionOf(o))
			sources[o.Source] = true
		}
	}
	var err error
	if p.seen, err = r.Store.FirstSeen(ctx, versions); err != nil || len(sources) == 0 {
		return err
	}
	list := make([]string, 0, len(sources))
	for source := range sources {
		list = append(list, source)
	}
	slices.Sort(list)
	known, err := r.Store.Advisories(ctx, store.AdvisoryFilter{Packages: list})
	p.known = map[string][]store.Advisory{}
	for _, a := range known {
		for name := range packagesOf(a) {
			p.known[name] = append(p.known[name], a)
		}
	}
	return err
}

func packagesOf(a store.Advisory) map[string]bool {
	names := map[string]bool{}
	for _, one := range a.Affected {
		names[one.Package] = true
	}
	return names
}

// answered returns the advisories that an offer answers.
func (p *patching) answered(o inventory.Offer) []store.Advisory {
	return advisories.Answered(o, p.known[o.Source], func(a store.Advisory) patch.Advisory { return a.Advisory })
}

// PatchStatus returns what is on offer to the hosts and what their baselines say of it.
func (r Reader) PatchStatus(ctx context.Context, f PatchFilter, now time.Time) (PatchStatus, error) {
	p, err := r.patching(ctx, f)
	if err != nil {
		return PatchStatus{}, fmt.Errorf("cannot read what is on offer: %w", err)
	}
	s := PatchStatus{Hosts: p.hosts, Unknown: p.unknown, Counts: map[patch.State]int{}, At: now.UTC()}
	same := map[string]*PatchUpdate{}
	for _, a := range p.groups {
		if len(a.offers) == 0 {
			s.Current += len(a.hosts)
		}
		for _, o := range a.offers {
			for _, u := range p.updates(o, a.terms, now) {
				s.Counts[u.State] += len(a.hosts)
				if err := gather(same, u, a.hosts); err != nil {
					return s, err
				}
			}
		}
	}
	s.Updates = sortedUpdates(same)
	return s, nil
}

// updates judges an offer by each baseline that is about it; when none is, it is told so once.
func (p *patching) updates(o inventory.Offer, terms patch.Terms, now time.Time) []PatchUpdate {
	answered := p.answered(o)
	plain := make([]patch.Advisory, len(answered))
	for i, a := range answered {
		plain[i] = a.Advisory
	}
	seen := p.seen[store.VersionOf(o)]
	base := updateOf(o, plain, seen)
	var list []PatchUpdate
	for _, b := range terms.Baselines {
		v := patch.Judge(b, o, seen, plain, now)
		if v.State == patch.NotApplicable {
			continue
		}
		u := base
		u.Baseline, u.State, u.Rule, u.Level, u.Reason, u.Until = b.Name, v.State, v.Rule, v.Level, v.Reason, stamp(v.Until)
		list = append(list, u)
	}
	if len(list) == 0 {
		base.State, base.Reason = patch.NotApplicable, "no patch baseline approves such an update"
		list = append(list, base)
	}
	return list
}

func updateOf(o inventory.Offer, answered []patch.Advisory, seen time.Time) PatchUpdate {
	u := PatchUpdate{Package: o.Package, Source: o.Source, Version: o.Candidate, Repository: o.Repository(), Security: o.Security,
		Severity: patch.Worst(answered), Advisories: []string{}, Phased: o.Phased, Size: o.Size, Reboot: o.Reboot, Held: o.Held,
		FirstSeen: stamp(seen), Hosts: []string{}}
	for _, a := range answered {
		u.Exploited = u.Exploited || a.Exploited
		u.Advisories = append(u.Advisories, a.ID)
	}
	return u
}

// gather adds hosts to the update that is the same but for them.
func gather(same map[string]*PatchUpdate, u PatchUpdate, hosts []string) error {
	raw, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("cannot compare updates: %w", err)
	}
	key := string(raw)
	if same[key] == nil {
		same[key] = &u
	}
	same[key].Hosts = append(same[key].Hosts, hosts...)
	return nil
}

var stateOrder = []patch.State{patch.Approved, patch.Waiting, patch.Rejected, patch.AllowedAsDependency, patch.NotApplicable}

func sortedUpdates(same map[string]*PatchUpdate) []PatchUpdate {
	list := make([]PatchUpdate, 0, len(same))
	for _, u := range same {
		slices.Sort(u.Hosts)
		list = append(list, *u)
	}
	slices.SortFunc(list, func(a, b PatchUpdate) int {
		return cmp.Or(cmp.Compare(slices.Index(stateOrder, a.State), slices.Index(stateOrder, b.State)), cmp.Compare(a.Package, b.Package),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Baseline, b.Baseline),
			cmp.Compare(strings.Join(a.Hosts, " "), strings.Join(b.Hosts, " ")))
	})
	return list
}

package views

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
	"plumb/server/patching"
)

// alike are hosts with the same offers and the same terms, with their names.
type alike struct {
	*patching.Alike
	hosts *[]string
}

func alikeOf(a *patching.Alike) alike {
	names := make([]string, len(a.Hosts))
	for i, h := range a.Hosts {
		names[i] = h.Name
	}
	return alike{a, &names}
}

// sight is what a question about patching is answered from.
type sight struct {
	*patching.Sight
	groups  []alike
	hosts   int
	unknown []PatchUnknown
}

// sight looks at the hosts that the filter selects.
func (r Reader) sight(ctx context.Context, f PatchFilter) (*sight, error) {
	seen, err := r.look(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("cannot read what is on offer: %w", err)
	}
	return sightOf(seen, f), nil
}

func sightOf(seen *patching.Sight, f PatchFilter) *sight {
	p := &sight{Sight: seen, unknown: []PatchUnknown{}}
	if f.Group == "" { // which groups an unknown host is in is not known either
		for _, one := range seen.Unknown {
			p.unknown = append(p.unknown, PatchUnknown{one.Host.Name, one.Reason})
		}
	}
	p.hosts = len(p.unknown)
	for _, a := range seen.Groups {
		if f.Group == "" || slices.Contains(a.Terms.Groups, f.Group) {
			p.groups = append(p.groups, alikeOf(a))
			p.hosts += len(a.Hosts)
		}
	}
	return p
}

func (r Reader) look(ctx context.Context, f PatchFilter) (*patching.Sight, error) {
	look := patching.Looker{Store: r.Store}
	if f.Host == "" {
		return lookOnce(ctx, look.Look)
	}
	h, err := r.Store.HostByName(ctx, f.Host)
	if err != nil {
		return nil, err
	}
	return look.LookAt(ctx, h)
}

// PatchStatus returns what is on offer to the hosts and what their baselines say of it.
func (r Reader) PatchStatus(ctx context.Context, f PatchFilter, now time.Time) (PatchStatus, error) {
	p, err := r.sight(ctx, f)
	if err != nil {
		return PatchStatus{}, err
	}
	return p.status(now)
}

// Patching is what PatchStatus, PatchReboots and PatchSLAs return of all hosts, from one look at them.
func (r Reader) Patching(ctx context.Context, now time.Time) (PatchStatus, []PatchSLA, error) {
	p, err := r.sight(ctx, PatchFilter{})
	if err != nil {
		return PatchStatus{}, nil, err
	}
	s, err := p.status(now)
	if err != nil {
		return s, nil, err
	}
	if s.Reboots, err = r.reboots(ctx, p, PatchFilter{}); err != nil {
		return s, nil, err
	}
	slas, err := r.slas(ctx, p, now)
	return s, slas, err
}

func (p *sight) status(now time.Time) (PatchStatus, error) {
	s := PatchStatus{Hosts: p.hosts, Unknown: p.unknown, Counts: map[patch.State]int{}, Rollouts: []PatchNext{}, Reboots: []PatchReboot{}, At: now.UTC()}
	same := map[string]*PatchUpdate{}
	for _, a := range p.groups {
		if len(a.Offers.List) == 0 {
			s.Current += len(a.Hosts)
		}
		for _, o := range a.Offers.List {
			for _, u := range p.updates(a, o, now) {
				s.Counts[u.State] += len(a.Hosts)
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
func (p *sight) updates(a alike, o inventory.Offer, now time.Time) []PatchUpdate {
	plain := patching.Plain(p.Answered(a.Alike, o))
	seen := p.FirstSeen(o)
	base := updateOf(o, plain, seen)
	var list []PatchUpdate
	for _, b := range a.Terms.Baselines {
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
		FirstSeen: stamp(seen)}
	for _, a := range answered {
		u.Exploited = u.Exploited || a.Exploited
		u.Advisories = append(u.Advisories, a.ID)
	}
	return u
}

// gather adds hosts to the update that is the same but for them.
func gather(same map[string]*PatchUpdate, u PatchUpdate, hosts *[]string) error {
	raw, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("cannot compare updates: %w", err)
	}
	key := string(raw)
	if same[key] == nil {
		same[key] = &u
	}
	same[key].Hosts = same[key].Hosts.with(hosts)
	return nil
}

var stateOrder = []patch.State{patch.Approved, patch.Waiting, patch.Held, patch.Rejected, patch.AllowedAsDependency, patch.NotApplicable}

func sortedUpdates(same map[string]*PatchUpdate) []PatchUpdate {
	list := make([]PatchUpdate, 0, len(same))
	for _, u := range same {
		list = append(list, *u)
	}
	slices.SortFunc(list, func(a, b PatchUpdate) int {
		by := cmp.Or(cmp.Compare(slices.Index(stateOrder, a.State), slices.Index(stateOrder, b.State)), cmp.Compare(a.Package, b.Package),
			cmp.Compare(a.Version, b.Version), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Baseline, b.Baseline))
		if by == 0 { // few are that much alike, and names are many
			by = slices.Compare(a.Hosts.Names(), b.Hosts.Names())
		}
		return by
	})
	return list
}

package patching

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
	"plumb/server/advisories"
	"plumb/server/store"
)

// Alike are hosts with the same offers and the same terms: what is said of one holds for all.
type Alike struct {
	Offers inventory.Offers
	Terms  patch.Terms
	Hosts  []Member

	of pair
}

// Member is one host among those.
type Member struct {
	ID      inventory.HostID
	Name    string
	Release uint64
}

// Sight is what is known of the patching of some hosts at one time.
type Sight struct {
	Groups []*Alike
	// Unknown are hosts of which it is not known, with the reason.
	Unknown []Unknown

	seen  map[store.Version]time.Time
	known map[string][]store.Advisory // by source package, those of hosts by binary package
	// answered remembers what was found out for offers that advisories cannot tell apart.
	answered map[inventory.Offer][]store.Advisory
}

// Unknown is a host of which it is not known what is on offer to it.
type Unknown struct {
	Host   Member
	Reason string
}

// Looker looks at hosts. It remembers what it decoded for the next look.
type Looker struct {
	Store *store.Store
	// Advisories are all that there are, for who has them at hand; nil has those read that are about what is on offer.
	Advisories []store.Advisory

	pairs map[pair]*Alike
}

// pair names offers and terms by their digests.
type pair struct{ offers, terms string }

// Look loads what is known of all hosts, each pair of objects once.
func (l *Looker) Look(ctx context.Context) (*Sight, error) {
	s := &Sight{}
	pairs := map[pair]*Alike{}
	if err := l.Store.EachOffered(ctx, func(h store.Host) { s.add(h, pairs) }); err != nil {
		return nil, err
	}
	return s, l.read(ctx, s, pairs)
}

// LookAt is Look at one host.
func (l *Looker) LookAt(ctx context.Context, h store.Host) (*Sight, error) {
	s := &Sight{}
	pairs := map[pair]*Alike{}
	s.add(h, pairs)
	return s, l.read(ctx, s, pairs)
}

// add sorts a host to those that are alike.
func (s *Sight) add(h store.Host, pairs map[pair]*Alike) {
	own := Member{h.ID, h.Name, h.Release}
	if reason := unknown(h); reason != "" {
		s.Unknown = append(s.Unknown, Unknown{own, reason})
		return
	}
	key := pair{h.Offers, h.Terms}
	if pairs[key] == nil {
		pairs[key] = &Alike{of: key}
		s.Groups = append(s.Groups, pairs[key])
	}
	pairs[key].Hosts = append(pairs[key].Hosts, own)
}

// read loads the objects that the groups name, and what is known of what is in them.
func (l *Looker) read(ctx context.Context, s *Sight, pairs map[pair]*Alike) error {
	for _, one := range s.Groups {
		if err := l.objects(ctx, one); err != nil {
			return err
		}
	}
	l.pairs = pairs
	return l.facts(ctx, s)
}

func unknown(h store.Host) string {
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

func (l *Looker) objects(ctx context.Context, one *Alike) error {
	if old := l.pairs[one.of]; old != nil {
		one.Offers, one.Terms = old.Offers, old.Terms
		return nil
	}
	if err := l.object(ctx, store.Ref{Kind: store.KindOffers, Digest: one.of.offers}, &one.Offers); err != nil {
		return err
	}
	return l.object(ctx, store.Ref{Kind: store.KindTerms, Digest: one.of.terms}, &one.Terms)
}

func (l *Looker) object(ctx context.Context, ref store.Ref, v any) error {
	raw, err := l.Store.Object(ctx, ref)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("cannot read the stored %s %.12s: %w", ref.Kind, ref.Digest, err)
	}
	return nil
}

// facts loads what is known of all versions and packages that are on offer.
func (l *Looker) facts(ctx context.Context, s *Sight) error {
	versions, packages := map[store.Version]bool{}, map[string]bool{}
	for _, a := range s.Groups {
		for _, o := range a.Offers.List {
			versions[store.VersionOf(o)], packages[o.Source] = true, true
			if len(a.Offers.Notices) > 0 {
				packages[o.Package] = true
			}
		}
	}
	s.known, s.answered = map[string][]store.Advisory{}, map[inventory.Offer][]store.Advisory{}
	var err error
	if s.seen, err = l.Store.FirstSeen(ctx, slices.Collect(maps.Keys(versions))); err != nil || len(packages) == 0 {
		return err
	}
	known := l.Advisories
	if known == nil {
		known, err = l.Store.Advisories(ctx, store.AdvisoryFilter{Packages: slices.Sorted(maps.Keys(packages))})
	}
	for _, a := range known {
		if names := packagesOf(a); slices.ContainsFunc(names, func(name string) bool { return packages[name] }) {
			for _, name := range names {
				s.known[name] = append(s.known[name], a)
			}
		}
	}
	return err
}

// packagesOf names each package once that an advisory is about.
func packagesOf(a store.Advisory) []string {
	var names []string
	for _, one := range a.Affected {
		if !slices.Contains(names, one.Package) {
			names = append(names, one.Package)
		}
	}
	return names
}

// FirstSeen is when the version on offer was first offered to any host; zero when that is not known.
func (s *Sight) FirstSeen(o inventory.Offer) time.Time { return s.seen[store.VersionOf(o)] }

// Answered returns the advisories that an offer to these hosts answers: those that were imported,
// and what their own package manager says.
func (s *Sight) Answered(a *Alike, o inventory.Offer) []store.Advisory {
	list := slices.Clone(s.imported(o))
	for _, own := range advisories.AnsweredNotices(o, a.Offers.Notices) {
		list = append(list, s.ofHost(own))
	}
	return list
}

// imported returns the answered advisories that a person imported. Some packages have thousands.
func (s *Sight) imported(o inventory.Offer) []store.Advisory {
	key := inventory.Offer{Source: o.Source, Installed: o.BuiltFrom(), Candidate: o.FixedIn(), Origin: o.Origin, Codename: o.Codename}
	list, known := s.answered[key]
	if !known {
		list = advisories.Answered(o, s.known[o.Source], func(a store.Advisory) patch.Advisory { return a.Advisory })
		list = slices.DeleteFunc(list, func(a store.Advisory) bool { return advisories.FromHosts(a.Feed) })
		s.answered[key] = list
	}
	return list
}

// named are those of the advisories with the IDs that the offer answers.
func (s *Sight) named(a *Alike, o inventory.Offer, ids map[string]bool) []string {
	var names []string
	for _, one := range s.Answered(a, o) {
		if ids[one.ID] {
			names = append(names, one.ID)
		}
	}
	return names
}

// ofHost adds to a notice when it was first heard of, from any host. Of one that a person imported
// as well, what the person imported counts.
func (s *Sight) ofHost(own patch.Advisory) store.Advisory {
	for _, one := range own.Affected {
		for _, a := range s.known[one.Package] {
			if a.ID == own.ID && a.Feed == own.Feed {
				return store.Advisory{Advisory: own, FirstSeen: a.FirstSeen}
			}
			if a.ID == own.ID {
				return a
			}
		}
	}
	return store.Advisory{Advisory: own}
}

// Judge says what a baseline makes of an offer to these hosts.
func (s *Sight) Judge(a *Alike, b patch.Baseline, o inventory.Offer, now time.Time) (patch.Verdict, []store.Advisory) {
	answered := s.Answered(a, o)
	return patch.Judge(b, o, s.FirstSeen(o), Plain(answered), now), answered
}

// Plain leaves out when advisories were first known.
func Plain(list []store.Advisory) []patch.Advisory {
	plain := make([]patch.Advisory, len(list))
	for i, a := range list {
		plain[i] = a.Advisory
	}
	return plain
}

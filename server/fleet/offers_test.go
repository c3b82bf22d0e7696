package fleet

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

func offered(versions ...string) inventory.Offers {
	found := inventory.Offers{Manager: "apt", List: []inventory.Offer{}}
	for _, v := range versions {
		found.List = append(found.List, inventory.Offer{Package: "openssl", Source: "openssl", Installed: "1", Candidate: v, Manager: "apt", Origin: "Debian", Label: "Debian", Codename: "x"})
	}
	return found
}

func TestOffersComeWithReports(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	a, b := f.enrol(t, "web1"), f.enrol(t, "web2")
	later := start.Add(time.Hour)
	tell := func(a *agent, found inventory.Offers, now time.Time) {
		t.Helper()
		r := a.report(1, outcome{"a": policies.Compliant}, now)
		r.Offers = a.object(found)
		answer, err := a.deliver(ctx, now, r)
		must(t, err)
		same(t, "accepted", answer.Accepted, a.seq)
	}
	tell(a, offered("2"), start)
	tell(b, offered("2", "3"), later)
	tell(a, offered("2", "3"), later)
	v := func(version string) store.Version { return store.VersionOf(offered(version).List[0]) }
	got, err := f.Store.FirstSeen(ctx, []store.Version{v("2"), v("3"), v("4")})
	must(t, err)
	same(t, "first seen", got, map[store.Version]time.Time{v("2"): start, v("3"): later})
	h, err := f.Store.Host(ctx, a.id)
	must(t, err)
	same(t, "offers of the host", h.Offers, a.object(offered("2", "3")))
	intervals, err := f.Store.Intervals(ctx, a.id, 10)
	must(t, err)
	same(t, "number of intervals", len(intervals), 2) // enrolled, reported: other offers are no change

	silent := a.report(1, outcome{"a": policies.Compliant}, later)
	_, err = a.deliver(ctx, later, silent)
	must(t, err)
	h, err = f.Store.Host(ctx, a.id)
	must(t, err)
	same(t, "offers of a host that does not tell", h.Offers, "")
}

func TestUnusableOffers(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	for name, change := range map[string]func(*inventory.Offer){
		"no package":        func(o *inventory.Offer) { o.Package = "" },
		"no version":        func(o *inventory.Offer) { o.Candidate = "" },
		"another manager":   func(o *inventory.Offer) { o.Manager = "dnf" },
		"negative size":     func(o *inventory.Offer) { o.Size = -1 },
		"more than all":     func(o *inventory.Offer) { o.Phased = 101 },
		"endless text":      func(o *inventory.Offer) { o.Label = strings.Repeat("x", 1000) },
		"control character": func(o *inventory.Offer) { o.Label = "\x1b[2J" },
	} {
		t.Run(name, func(t *testing.T) {
			found := offered("2")
			change(&found.List[0])
			raw, err := json.Marshal(found)
			must(t, err)
			digest := inventory.Digest(raw)
			f.inbox.ask(a.id, []store.Ref{{Kind: store.KindOffers, Digest: digest}}, start)
			wantRefused(t, f.PutObject(t.Context(), a.id, digest, raw, start))
		})
	}
	_, err := f.CheckIn(t.Context(), a.id, protocol.CheckIn{Version: 1, Reports: []policies.Report{{Epoch: "e", Seq: 1, Offers: "no digest"}}}, start)
	wantRefused(t, err)
}

func TestNoticesComeWithOffers(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	a := f.enrol(t, "web1")
	found := offered("2")
	found.Manager, found.List[0].Manager = "dnf", "dnf"
	found.Notices = []inventory.Notice{{ID: "RHSA-2026:1", Severity: "critical", Issued: "2026-11-20T00:00:00Z", Fixes: []inventory.Fix{{Package: "openssl", Version: "2"}}}}
	r := a.report(1, outcome{"a": policies.Compliant}, start)
	r.Offers = a.object(found)
	_, err := a.deliver(ctx, start, r)
	must(t, err)
	all, err := f.Store.Advisories(ctx, store.AdvisoryFilter{})
	must(t, err)
	if len(all) != 1 || all[0].ID != "RHSA-2026:1" || all[0].Feed != "dnf" || all[0].Severity != "critical" || !all[0].FirstSeen.Equal(start) {
		t.Errorf("advisories = %+v, want the host's notice", all)
	}
	for name, change := range map[string]func(*inventory.Offers){
		"name of no notice": func(o *inventory.Offers) { o.Notices[0].ID = "a b" },
		"unknown manager":   func(o *inventory.Offers) { o.Manager, o.List[0].Manager = "pip", "pip" },
	} {
		odd := offered("3")
		odd.Manager, odd.List[0].Manager = "dnf", "dnf"
		odd.Notices = []inventory.Notice{{ID: "RHSA-2026:1"}}
		change(&odd)
		raw, err := json.Marshal(odd)
		must(t, err)
		digest := inventory.Digest(raw)
		f.inbox.ask(a.id, []store.Ref{{Kind: store.KindOffers, Digest: digest}}, start)
		t.Run(name, func(t *testing.T) { wantRefused(t, f.PutObject(ctx, a.id, digest, raw, start)) })
	}
}

// patcher is a compiler that also knows terms.
type patcher struct {
	compiler
	terms string
}

func (p patcher) Catalogs(ctx context.Context, bundle string, hosts []store.Host) []Wanted {
	list := p.compiler.Catalogs(ctx, bundle, hosts)
	for i := range list {
		if p.terms != "" {
			list[i].Terms = []byte(p.terms)
		}
	}
	return list
}

func TestVerifyKeepsTerms(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	f.Log = slog.New(slog.DiscardHandler)
	for n := range uint64(3) {
		must(t, f.Store.AddRelease(ctx, store.Release{Number: n + 1, Bundle: "b"}))
	}
	a := f.enrol(t, "web1")
	for n, c := range []struct{ terms, want string }{
		{`{"groups":["web"]}`, `{"groups":["web"]}`}, {`{"groups":[]}`, `{"groups":[]}`}, {"", `{"groups":[]}`},
	} {
		_, err := a.deliver(ctx, start, a.report(uint64(n+1), outcome{"a": policies.Compliant}, start))
		must(t, err)
		h, err := f.Store.Host(ctx, a.id)
		must(t, err)
		f.Compiler = patcher{compiler{"b": h.Catalog}, c.terms}
		must(t, f.Verify(ctx, start))
		h, err = f.Store.Host(ctx, a.id)
		must(t, err)
		raw, err := f.Store.Object(ctx, store.Ref{Kind: store.KindTerms, Digest: h.Terms})
		must(t, err)
		same(t, "terms", string(raw), c.want)
		same(t, "expected", h.Expected, h.Catalog)
	}
}

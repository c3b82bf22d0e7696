package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
	"plumb/server/views"
)

// classics are what a host, an author or a visitor may try to make a page do.
var classics = []string{
	`"><script>alert(1)</script>`,
	`' onmouseover='alert(1)' x='`,
	`javascript:alert(1)//`,
	`</code></pre></main><img src=x onerror=alert(1)>`,
	`{{.Secret}}<svg onload=alert(1)>`,
	"\x00\x1b[31m\u202egnp.exe",
	`%22%3E%3Cscript%3E/../?q=<b>`,
	`x?y#z&amp;<!--`,
}

// words tells what stands in the next field that somebody else writes.
type words func() string

// always is the same text in all fields.
func always(text string) words { return func() string { return text } }

// TestHTMLInjection puts each text wherever foreign text comes in, and holds all the pages
// that show it to what holds for every page.
func TestHTMLInjection(t *testing.T) {
	for _, text := range classics {
		t.Run(text, func(t *testing.T) {
			f := newFleet(t)
			known := f.poison(always(text), 1)
			pages, session, shown := f.serve(), f.session(), 0
			for _, address := range poisonedPages(always(text), known) {
				r := httptest.NewRequest(http.MethodGet, address, nil)
				r.AddCookie(session)
				body := ask(t, pages, r).body
				if !strings.HasPrefix(body, "<!DOCTYPE html>") {
					continue // the address does not exist, as the router's own answer says
				}
				doc := check(t, body)
				if strings.Contains(textOf(doc), strings.TrimSpace(strings.ReplaceAll(text, "\x00", "\ufffd"))) {
					shown++
				}
			}
			if shown < 14 {
				t.Errorf("only %d pages show %q as it is: the others may have lost or changed it", shown, text)
			}
		})
	}
}

// poisonedPages are the addresses of all pages that show foreign text, with such text in them too.
// Known is what is wrong with one of the resources.
func poisonedPages(next words, known store.Finding) []string {
	escaped := func(text string) string {
		return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), "/", "%2f")
	}
	forms := []string{"/", "/hosts", "/hosts?q=*", "/hosts?label=*", "/hosts?label=a%3D*", "/hosts?status=*", "/hosts?release=*", "/hosts/evil", "/hosts/evil?days=*", "/hosts/evil/history", "/hosts/evil/history?what=*",
		"/hosts/evil/packages", "/hosts/evil/packages?q=*", "/hosts/evil/explain?address=" + escaped(known.Address), "/hosts/evil/explain?address=*",
		"/hosts?os=*&group=*&sort=*", "/hosts?state=*", "/hosts?ring=a%2F*", "/drift/feed", "/drift/feed?cause=*", "/drift/feed?address=*&policy=*", "/drift?policy=*&days=*", "/hosts/*",
		"/drift", "/drift?address=*", "/drift?control=*", "/drift?host=*", "/drift?after=evil%20*", "/changes", "/changes/1", "/changes/1?kind=*", "/changes/1?address=*", "/policies", "/policies/" + escaped(known.Policy), "/policies/*",
		"/controls", "/standing?policy=*&status=*", "/standing?control=*", "/alerts", "/alerts?kind=*", "/kpis", "/kpis?group=*&policy=*", "/kpis?from=*", "/events?what=drift", "/events?what=drift&policy=*", "/?period=*",
		"/rings", "/rings/hosts?of=1&ring=*", "/rings/hosts?of=*&ring=*&outcome=*", "/patches", "/patches?state=*", "/patches/hosts?what=reboot", "/patches/hosts?what=unknown", "/patches/hosts?package=*&version=*&state=*",
		"/advisories", "/advisories?severity=*", "/advisories/evil", "/advisories/*", "/changes/evil/1", "/changes/evil/1?outcome=*", "/account", "/signin?next=*", "/*"}
	for i, form := range forms {
		for strings.Contains(form, "*") {
			form = strings.Replace(form, "*", escaped(next()), 1)
		}
		forms[i] = form
	}
	return forms
}

// poison makes a fleet in which every foreign text is what next says, with so many resources on each
// host, and returns what is wrong with one of them.
func (f *fleet) poison(next words, resources int) (known store.Finding) {
	ctx := f.t.Context()
	f.policy.Problem, f.policy.Upstream, f.policy.Signers, f.policy.Mode = next(), next(), []string{next()}, "author"
	must(f.t, f.store.AddRelease(ctx, store.Release{Number: 1, Commit: next(), Subject: next(), Author: next(), Made: start, Bundle: next(), Signer: next(), Key: next()}))
	f.poisonPatches(next)
	f.poisonPlans(next)
	for id, name := range map[inventory.HostID]string{"id-evil": "evil", "id-2": next()} { // the server makes up IDs by itself
		at := start.AddDate(0, 0, -40)
		must(f.t, f.store.CreateToken(ctx, store.Token{ID: string(id), Hash: string(id), Created: at, Expires: at.Add(time.Hour)}))
		must(f.t, f.store.CreateHost(ctx, store.Host{Host: inventory.Host{ID: id, Name: name, Labels: map[string]string{"a": next(), next(): "b"}}, Key: string(id)}, string(id), at))
		step := poisonedStep(next, resources)
		known = step.Findings[0]
		catalog, result := poisonedRun(step)
		facts := map[string]any{next(): next(), "list": []any{next(), map[string]any{next(): next()}}, "packages": map[string]any{next(): next()}, "hostname": next(), "os": map[string]any{"pretty": next()}}
		step.Host = store.Host{Release: 1, Commit: next(), Facts: f.put(store.KindFacts, facts), Catalog: f.put(store.KindCatalog, catalog), Result: f.put(store.KindResult, result),
			Since: start, Ran: start, Found: policies.Noncompliant, Problem: next()}
		must(f.t, f.store.Accept(ctx, id, "", 0, []store.Step{step}, start))
		f.poisonOffers(id, next)
		must(f.t, f.store.Seen(ctx, id, store.Heartbeat{Agent: next(), Paused: &protocol.Pause{Until: next(), Reason: next()}}, start.Add(time.Second)))
	}
	return known
}

// poisonedStep is what a host found, and what happened on it.
func poisonedStep(next words, resources int) store.Step {
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: 1}, NewInterval: true, PatchHosts: []store.PatchHost{poisonedRow(next, "evil"), poisonedRow(next, next())}}
	for i := range resources {
		address := next()
		changes := []policies.Change{{Attribute: next(), Before: next(), After: next(), Diff: "+" + next() + "\n-" + next()}, {Attribute: next(), Before: next(), After: next()}}
		step.Events = append(step.Events,
			store.Event{At: start, Kind: store.EventFailed, Address: address, Cause: policies.Cause(next()), Status: policies.Status(next()), Before: policies.Status(next()), Changes: changes, Release: 1, Commit: next(), Message: next(), By: next(), FromCommit: next(), ToCommit: next()},
			store.Event{At: start.Add(-time.Duration(i) * time.Minute), Kind: store.EventRepaired, Address: address, Cause: policies.Corrective, Changes: changes, Release: 1, By: next()})
		step.Findings = append(step.Findings, store.Finding{Address: address, Status: policies.Noncompliant, Since: start, Mode: policies.Mode(next()), Cause: policies.Cause(next()), Changes: changes, Message: next(), By: next(), From: next(), To: next(), Policy: next(), Flapping: &policies.Flapping{Until: start.Add(time.Hour), Writers: []string{next()}},
			Severity: next(), Controls: []string{next()}, Source: policies.Position{File: next(), Line: 1}})
	}
	return step
}

// poisonedRun is the catalog and the result behind a step.
func poisonedRun(step store.Step) (catalog policies.Catalog, result policies.Result) {
	for _, one := range step.Findings {
		catalog.Resources = append(catalog.Resources, policies.Resource{Address: one.Address, Kind: one.To, Policy: one.Policy, Title: one.Message, Severity: one.Severity, Controls: one.Controls, Source: one.Source, Mode: one.Mode, Waivers: []string{one.Message}})
		result.Resources = append(result.Resources, policies.ResourceResult{Address: one.Address, Status: policies.Noncompliant, Cause: one.Cause, Message: one.Message, Changes: one.Changes, By: one.By, From: one.From, To: one.To, Flapping: one.Flapping},
			policies.ResourceResult{Address: one.Address + "2", Status: policies.Status(one.Message)})
		catalog.Waivers = map[string]policies.Waiver{one.Message: {Name: one.Message, Expires: start.AddDate(0, 1, 0), Effect: policies.WaiveAudit, Reason: one.Severity, Ticket: one.By, ApprovedBy: one.Controls, AppliesTo: one.Source.File, Source: one.Source}}
	}
	return catalog, result
}

// poisonPlans lets the newest release say such texts of itself, and alerts tell them.
func (f *fleet) poisonPlans(next words) {
	f.t.Helper()
	source := policies.Position{File: next(), Line: 1}
	f.plans = views.Plans{Release: 1, Policies: []policies.PolicyInfo{{Name: next(), Title: next(), Version: next(), Mode: policies.Mode(next()), Severity: next(), AppliesTo: next(), Source: source}},
		Waivers: []policies.Waiver{{Name: next(), Expires: start.AddDate(0, 1, 0), Effect: next(), Reason: next(), Risk: next(), Ticket: next(), ApprovedBy: []string{next()}, Controls: []string{next()}, Resources: []string{next()}, AppliesTo: next(), Source: source}}}
	e := store.Episode{Key: next(), Kind: next(), Subject: next(), Severity: next(), Detail: next(), Opened: start}
	tell := []store.Delivery{{Sink: next(), What: next(), Token: next(), State: store.DeliveryFailed, Attempts: 2, Made: start, Done: start, Answer: next(), Ref: next()}}
	must(f.t, f.store.ChangeEpisodes(f.t.Context(), []store.EpisodeChange{{Episode: e, Tell: tell}}))
}

// poisonedRow is how a host stands with patches.
func poisonedRow(next words, rollout string) store.PatchHost {
	packages := func() []policies.PatchedPackage {
		return []policies.PatchedPackage{{Name: next(), Before: next(), After: next()}}
	}
	list := func() []string { return []string{next()} }
	return store.PatchHost{Rollout: rollout, Ring: next(), Cycle: 1, Set: next(), Status: policies.Status(next()), Phase: next(), Reboot: true, Message: next(), Since: start, Detail: policies.Patched{
		Phase: next(), Installed: packages(), Missing: packages(), Left: packages(), Held: []policies.Held{{Name: next(), Version: next(), Chain: list()}}, Conffiles: []policies.Conffile{{Path: next(), Package: next(), Policy: next()}},
		Restarted: list(), Stale: list(), Reboot: list(), Probes: list(), RolledBack: true, Rollback: next(), Kernels: list(), Notes: list()}}
}

// poisonOffers lets a host have something on offer, under terms with such texts all over.
func (f *fleet) poisonOffers(id inventory.HostID, next words) {
	f.t.Helper()
	ctx := f.t.Context()
	h, err := f.store.Host(ctx, id)
	must(f.t, err)
	offers := inventory.Offers{Manager: "apt", List: []inventory.Offer{{Package: next(), Source: next(), Installed: "1", Candidate: "2", Arch: next(), Manager: "apt", Origin: "Debian", Label: next(), Codename: "bookworm", Security: true}}}
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: 2}, Host: h}
	step.Host.Offers, step.Offered = f.put(store.KindOffers, offers), offers.List
	must(f.t, f.store.Accept(ctx, id, h.Epoch, h.Seq, []store.Step{step}, start))
	terms := patch.Terms{Groups: []string{next()}, Baselines: []patch.Baseline{{Name: next(), Sources: []patch.Source{{Origin: "Debian"}}, Rejects: []patch.Reject{{Packages: []string{"*"}, Action: "block", Reason: next()}}}},
		SLAs: []patch.SLA{{Name: next(), Anchor: patch.Published, Within: map[string]int{"high": 1}}}}
	f.term(h.Name, &terms)
}

// poisonPatches stores advisories, patch sets, and changes in rings.
func (f *fleet) poisonPatches(next words) {
	f.t.Helper()
	for _, id := range []string{"evil", next()} {
		must(f.t, f.store.PutAdvisories(f.t.Context(), []patch.Advisory{{ID: id, Feed: next(), Summary: next(), Severity: "high", CVEs: []string{next()}, Published: start.AddDate(0, 0, -1),
			Affected: []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: next(), Fixed: "2"}}}}, start))
	}
	ring := next()
	plan := policies.Rollout{Name: next(), Carries: policies.CarriesReleases, Rings: []policies.Ring{{Name: ring, Group: next(), Windows: []string{next()}, Gate: policies.Gate{Approval: true, Query: next()}}}}
	f.rollout(poisonedState(next, ring, rollout.State{Release: 1, Paused: &rollout.Act{At: start, Who: next(), Why: next()}}, plan))
	set := patch.Set{Rollout: next(), Baseline: next(), Items: []patch.Item{{Manager: next(), Package: next(), Source: next(), Arch: next(), Version: next(), Repository: next(), Level: next()}}}
	digest := f.put(store.KindSet, set)
	must(f.t, f.store.PutAnswers(f.t.Context(), digest, map[string][]string{next(): {next(), "unknown " + next()}}))
	for _, name := range []string{"evil", next()} {
		plan.Name, plan.Carries = name, "patch_baseline."+next()
		f.saveCycle(poisonedState(next, ring, rollout.State{Rollout: name, Release: 1, Set: digest, Emergency: true}, plan))
	}
	f.glancer = poisonedGlancer{next, plan}
	f.work = []views.PatchProgress{{Host: next(), Rollout: next(), Cycle: 1, Phase: next(), Done: 1, Total: 2}}
}

func poisonedState(next words, ring string, s rollout.State, plan policies.Rollout) rollout.State {
	s.Plan, s.Made, s.Ticked = &plan, start, start
	s.Rings = []rollout.Ring{{Name: ring, Phase: rollout.Halted, Since: start, Approved: &rollout.Act{At: start, Who: next(), Why: next()}}}
	s.History = []rollout.Entry{{At: start, What: "begun", Who: next(), Why: next()}, {At: start, Ring: ring, What: string(rollout.Halted), Who: next(), Why: next()}, {At: start, What: next(), Who: next(), Why: next()}}
	return s
}

// poisonedGlancer tells such texts of every ring.
type poisonedGlancer struct {
	next words
	plan policies.Rollout
}

func (g poisonedGlancer) Glimpses() []rollout.Glimpse {
	ring, name := g.plan.Rings[0].Name, g.next()
	list := func() map[string][]string { return map[string][]string{ring: {g.next()}} }
	p := rollout.Picture{State: poisonedState(g.next, ring, rollout.State{Rollout: name, Release: 1}, g.plan), Tallies: map[string]rollout.Tally{ring: {Members: 2, Failed: 1, Given: 1}},
		Waits: map[string]string{ring: g.next()}, Failed: list(), Lacking: list(), Strays: []string{g.next()}}
	return []rollout.Glimpse{{Name: name, Seen: start, Book: []rollout.Picture{p, p}}}
}

func (g poisonedGlancer) Standings(rollout.ID, string) ([]rollout.Standing, error) {
	return []rollout.Standing{{Name: g.next(), Given: true, Outcome: rollout.Failed}}, nil
}

// textOf is all the text of a page, as somebody reads it.
func textOf(doc *html.Node) string {
	var parts []string
	for d := range doc.Descendants() {
		if d.Type == html.TextNode {
			parts = append(parts, d.Data)
		}
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" }), "")
}

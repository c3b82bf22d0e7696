package web

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
	"plumb/server/views"
)

// hostile is what a host, an author or a visitor may try to make a page do.
var hostile = []string{
	`"><script>alert(1)</script>`,
	`' onmouseover='alert(1)' x='`,
	`javascript:alert(1)//`,
	`</code></pre></main><img src=x onerror=alert(1)>`,
	`{{.Secret}}<svg onload=alert(1)>`,
	"\x00\x1b[31m\u202egnp.exe",
	`%22%3E%3Cscript%3E/../?q=<b>`,
	`x?y#z&amp;<!--`,
}

// TestHTMLInjection puts each text wherever foreign text comes in, and holds all the pages
// that show it to what holds for every page.
func TestHTMLInjection(t *testing.T) {
	for _, text := range hostile {
		t.Run(text, func(t *testing.T) {
			f := newFleet(t)
			f.poison(text)
			shown := 0
			for _, address := range poisonedPages(text) {
				body := f.visit(address).body
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

// poisonedPages are the addresses of all pages that show foreign text, with that text in them too.
func poisonedPages(text string) []string {
	q := strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	return []string{"/", "/hosts", "/hosts?q=" + q, "/hosts?label=" + q, "/hosts?label=a%3D" + q, "/hosts?status=" + q, "/hosts?release=" + q, "/hosts/evil", "/hosts/evil?days=" + q, "/hosts/evil/history", "/hosts/evil/history?what=" + q, "/hosts/evil/packages", "/hosts/evil/packages?q=" + q, "/hosts/evil/explain?address=" + q,
		"/hosts?os=" + q + "&group=" + q + "&sort=" + q, "/hosts?state=" + q, "/hosts?ring=a%2F" + q, "/drift/feed", "/drift/feed?cause=" + q, "/drift/feed?address=" + q + "&policy=" + q, "/drift?policy=" + q + "&days=" + q, "/hosts/" + strings.ReplaceAll(q, "/", "%2f"),
		"/drift", "/drift?address=" + q, "/drift?control=" + q, "/drift?host=" + q, "/drift?after=evil%20" + q, "/changes", "/changes/1", "/changes/1?kind=" + q, "/changes/1?address=" + q, "/policies", "/policies/" + strings.ReplaceAll(q, "/", "%2f"), "/controls", "/standing?policy=" + q + "&status=" + q, "/standing?control=" + q, "/alerts?kind=" + q, "/kpis?group=" + q + "&policy=" + q, "/kpis?from=" + q, "/events?what=drift&policy=" + q, "/?period=" + q,
		"/rings", "/rings/hosts?of=1&ring=" + q, "/rings/hosts?of=" + q + "&ring=" + q + "&outcome=" + q, "/patches", "/patches?state=" + q, "/patches/hosts?what=reboot", "/patches/hosts?what=unknown", "/patches/hosts?package=" + q + "&version=" + q + "&state=" + q,
		"/advisories", "/advisories?severity=" + q, "/advisories/evil", "/advisories/" + strings.ReplaceAll(q, "/", "%2f"), "/changes/evil/1", "/changes/evil/1?outcome=" + q}
}

// poison makes a fleet in which every foreign text is the same.
func (f *fleet) poison(text string) {
	f.policy.Problem, f.policy.Upstream, f.policy.Signers, f.policy.Mode = text, text, []string{text}, "author"
	must(f.t, f.store.AddRelease(f.t.Context(), store.Release{Number: 1, Commit: text, Subject: text, Author: text, Made: start, Bundle: text, Signer: text, Key: text}))
	f.poisonPatches(text)
	for _, name := range []string{"evil", text} {
		id := f.enrol(name, map[string]string{"a": text, text: "b"})
		source := policies.Position{File: text, Line: 1}
		changes := []policies.Change{{Attribute: text, Before: text, After: text, Diff: "+" + text + "\n-" + text}}
		catalog := policies.Catalog{Resources: []policies.Resource{{Address: text, Title: text, Severity: text, Controls: []string{text}, Source: source, Mode: policies.Mode(text)}}}
		result := policies.Result{Resources: []policies.ResourceResult{{Address: text, Status: policies.Noncompliant, Cause: policies.Cause(text), Message: text, Changes: changes},
			{Address: text + "2", Status: policies.Status(text)}}}
		facts := map[string]any{text: text, "list": []any{text, map[string]any{text: text}}, "packages": map[string]any{text: text}}
		h := store.Host{Release: 1, Commit: text, Facts: f.put(store.KindFacts, facts), Catalog: f.put(store.KindCatalog, catalog), Result: f.put(store.KindResult, result),
			Since: start, Ran: start, Found: policies.Noncompliant, Problem: text}
		must(f.t, f.store.Accept(f.t.Context(), id, "", 0, []store.Step{{
			Report: policies.Report{Epoch: "e", Seq: 1}, NewInterval: true, Host: h,
			Events: []store.Event{{At: start, Kind: store.EventFailed, Address: text, Cause: policies.Cause(text), Status: policies.Status(text), Before: policies.Status(text), Changes: changes, Release: 1, Commit: text, Message: text},
				{At: start, Kind: store.EventRepaired, Address: text, Cause: policies.Corrective, Changes: changes, Release: 1}},
			PatchHosts: []store.PatchHost{poisonedRow(text, "evil"), poisonedRow(text, text)},
			Findings:   []store.Finding{{Address: text, Status: policies.Noncompliant, Since: start, Mode: policies.Mode(text), Cause: policies.Cause(text), Changes: changes, Message: text, Severity: text, Controls: []string{text}, Source: source}},
		}}, start))
		f.poisonOffers(id, text)
		must(f.t, f.store.Seen(f.t.Context(), inventory.HostID(id), store.Heartbeat{Agent: text}, start.Add(time.Second)))
	}
}

// poisonedRow is how a host stands with patches when every text is the same.
func poisonedRow(text, rollout string) store.PatchHost {
	packages := []policies.PatchedPackage{{Name: text, Before: text, After: text}}
	list := []string{text}
	return store.PatchHost{Rollout: rollout, Ring: text, Cycle: 1, Set: text, Status: policies.Status(text), Phase: text, Reboot: true, Message: text, Since: start, Detail: policies.Patched{
		Phase: text, Installed: packages, Missing: packages, Left: packages, Held: []policies.Held{{Name: text, Version: text, Chain: list}}, Conffiles: []policies.Conffile{{Path: text, Package: text, Policy: text}},
		Restarted: list, Stale: list, Reboot: list, Probes: list, RolledBack: true, Rollback: text, Kernels: list, Notes: list}}
}

// poisonOffers lets a host have something on offer, under terms with the same text all over.
func (f *fleet) poisonOffers(id inventory.HostID, text string) {
	f.t.Helper()
	ctx := f.t.Context()
	h, err := f.store.Host(ctx, id)
	must(f.t, err)
	offers := inventory.Offers{Manager: "apt", List: []inventory.Offer{{Package: text, Source: text, Installed: "1", Candidate: "2", Arch: text, Manager: "apt", Origin: "Debian", Label: text, Codename: "bookworm", Security: true}}}
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: 2}, Host: h}
	step.Host.Offers, step.Offered = f.put(store.KindOffers, offers), offers.List
	must(f.t, f.store.Accept(ctx, id, h.Epoch, h.Seq, []store.Step{step}, start))
	h, err = f.store.Host(ctx, id)
	must(f.t, err)
	terms := patch.Terms{Groups: []string{text}, Baselines: []patch.Baseline{{Name: text, Sources: []patch.Source{{Origin: "Debian"}}, Rejects: []patch.Reject{{Packages: []string{"*"}, Action: "block", Reason: text}}}},
		SLAs: []patch.SLA{{Name: text, Anchor: patch.Published, Within: map[string]int{"high": 1}}}}
	must(f.t, f.store.SetTerms(ctx, h, f.put(store.KindTerms, terms)))
}

// poisonPatches stores advisories, patch sets, and changes in rings.
func (f *fleet) poisonPatches(text string) {
	f.t.Helper()
	for _, id := range []string{"evil", text} {
		must(f.t, f.store.PutAdvisories(f.t.Context(), []patch.Advisory{{ID: id, Feed: text, Summary: text, Severity: "high", CVEs: []string{text}, Published: start.AddDate(0, 0, -1),
			Affected: []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: text, Fixed: "2"}}}}, start))
	}
	plan := policies.Rollout{Name: text, Carries: policies.CarriesReleases, Rings: []policies.Ring{{Name: text, Group: text, Windows: []string{text}, Gate: policies.Gate{Approval: true, Query: text}}}}
	f.rollout(poisonedState(text, rollout.State{Release: 1, Paused: &rollout.Act{At: start, Who: text, Why: text}}, plan))
	set := patch.Set{Rollout: text, Baseline: text, Items: []patch.Item{{Manager: text, Package: text, Source: text, Arch: text, Version: text, Repository: text, Level: text}}}
	digest := f.put(store.KindSet, set)
	must(f.t, f.store.PutAnswers(f.t.Context(), digest, map[string][]string{text: {text, "unknown " + text}}))
	for _, name := range []string{"evil", text} {
		plan.Name, plan.Carries = name, "patch_baseline."+text
		f.saveCycle(poisonedState(text, rollout.State{Rollout: name, Release: 1, Set: digest, Emergency: true}, plan))
	}
	f.glancer = poisonedGlancer{text, plan}
	f.work = []views.PatchProgress{{Host: text, Rollout: text, Cycle: 1, Phase: text, Done: 1, Total: 2}}
}

func poisonedState(text string, s rollout.State, plan policies.Rollout) rollout.State {
	s.Plan, s.Made, s.Ticked = &plan, start, start
	s.Rings = []rollout.Ring{{Name: text, Phase: rollout.Halted, Since: start, Approved: &rollout.Act{At: start, Who: text, Why: text}}}
	s.History = []rollout.Entry{{At: start, What: "begun", Who: text, Why: text}, {At: start, Ring: text, What: string(rollout.Halted), Who: text, Why: text}, {At: start, What: text, Who: text, Why: text}}
	return s
}

// poisonedGlancer tells the same text of every ring.
type poisonedGlancer struct {
	text string
	plan policies.Rollout
}

func (g poisonedGlancer) Glimpses() []rollout.Glimpse {
	list := map[string][]string{g.text: {g.text}}
	p := rollout.Picture{State: poisonedState(g.text, rollout.State{Rollout: g.text, Release: 1}, g.plan), Tallies: map[string]rollout.Tally{g.text: {Members: 2, Failed: 1, Given: 1}},
		Waits: map[string]string{g.text: g.text}, Failed: list, Lacking: list, Strays: []string{g.text}}
	return []rollout.Glimpse{{Name: g.text, Seen: start, Book: []rollout.Picture{p, p}}}
}

func (g poisonedGlancer) Standings(rollout.ID, string) ([]rollout.Standing, error) {
	return []rollout.Standing{{Name: g.text, Given: true, Outcome: rollout.Failed}}, nil
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

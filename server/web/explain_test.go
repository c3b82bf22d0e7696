package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// explain stands in for the server's compiler: it tells of any resource of the catalog.
func (f *fleet) explain(ctx context.Context, host, address string) (views.Explained, error) {
	one := someCatalog().Find(address)
	if one == nil && host == "evil" {
		return f.poisoned(ctx, address)
	}
	if one == nil {
		return views.Explained{}, &api.Error{Code: http.StatusNotFound, Text: "there is no resource " + address}
	}
	e := policies.Explanation{Address: one.Address, Kind: one.Kind, Title: one.Title, Policy: one.Policy, Source: one.Source,
		Overrides: []policies.Position{{File: "site.hcl", Line: 3}}, Settings: []policies.Explained{}, NotApplicable: one.NotApplicable}
	at := func(line int) *policies.Place {
		return &policies.Place{File: "ssh/baseline.hcl", Line: line, Column: 12}
	}
	text := func(s string) json.RawMessage { raw, _ := json.Marshal(s); return raw }
	contact := policies.Explained{Name: "var.contact", Value: text("web-oncall@example.org"), From: "vars of the host block web01.example.org", At: at(4), Text: `"web-oncall@example.org"`,
		Others: []policies.Explained{{Name: "var.contact", Value: text("ops@example.org"), From: "values of the repository", At: at(9)}}}
	e.Conditions = []policies.Explained{{Name: "applies_to", Value: json.RawMessage("true"), From: "argument of policy ssh_baseline", At: at(2), Text: "group.linux",
		Reads: []policies.Explained{{Name: "group.linux", Value: json.RawMessage("true"), From: "group linux", At: at(1), Text: `fact.os.kernel == "linux"`,
			Reads: []policies.Explained{{Name: "fact.os.kernel", Value: text("linux"), From: "fact of the host"}}}}}}
	e.Mode = policies.Explained{Name: "mode", Value: text("enforce"), From: "nothing says otherwise"}
	e.Attributes = []policies.Explained{
		{Name: "content", Value: text("# Managed by Plumb\nPermitRootLogin no\n# Questions: web-oncall@example.org\n"), From: "argument of the resource", At: at(14),
			Text: `templatefile("${path.module}/sshd.conf.tmpl", { contact = var.contact, key = var.key })`, Reads: []policies.Explained{contact,
				{Name: "var.key", Sensitive: true, From: "default of the variable", At: at(5)}, {Name: "fact.virtual", Missing: true, From: "fact of the host"}}},
		{Name: "path", Value: text("/etc/ssh/sshd_config.d/10-baseline.conf"), From: "argument of the resource", At: at(12), Text: `"/etc/ssh/sshd_config.d/10-baseline.conf"`},
	}
	read := views.Reader{Store: f.store}
	return read.Explained(ctx, host, f.policy.Release, e)
}

// poisoned is an explanation in which the text stands wherever a host or an author can put it.
func (f *fleet) poisoned(ctx context.Context, text string) (views.Explained, error) {
	raw, _ := json.Marshal(text)
	at := &policies.Place{File: text, Line: 1, Column: 1}
	one := policies.Explained{Name: text, Value: raw, From: text, At: at, Text: text}
	words := policies.Explained{Name: text, Words: text, From: text}
	one.Reads, one.Others = []policies.Explained{words}, []policies.Explained{words}
	many := one
	many.Value, _ = json.Marshal(text + "\n" + text)
	all := []policies.Explained{one, words, many}
	return views.Reader{Store: f.store}.Explained(ctx, "evil", 1, policies.Explanation{Address: text, Asked: text, Kind: text, Title: text, Policy: text, Source: policies.Position{File: text, Line: 1},
		AlsoDeclared: []policies.Position{{File: text, Line: 1}}, Overrides: []policies.Position{{File: text, Line: 1}}, Conditions: all, Mode: one, Settings: all, Attributes: all})
}

// TestExplainedException is that a page about a waived resource says who waived it, and until when.
func TestExplainedException(t *testing.T) {
	f := newFleet(t)
	f.policyRelease("First", start.AddDate(0, 0, -1))
	id := f.enrol("web01.example.org", nil)
	catalog := someCatalog()
	catalog.Find(dropin).Waivers = []string{"vendor", "over"}
	catalog.Waivers = map[string]policies.Waiver{"vendor": {Name: "vendor", Expires: start.AddDate(0, 1, 0), Reason: "They write it", ApprovedBy: []string{"ciso"}}, "over": {Name: "over", Expires: start.AddDate(0, -1, 0)}}
	result := f.result(map[string]policies.ResourceResult{dropin: {Status: policies.Waived}})
	h := store.Host{Release: 1, Facts: f.put(store.KindFacts, someFacts()), Catalog: f.put(store.KindCatalog, catalog), Result: f.put(store.KindResult, result), Since: start, Ran: start, Found: policies.Waived}
	must(t, f.store.Accept(t.Context(), id, "", 0, []store.Step{{Report: policies.Report{Epoch: "e", Seq: 1}, NewInterval: true, Host: h}}, start))
	got := f.visit("/hosts/web01.example.org/explain?address=" + dropin)
	check(t, got.body)
	if want := "This would be enforced, but it is waived by vendor until 2026-12-21 12:00 UTC: They write it, approved by ciso"; !strings.Contains(got.body, want) || strings.Contains(got.body, "by over") {
		t.Errorf("the page does not say %q: %s", want, got.body)
	}
	if other := f.visit("/hosts/web01.example.org/explain?address=" + url.QueryEscape(maxAuth)).body; strings.Contains(other, "Exception") {
		t.Error("a page about another resource tells of an exception")
	}
}

func TestExplainPage(t *testing.T) {
	f := newFleet(t)
	f.show()
	got := f.visit("/hosts/web01.example.org/explain?address=" + dropin)
	check(t, got.body)
	for _, want := range []string{"(sensitive)", "(the host has none)", "ssh/baseline.hcl:14", "1 that does not win", "ops@example.org", "fact.os.kernel",
		`href="/policies/ssh_baseline"`, `href="/changes/3"`, "s-compliant"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for address, code := range map[string]int{
		"/hosts/web01.example.org/explain": 404, "/hosts/web01.example.org/explain?address=zebra": 404, "/hosts/zebra/explain?address=" + dropin: 404,
		"/hosts/web01.example.org/explain?address=" + strings.Repeat("x", maxAddress+1): 404,
	} {
		if got := f.visit(address); got.StatusCode != code {
			t.Errorf("GET %.60s = %d, want %d", address, got.StatusCode, code)
		}
	}
}

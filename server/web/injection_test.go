package web

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
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
			q := strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "&", "%26", "\x00", "%00", "\x1b", "%1b", "\"", "%22", "<", "%3c", "?", "%3f", "+", "%2b").Replace(text)
			shown := 0
			for _, address := range []string{"/", "/hosts", "/hosts?q=" + q, "/hosts?label=" + q, "/hosts?label=a%3D" + q, "/hosts?status=" + q, "/hosts?release=" + q, "/hosts/evil", "/hosts/" + strings.ReplaceAll(q, "/", "%2f"),
				"/drift", "/drift?address=" + q, "/drift?control=" + q, "/drift?host=" + q, "/drift?after=evil%20" + q, "/changes", "/changes/1", "/changes/1?kind=" + q} {
				body := f.visit(address).body
				if !strings.HasPrefix(body, "<!DOCTYPE html>") {
					continue // the address does not exist, as the router's own answer says
				}
				doc := check(t, body)
				if strings.Contains(textOf(doc), strings.TrimSpace(strings.ReplaceAll(text, "\x00", "\ufffd"))) {
					shown++
				}
			}
			if shown < 8 {
				t.Errorf("only %d pages show %q as it is: the others may have lost or changed it", shown, text)
			}
		})
	}
}

// poison makes a fleet in which every foreign text is the same.
func (f *fleet) poison(text string) {
	f.policy.Problem, f.policy.Upstream, f.policy.Signers, f.policy.Mode = text, text, []string{text}, "author"
	must(f.t, f.store.AddRelease(f.t.Context(), store.Release{Number: 1, Commit: text, Subject: text, Author: text, Made: start, Bundle: text, Signer: text, Key: text}))
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
			Findings: []store.Finding{{Address: text, Status: policies.Noncompliant, Since: start, Mode: policies.Mode(text), Cause: policies.Cause(text), Changes: changes, Message: text, Severity: text, Controls: []string{text}, Source: source}},
		}}, start))
		must(f.t, f.store.Seen(f.t.Context(), inventory.HostID(id), store.Heartbeat{Agent: text}, start.Add(time.Second)))
	}
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

package web

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plumb/policies"
	"plumb/server/store"
)

func TestHostTellsWhoFights(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.fight("fight1.example.org")
	body := f.visit("/hosts/fight1.example.org").body
	check(t, body)
	for _, want := range []string{"flapping", "plumb-agent and puppet, vim of alice fight for it", "mended 5 times", "Changed by <strong>puppet (pid 812)</strong>",
		`href="/hosts/fight1.example.org/explain?address=policy.ssh_baseline.file.dropin"`, "ssh/baseline.hcl:8", `href="/changes/3">release 3</a>`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// The drawing covers the days that it says, and each status as long as it lasted.
func TestCourseIsDrawn(t *testing.T) {
	f := newFleet(t)
	f.release("Begin", start.Add(-30*24*time.Hour))
	id := f.enrol("web1", nil)
	f.report(id, report{since: 12 * time.Hour, seen: time.Minute, results: map[string]policies.ResourceResult{maxAuth: tooMany(), dropin: edited()}})
	doc := check(t, f.visit("/hosts/web1?days=1").body)
	var widths, marks []string
	for d := range doc.Descendants() {
		if d.Type == html.ElementNode && d.Data == "rect" && strings.HasPrefix(attr(d, "class"), "part") {
			if attr(d, "height") == "24" {
				widths = append(widths, attr(d, "class")+" "+attr(d, "x")+" "+attr(d, "width"))
			} else {
				marks = append(marks, attr(d, "class")+" "+attr(d, "x"))
			}
		}
	}
	if got, want := strings.Join(widths, "; "), "part s-unknown 0.00 500.00; part s-noncompliant 500.00 500.00"; got != want {
		t.Errorf("strip = %s, want %s", got, want)
	}
	if got, want := strings.Join(marks, "; "), "part s-noncompliant 500.0"; got != want {
		t.Errorf("marks = %s, want %s", got, want)
	}
}

func TestHistoryPages(t *testing.T) {
	f := newFleet(t)
	f.release("Begin", start.Add(-30*24*time.Hour))
	id := f.enrol("web1", nil)
	var events []store.Event
	for i := range 2*historyShown + 5 {
		events = append(events, store.Event{At: start.Add(-time.Duration(300-i) * time.Minute), Kind: store.EventRepaired, Cause: policies.Corrective, Address: dropin, Status: policies.Repaired})
	}
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: 1}, NewInterval: true, Host: store.Host{Since: start.Add(-time.Hour), Ran: start, Found: policies.Compliant}, Events: events}
	must(t, f.store.Accept(t.Context(), id, "", 0, []store.Step{step}, start))
	for what, want := range map[string]int{"": len(events) + 1, "drift": len(events), "changes": 0, "host": 1} {
		got, pages := 0, 0
		for address := "/hosts/web1/history?what=" + what; address != ""; pages++ {
			doc := check(t, f.visit(address).body)
			for d := range doc.Descendants() {
				if d.Type == html.ElementNode && strings.HasPrefix(attr(d, "class"), "k-") {
					got++
				}
			}
			address = next(doc)
		}
		if got != want || want > historyShown && pages != 3 {
			t.Errorf("%q: %d events on %d pages, want %d", what, got, pages, want)
		}
	}
	for address, code := range map[string]int{"/hosts/web1/history?what=zebra": 404, "/hosts/web1/history?before=-1": 400, "/hosts/zebra/history": 404, "/hosts/zebra/packages": 404} {
		if got := f.visit(address); got.StatusCode != code {
			t.Errorf("GET %s = %d, want %d", address, got.StatusCode, code)
		}
	}
}

func TestHostPackages(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.showPatching()
	body := f.visit("/hosts/build1.example.org/packages").body
	check(t, body)
	for _, want := range []string{"30 installed", "package-07", "1:7.2p1-2&#43;deb12u3", "DSA-5990-1"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if body := f.visit("/hosts/build1.example.org/packages?q=age-07").body; !strings.Contains(body, "package-07") || strings.Contains(body, "package-08") {
		t.Error("the search does not select")
	}
}

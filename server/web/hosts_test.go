package web

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plumb/policies"
)

var totalOf = regexp.MustCompile(`role="status">(?:\d+ of )?(\d+) host`)

// total is how many hosts the page of an address says there are.
func (f *fleet) total(address string) string {
	body := f.visit(address).body
	if strings.Contains(body, `role="status">No hosts`) {
		return "0"
	}
	m := totalOf.FindStringSubmatch(body)
	if m == nil {
		f.t.Fatalf("GET %s does not say how many hosts there are", address)
	}
	return m[1]
}

// facetLinks are the choices beside a list, each with the number that it promises.
func facetLinks(doc *html.Node) map[string]string {
	links := map[string]string{}
	for d := range doc.Descendants() {
		if d.Type != html.ElementNode || d.Data != "a" || attr(d, "aria-current") != "" {
			continue
		}
		for c := range d.ChildNodes() {
			if c.Type == html.ElementNode && attr(c, "class") == "count" {
				links[attr(d, "href")] = c.FirstChild.Data
			}
		}
	}
	return links
}

// Each number beside the list is the number of hosts behind its link, also with a filter in force.
func TestFacetsLeadToTheirNumbers(t *testing.T) {
	f := newFleet(t)
	f.show()
	followed := 0
	for _, address := range []string{"/hosts", "/hosts?status=noncompliant", "/hosts?label=role%3Dweb&sort=seen", "/hosts?q=debian&label=site%3Dams", "/hosts?state=problem", "/hosts?status=zebra"} {
		for link, want := range facetLinks(check(t, f.visit(address).body)) {
			if got := f.total(link); got != want {
				t.Errorf("on %s the link %s promises %s hosts and has %s", address, link, want, got)
			}
			followed++
		}
	}
	if followed < 40 {
		t.Errorf("%d links were followed, want those of all facets", followed)
	}
}

func TestHostsBy(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.fight("fight1.example.org")
	cases := map[string]struct{ address, total string }{
		"fact":                   {"/hosts?q=bookworm", "20"},
		"address":                {"/hosts?q=192.0.2.17", "20"},
		"words of both":          {"/hosts?q=BOOKWORM+cache1", "1"},
		"label text":             {"/hosts?q=role%3Ddb", "3"},
		"system":                 {"/hosts?os=Debian+GNU%2FLinux+12+%28bookworm%29", "20"},
		"two labels":             {"/hosts?label=role%3Dweb&label=site%3Dams", "6"},
		"flapping":               {"/hosts?state=flapping", "1"},
		"refused":                {"/hosts?state=problem", "1"},
		"revoked alone":          {"/hosts?state=revoked", "1"},
		"nothing of that kind":   {"/hosts?label=zebra%3D1", "0"},
		"unknown ring":           {"/hosts?ring=releases%2Fzebra", "0"},
		"packages are not words": {"/hosts?q=package-07", "0"},
	}
	for name, c := range cases {
		if got := f.total(c.address); got != c.total {
			t.Errorf("%s: %s has %s hosts, want %s", name, c.address, got, c.total)
		}
	}
}

// fight adds a host on which two managers fight for a file.
func (f *fleet) fight(name string) {
	f.t.Helper()
	at := start.Add(-20 * time.Minute)
	f.report(f.enrol(name, map[string]string{"role": "fight"}), report{since: 5 * time.Minute, seen: time.Minute, results: map[string]policies.ResourceResult{
		dropin: {Status: policies.Noncompliant, Cause: policies.Corrective, Changes: edited().Changes, By: "puppet (pid 812)",
			Message:  "it flaps",
			Flapping: &policies.Flapping{Since: at, Until: at.Add(time.Hour), Mends: 5, Writers: []string{"puppet", "vim of alice"}}}}})
}

func TestHostsSorted(t *testing.T) {
	f := newFleet(t)
	f.show()
	for by, want := range map[string]string{"name": "build1", "status": "build1", "seen": "cache1", "since": "mail1"} {
		first := rows(check(t, f.visit("/hosts?sort="+by).body))
		if len(first) == 0 || !strings.HasPrefix(first[0], want) {
			t.Errorf("sorted by %s the first host is %v, want %s", by, first, want)
		}
	}
}

// Filters stay when the list is sorted, paged or searched, and each can be taken out.
func TestFiltersAreKept(t *testing.T) {
	f := newFleet(t)
	f.show()
	body := f.visit("/hosts?label=role%3Dweb&label=site%3Dams&status=compliant&q=web").body
	for _, want := range []string{
		`href="/hosts?label=site%3Dams&amp;q=web&amp;status=compliant"`, `href="/hosts?label=role%3Dweb&amp;label=site%3Dams&amp;q=web"`,
		`href="/hosts?label=role%3Dweb&amp;label=site%3Dams&amp;status=compliant"`, `<input type="hidden" name="label" value="site=ams">`,
		`href="/hosts?label=role%3Dweb&amp;label=site%3Dams&amp;q=web&amp;sort=seen&amp;status=compliant"`, `<a href="/hosts">Clear all</a>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	if body := f.visit("/hosts?q=nothing+at+all").body; !strings.Contains(body, "No host is like that") || !strings.Contains(body, `<a href="/hosts">Show all hosts</a>`) {
		t.Error("a search that finds nothing has no way out")
	}
	if got := f.visit("/hosts?q=" + strings.Repeat("x", maxSearch+1)); got.StatusCode != 400 {
		t.Errorf("a search of %d bytes is answered with %d", maxSearch+1, got.StatusCode)
	}
	if got := f.visit(fmt.Sprint("/hosts?ring=", "zebra")); got.StatusCode != 400 {
		t.Errorf("a ring without its rollout is answered with %d", got.StatusCode)
	}
}

package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plumb/policies"
)

// TestPaging walks a list from page to page and wants each host once.
func TestPaging(t *testing.T) {
	f := newFleet(t)
	f.release("Begin", start.Add(-time.Hour))
	var all []string
	for i := range 2*findingsShown + 3 {
		name := fmt.Sprintf("host%03d", i)
		all = append(all, name)
		f.report(f.enrol(name, nil), report{since: time.Hour, results: map[string]policies.ResourceResult{maxAuth: tooMany()}})
	}
	cases := map[string]struct {
		address string
		pages   int
		first   string
	}{
		"hosts":            {"/hosts", 5, "100 of 403 hosts, from host000 to host099"},
		"hosts by status":  {"/hosts?status=noncompliant", 5, "100 of 403 hosts, from host000 to host099"},
		"hosts by name":    {"/hosts?q=host", 5, "100 of 403 hosts, from host000 to host099"},
		"drift":            {"/drift", 3, "403 differences from policy in 1 resource."},
		"drift by address": {"/drift?status=noncompliant", 3, "200 differences from policy shown."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			pages := 0
			for address := c.address; address != ""; pages++ {
				body := f.visit(address).body
				if pages == 0 && !strings.Contains(body, c.first) {
					t.Errorf("the first page does not say %q", c.first)
				}
				doc := check(t, body)
				got = append(got, rows(doc)...)
				address = next(doc)
			}
			slices.Sort(got)
			if !slices.Equal(got, all) || pages != c.pages {
				t.Errorf("%d pages list %d hosts, want %d pages with %d", pages, len(got), c.pages, len(all))
			}
		})
	}
}

// rows are the hosts that the table of a page names, one a row.
func rows(doc *html.Node) []string {
	var names []string
	for d := range doc.Descendants() {
		if d.Type != html.ElementNode || d.Data != "th" || attr(d, "scope") != "row" {
			continue
		}
		if a := firstElement(d); a != nil && strings.HasPrefix(attr(a, "href"), "/hosts/") {
			names = append(names, a.FirstChild.Data)
		}
	}
	return names
}

func next(doc *html.Node) string {
	for d := range doc.Descendants() {
		if d.Type == html.ElementNode && attr(d, "rel") == "next" {
			return attr(d, "href")
		}
	}
	return ""
}

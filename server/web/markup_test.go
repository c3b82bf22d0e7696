package web

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plumb/policies"
)

// newPages makes the struct of each template's page.
var newPages = map[string]func(frame) any{
	"overview":    func(f frame) any { return &overviewPage{frame: f} },
	"hosts":       func(f frame) any { return &hostsPage{frame: f} },
	"host":        func(f frame) any { return &hostPage{frame: f} },
	"drift_feed":  func(f frame) any { return &driftFeedPage{frame: f} },
	"explain":     func(f frame) any { return &explainPage{frame: f} },
	"history":     func(f frame) any { return &historyPage{frame: f} },
	"packages":    func(f frame) any { return &packagesPage{frame: f} },
	"drift":       func(f frame) any { return &driftPage{frame: f} },
	"rings":       func(f frame) any { return &ringsPage{frame: f} },
	"ring_hosts":  func(f frame) any { return &ringHostsPage{frame: f} },
	"patches":     func(f frame) any { return &patchesPage{frame: f} },
	"patch_hosts": func(f frame) any { return &patchHostsPage{frame: f} },
	"advisories":  func(f frame) any { return &advisoriesPage{frame: f} },
	"advisory":    func(f frame) any { return &advisoryPage{frame: f} },
	"cycle":       func(f frame) any { return &cyclePage{frame: f} },
	"changes":     func(f frame) any { return &changesPage{frame: f} },
	"policies":    func(f frame) any { return &policiesPage{frame: f} },
	"policy":      func(f frame) any { return &policyPage{frame: f} },
	"controls":    func(f frame) any { return &controlsPage{frame: f} },
	"standing":    func(f frame) any { return &standingPage{frame: f} },
	"alerts":      func(f frame) any { return &alertsPage{frame: f} },
	"kpis":        func(f frame) any { return &kpisPage{frame: f} },
	"events":      func(f frame) any { return &eventsPage{frame: f} },
	"change":      func(f frame) any { return &changePage{frame: f} },
	"signin":      func(f frame) any { return &signinPage{frame: f} },
	"signin_link": func(f frame) any { return &signinLinkPage{frame: f} },
	"welcome":     func(f frame) any { return &welcomePage{frame: f} },
	"account":     func(f frame) any { return &accountPage{frame: f} },
	"trouble":     func(f frame) any { return &troublePage{frame: f} },
}

// TestTemplatesFitTheirPages renders each page with nothing and with one of everything, so
// that every branch of a template meets the fields it names.
func TestTemplatesFitTheirPages(t *testing.T) {
	s := newSite(Pages{})
	for _, name := range pageNames {
		f := s.strange("x")
		empty := newPages[name](f)
		f.Here, f.Menu, f.Who, f.Role, f.Now, f.Version = "/", true, "grace", "viewer", start, "1"
		full := newPages[name](f)
		fill(reflect.ValueOf(full).Elem(), 30)
		for kind, value := range map[string]any{"empty": empty, "full": full} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				raw, err := s.render(name, value)
				if err != nil {
					t.Fatal(err)
				}
				check(t, string(raw.Body))
			})
		}
	}
}

// fill gives every field a value that is not zero; the embedded frame keeps its own. A list gets
// so many items, and a list in it only a few.
func fill(v reflect.Value, items int) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(start))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), items)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`{"a":1}`))
			return
		}
		if items == 1 && v.Type().Elem() == reflect.TypeFor[policies.Explained]() {
			return // it holds itself
		}
		v.Set(reflect.MakeSlice(v.Type(), items, items))
		for i := range v.Len() {
			fill(v.Index(i), (items+8)/9)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, items)
		fill(value, items)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), items)
	case reflect.String:
		v.SetString("/x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	}
}

// check holds a page to what everybody can rely on, with or without a mouse, eyes or colours.
func check(t *testing.T, body string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	must(t, err)
	c := checker{t: t, ids: map[string]bool{}, labelled: map[string]bool{}}
	c.walk(doc)
	if c.headings == nil || c.headings[0] != 1 || slices.Contains(c.headings[1:], 1) {
		t.Errorf("headings are %v, want one h1, and first", c.headings)
	}
	for i := 1; i < len(c.headings); i++ {
		if c.headings[i] > c.headings[i-1]+1 {
			t.Errorf("headings are %v: one leaves a step out", c.headings)
		}
	}
	for _, id := range c.needsLabel {
		if !c.labelled[id] {
			t.Errorf("the field %q has no label", id)
		}
	}
	for _, id := range c.refers {
		if !c.ids[id] {
			t.Errorf("something refers to #%s, which is not there", id)
		}
	}
	if !c.main || !c.lang || !c.skip {
		t.Errorf("main %v, lang %v, skip link %v: want all", c.main, c.lang, c.skip)
	}
	return doc
}

type checker struct {
	t                  *testing.T
	ids, labelled      map[string]bool
	needsLabel, refers []string
	headings           []int
	main, lang, skip   bool
}

func (c *checker) walk(n *html.Node) {
	if n.Type == html.ElementNode {
		c.attributes(n)
		c.element(n)
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		c.walk(child)
	}
}

// attributes checks what holds for any element.
func (c *checker) attributes(n *html.Node) {
	for _, a := range n.Attr {
		switch {
		case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
			c.t.Errorf("<%s> has the attribute %s=%q, which our own policy blocks", n.Data, a.Key, a.Val)
		case a.Key == "id" && c.ids[a.Val]:
			c.t.Errorf("two elements have the id %q", a.Val)
		case a.Key == "id":
			c.ids[a.Val] = true
		case a.Key == "aria-labelledby":
			c.refers = append(c.refers, a.Val)
		case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
			c.refers = append(c.refers, a.Val[1:])
		case a.Key == "href" || a.Key == "action" || a.Key == "src":
			if !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "?") || strings.HasPrefix(a.Val, "//") {
				c.t.Errorf("<%s> leads to %q, which is not one of our addresses", n.Data, a.Val)
			}
		}
	}
}

func (c *checker) element(n *html.Node) {
	switch n.Data {
	case "html":
		c.lang = attr(n, "lang") != ""
	case "main":
		c.main = true
	case "h1", "h2", "h3", "h4":
		c.headings = append(c.headings, int(n.Data[1]-'0'))
	case "script", "style", "iframe", "object", "embed", "base":
		c.t.Errorf("the page has a <%s>", n.Data)
	case "input", "select", "textarea":
		if attr(n, "type") != "hidden" {
			c.needsLabel = append(c.needsLabel, attr(n, "id"))
		}
	case "label":
		c.labelled[attr(n, "for")] = true
	case "a":
		c.skip = c.skip || attr(n, "class") == "skip"
	case "table":
		if first := firstElement(n); first == nil || first.Data != "caption" {
			c.t.Error("a table has no caption")
		}
	case "th":
		if attr(n, "scope") == "" {
			c.t.Error("a heading of a table has no scope")
		}
	case "svg":
		if attr(n, "aria-hidden") != "true" && attr(n, "aria-label") == "" {
			c.t.Error("a drawing is neither named nor hidden")
		}
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func firstElement(n *html.Node) *html.Node {
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		if child.Type == html.ElementNode {
			return child
		}
	}
	return nil
}

// combined tells whether an address has several filters: facets lead to all combinations of them.
func combined(link string) bool {
	path, _, _ := strings.Cut(link, "?")
	return path == "/hosts" && strings.Count(link, "=")-strings.Count(link, "%3D") > 1
}

// otherwise tells whether an address is about another instant of the past than then, which is the first that was met: each
// page of the past leads to those of a month before it.
func otherwise(link string, then *string) bool {
	_, rest, past := strings.Cut(link, "as_of=")
	if !past {
		return false
	}
	at, _, _ := strings.Cut(rest, "&")
	if *then == "" {
		*then = at
	}
	return at != *then
}

// TestEveryLinkLeadsSomewhere follows every link of every page from the overview on, also into the past.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.showPatching()
	seen, queue, then := map[string]bool{"/": true}, []string{"/"}, ""
	for len(queue) > 0 {
		address := queue[0]
		queue = queue[1:]
		got := f.visit(address)
		if got.StatusCode != http.StatusOK {
			t.Errorf("GET %s = %d", address, got.StatusCode)
			continue
		}
		for _, link := range links(check(t, got.body)) {
			if strings.HasPrefix(link, "?") {
				path, _, _ := strings.Cut(address, "?")
				link = path + link
			}
			link, _, _ = strings.Cut(link, "#")
			if link != "" && !seen[link] && !combined(link) && !otherwise(link, &then) {
				seen[link] = true
				queue = append(queue, link)
			}
		}
		if t.Failed() {
			t.Fatalf("at %s", address)
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d addresses were found", len(seen))
	}
}

func links(n *html.Node) []string {
	var all []string
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == "a" {
			all = append(all, attr(d, "href"))
		}
	}
	return all
}

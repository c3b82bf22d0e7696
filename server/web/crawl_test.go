package web

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"plumb/testenv/browser"
)

// crawled bounds how many pages one crawl opens. The first of each shape is opened: a page with the
// same template and the same filters is another row of the same thing.
const crawled = 130

// TestCrawl opens every kind of page that can be reached from the overview, and holds each to what
// everybody can rely on: it answers, it breaks no rule of its own security policy, its text can be
// read in light and dark, what it draws and asks for has a name, and it fits a narrow window.
func TestCrawl(t *testing.T) {
	ctx := browser.Start(t)
	f := newFleet(t)
	f.show()
	f.showPatching()
	f.fight("fight1.example.org")
	address := f.open(ctx)
	faults := listen(t, ctx)
	const then = "?as_of=2026-11-21T11:00" // where only a form leads
	shapes, queue := map[string]bool{"/": true}, []string{"/", "/hosts" + then, "/policies" + then, "/controls" + then}
	for n := 0; n < len(queue) && n < crawled; n++ {
		page := queue[n]
		must(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), wanting("light"), chromedp.Navigate(address+page)))
		for _, link := range f.linksOf(ctx) {
			if link == "/rings" { // which comes anew every few seconds, also while it is looked at
				link += "?still=1"
			}
			if shape := browser.Shape(link); !shapes[shape] {
				shapes[shape] = true
				queue = append(queue, link)
			}
		}
		for _, problem := range slices.Concat(look(t, ctx), faults.take()) {
			t.Errorf("%s: %s", page, problem)
		}
	}
	if len(queue) < 25 || len(queue) >= crawled {
		t.Errorf("%d kinds of pages were found: %v", len(queue), queue)
	}
}

// look returns what is wrong with the page that the browser shows.
func look(t *testing.T, ctx context.Context) []string {
	t.Helper()
	code, err := chromedp.Run(ctx, chromedp.Evaluate[int]("performance.getEntriesByType('navigation')[0].responseStatus"))
	must(t, err)
	var problems []string
	if code != 200 {
		problems = append(problems, fmt.Sprint("it answers with ", code))
	}
	for _, problem := range audit(t, ctx) {
		problems = append(problems, "in light: "+problem)
	}
	must(t, chromedp.Do(ctx, wanting("dark")))
	for _, problem := range audit(t, ctx) {
		problems = append(problems, "in dark: "+problem)
	}
	resize(ctx, t, 390, 844)
	width, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
	must(t, err)
	if width > 390 {
		problems = append(problems, fmt.Sprintf("it is %d wide in a window of 390", width))
	}
	return problems
}

// audit runs the script that looks at contrast, labels and order.
func audit(t *testing.T, ctx context.Context) []string {
	t.Helper()
	script, err := os.ReadFile("testdata/audit.js")
	must(t, err)
	problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](string(script)))
	must(t, err)
	return problems
}

func (f *fleet) linksOf(ctx context.Context) []string {
	f.t.Helper()
	links, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("a[href]")]
		.map((a) => new URL(a.href.baseVal ?? a.href, location)).filter((u) => u.origin === location.origin).map((u) => u.pathname + u.search)`))
	must(f.t, err)
	return links
}

// faults are what the browser complains of: broken loads, and breaches of the security policy.
type faults struct {
	mu   sync.Mutex
	list []string
}

func listen(t *testing.T, ctx context.Context) *faults {
	t.Helper()
	f := &faults{}
	must(t, chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*log.EventEntryAdded); ok {
			f.mu.Lock()
			f.list = append(f.list, fmt.Sprintf("the browser says (%s): %s (%s )", e.Entry.Level, e.Entry.Text, e.Entry.URL))
			f.mu.Unlock()
		}
	}))
	return f
}

func (f *faults) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	f.list = nil
	return list
}

// TestAuditFinds breaks a good page in each way that the crawl looks for, and wants it found.
func TestAuditFinds(t *testing.T) {
	ctx := browser.Start(t)
	f := newFleet(t)
	f.show()
	address := f.open(ctx)
	found := listen(t, ctx)
	cases := map[string]struct{ breakage, want string }{
		"nothing":       {`0`, ""},
		"pale text":     {`document.querySelector("h1").style.color = "#c9c9c9"; document.querySelector("h1").style.fontSize = "16px"`, "has a contrast of"},
		"pale ground":   {`document.querySelector("table").style.background = "#6a6f6c"`, "has a contrast of"},
		"half seen":     {`document.querySelector("table").style.opacity = ".3"`, "has a contrast of"},
		"no label":      {`document.querySelector("label[for=q]").remove()`, "has no label"},
		"empty link":    {`document.querySelector("tbody th a").textContent = ""`, "has no words"},
		"nameless":      {`document.querySelector(".bob").removeAttribute("aria-hidden")`, "drawing without a name"},
		"heading":       {`document.querySelector(".facets h2").outerHTML = "<h4>x</h4>"`, "follows a heading"},
		"two headings":  {`document.querySelector(".facets h2").outerHTML = "<h1>x</h1>"`, "not one h1"},
		"wide":          {`document.querySelector("h1").style.minWidth = "900px"`, "wide in a window"},
		"own style":     {`document.querySelector("h1").outerHTML = "<h1 style='color:red'>x</h1>"`, "Content Security Policy"},
		"own script":    {`const s = document.createElement("script"); s.textContent = "1"; document.body.append(s)`, "Content Security Policy"},
		"foreign image": {`const i = document.createElement("img"); i.alt = "x"; i.src = "https://example.org/x.png"; document.body.append(i)`, "Content Security Policy"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			must(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), wanting("light"), chromedp.Navigate(address+"/hosts")))
			found.take()
			_, err := chromedp.Run(ctx, chromedp.Evaluate[any](c.breakage))
			must(t, err)
			got := strings.Join(append(look(t, ctx), found.take()...), "\n")
			for end := time.Now().Add(patience); !strings.Contains(got, c.want) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				got += strings.Join(found.take(), "\n") // what the browser tells of itself may come later
			}
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("the look finds %q, want %q", got, c.want)
			}
		})
	}
}

// TestKeyboard walks through a page by Tab alone: the skip link is first, then menu, search and
// rows, and where one is can be seen.
func TestKeyboard(t *testing.T) {
	ctx := browser.Start(t)
	f := newFleet(t)
	f.show()
	address := f.open(ctx)
	must(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(address+"/hosts")))
	var stops []string
	for range 60 {
		must(t, chromedp.Do(ctx, chromedp.KeyEvent(kb.Tab)))
		stop, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(() => {
			const e = document.activeElement, s = getComputedStyle(e), box = e.getBoundingClientRect();
			const seen = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && box.width > 1 && box.height > 1;
			return (seen ? "" : "UNSEEN ") + (e.id ? "#" + e.id : e.getAttribute("href") ?? e.tagName);
		})()`))
		must(t, err)
		if strings.HasPrefix(stop, "UNSEEN") {
			t.Errorf("where one is cannot be seen at %s", stop)
		}
		stops = append(stops, stop)
	}
	order := []string{"#content", "/", "/hosts", "/drift", "#q", "/hosts?sort=status", "/hosts/build1.example.org"}
	at := -1
	for _, want := range order {
		next := slices.Index(stops, want)
		if next <= at {
			t.Fatalf("Tab comes to %q at stop %d, and to the one before at %d: %v", want, next, at, stops)
		}
		at = next
	}
	must(t, chromedp.Do(ctx, chromedp.Navigate(address+"/hosts"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)))
	becomes(ctx, t, `location.hash === "#content" && document.activeElement.id === "content"`) // a key does not wait for the one before
	must(t, chromedp.Do(ctx, chromedp.KeyEvent(kb.Tab)))
	first, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.activeElement.id"))
	must(t, err)
	if first != "q" {
		t.Errorf("behind the skip link Tab comes to %q, want the search", first)
	}
	must(t, chromedp.Do(ctx, chromedp.KeyEvent("cache1"+kb.Enter), chromedp.WaitVisible(css(".chip"))))
	if where, err := chromedp.Run(ctx, chromedp.Location()); err != nil || !strings.HasSuffix(where, "/hosts?q=cache1") {
		t.Errorf("Enter in the search leads to %s, %v", where, err)
	}
}

// becomes waits until something is true of the page.
func becomes(ctx context.Context, t testing.TB, script string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
		if err == nil && is {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not become true of the page that %s: %v", script, err)
		}
	}
}

// TestWithoutScripts opens pages in a browser that runs none.
func TestWithoutScripts(t *testing.T) {
	ctx := browser.Start(t)
	f := newFleet(t)
	f.show()
	f.showPatching()
	address := f.open(ctx)
	must(t, chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})))
	for path, want := range map[string]string{"/": "6 of 20 hosts need a look", "/hosts": "20 hosts", "/hosts/build1.example.org": "adjtimex", "/drift": "7 differences",
		"/hosts/web01.example.org/explain?address=" + dropin: "PermitRootLogin no", "/policies": "ssh_baseline", "/changes": "chrony"} {
		must(t, chromedp.Do(ctx, chromedp.Navigate(address+path), chromedp.WaitVisible(css("footer"))))
		text, err := chromedp.Run(ctx, chromedp.Text(css("body")))
		must(t, err)
		if !strings.Contains(text, want) {
			t.Errorf("without scripts %s does not say %q", path, want)
		}
	}
	// Details open, links lead on and forms are sent.
	must(t, chromedp.Do(ctx, chromedp.Navigate(address+"/hosts/build1.example.org"), chromedp.Click(css(".declared summary")), chromedp.WaitVisible(css(".declared details[open] a")),
		chromedp.Navigate(address+"/hosts"), chromedp.SendKeys(css("#q"), "cache1"), chromedp.Click(css(".filter button")), chromedp.WaitVisible(css(".chip"))))
}

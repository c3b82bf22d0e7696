package hostile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"plumb/testenv/browser"
	"plumb/testenv/hostile"
)

// complaints are what the browser says by itself: that a script ran or was stopped, or that something was not there.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func listen(t *testing.T, ctx context.Context) *complaints {
	c := &complaints{}
	must(t, chromedp.Listen(ctx, func(event any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			// A page may say by its status that there is no such thing.
			if !strings.Contains(e.Entry.Text, "responded with a status of 4") || strings.HasSuffix(e.Entry.URL, "/"+hostile.Canary) {
				c.list = append(c.list, fmt.Sprintf("the browser says: %s (%s)", e.Entry.Text, e.Entry.URL))
			}
		case *runtime.EventConsoleAPICalled:
			c.list = append(c.list, fmt.Sprintf("a script wrote to the console: %v", e.Args))
		}
	}))
	return c
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// shown is what the browser made of a page.
type shown struct {
	Found, Links []string
	Text         string
}

const look = `({found: ` + hostile.Intruders + `, text: document.documentElement.textContent,
	links: [...document.querySelectorAll("a[href]")].map((a) => new URL(a.href.baseVal ?? a.href, location)).filter((u) => u.origin === location.origin).map((u) => u.pathname + u.search)})`

// lookAtPages opens each kind of page that can be reached, once with the content security policy passed over
// and, all of them or some, under it.
func (s *site) lookAtPages(ctx context.Context, next func() string, all bool, sum *tally) {
	s.t.Helper()
	var link struct{ URL string }
	s.ask("/v1/signin-links", map[string]string{"role": "admin", "name": "grace"}, &link)
	must(s.t, chromedp.Do(ctx, chromedp.Navigate(link.URL)))
	heard, base := listen(s.t, ctx), "https://"+s.people
	s.passOver(ctx, true)
	pages := s.crawl(ctx, base, next, heard, sum)
	s.passOver(ctx, false)
	for i, page := range pages {
		if all || i%5 == 0 {
			s.visit(ctx, base, page, heard, sum)
		}
	}
	if len(pages) < 40 {
		s.t.Errorf("only %d kinds of pages were found: %v", len(pages), pages)
	}
}

func (s *site) passOver(ctx context.Context, enabled bool) {
	s.t.Helper()
	must(s.t, chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdppage.SetBypassCSP, cdppage.SetBypassCSPParams{Enabled: enabled})
		return err
	})))
}

// crawled bounds how many pages one crawl opens.
const crawled = 150

// crawl opens the first page of each shape that links lead to, and some with a text in their address.
func (s *site) crawl(ctx context.Context, base string, next func() string, heard *complaints, sum *tally) (queue []string) {
	queue = []string{"/", "/hosts/evil2", "/hosts/evil3", "/hosts/evil2/packages", "/hosts/evil3/history", "/account"}
	for _, form := range []string{"/hosts?q=*", "/hosts?label=*", "/hosts/*", "/drift?address=*", "/drift/feed?policy=*", "/changes/1?kind=*", "/policies/*", "/standing?control=*", "/events?what=drift&policy=*", "/patches/hosts?package=*", "/advisories/*", "/signin?next=*", "/*"} {
		queue = append(queue, strings.ReplaceAll(form, "*", url.PathEscape(next())))
	}
	shapes := map[string]bool{}
	for n := 0; n < len(queue) && n < crawled; n++ {
		for _, link := range s.visit(ctx, base, queue[n], heard, sum) {
			if link == "/rings" { // which comes anew every few seconds, also while it is looked at
				link += "?still=1"
			}
			if shape := browser.Shape(link); !shapes[shape] && !slices.Contains(queue, link) {
				shapes[shape] = true
				queue = append(queue, link)
			}
		}
	}
	return queue
}

func (s *site) visit(ctx context.Context, base, page string, heard *complaints, sum *tally) (links []string) {
	s.t.Helper()
	must(s.t, chromedp.Do(ctx, chromedp.Navigate(base+page)))
	got, err := chromedp.Run(ctx, chromedp.Evaluate[shown](look))
	must(s.t, err)
	for _, problem := range slices.Concat(got.Found, heard.take()) {
		s.t.Errorf("%s: %s", page, problem)
	}
	sum.pages++
	for _, text := range sum.texts {
		if !sum.read[text] && strings.Contains(got.Text, strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)) {
			sum.read[text] = true
		}
	}
	return got.Links
}

// commands are those that show something, with the words that they are about.
func (s *site) commands(next func() string) [][]string {
	var detail struct {
		Resources []struct{ Address string }
	}
	s.ask("/v1/hosts/evil1", nil, &detail)
	if len(detail.Resources) == 0 {
		s.t.Fatalf("nothing is wrong on evil1: %s", s.ask("/v1/hosts/evil1", nil, nil))
	}
	list := [][]string{{"explain", "evil1", detail.Resources[0].Address}, {"explain", "evil1", "policy.p.file.f"}, {"drift", "--host", "evil2"}, {"host", "evil1"}, {"host", "evil1", "--history"},
		{"change", "1"}, {"release", "show", "1"}, {"window", "next", "--host", "evil1"}, {"window", "calendar", "--ical"}, {"alert", "list", "--all"}, {"validate", "policy"}}
	for _, words := range []string{"status", "hosts", "drift", "changes", "release list", "rollout list", "rollout show", "kpi", "alert list", "alert deliveries", "author list", "token list", "account list",
		"waiver list", "window next", "window calendar", "patch status", "patch advisories", "patch sla", "patch set list", "version"} {
		list = append(list, strings.Fields(words))
	}
	for _, words := range []string{"host", "change", "release show", "rollout show", "explain evil1", "patch set show", "validate", "drift --host", "drift --policy", "hosts --label", "hosts --status", "token revoke", "alert test"} {
		list = append(list, append(strings.Fields(words), strings.ReplaceAll(next(), "\x00", "")))
	}
	return list
}

// lookAtCommands runs them all, for people and as JSON.
func (s *site) lookAtCommands(next func() string, sum *tally) {
	s.t.Helper()
	for _, words := range s.commands(next) {
		for _, more := range [][]string{nil, {"--json"}} {
			out, code := s.plumb(append(slices.Clone(words), more...)...)
			sum.commands++
			if found := hostile.Steers(out); found != "" || code < 0 || code > 2 || strings.Contains(out, "goroutine ") {
				s.t.Errorf("plumb %q %v ends with %d and writes %s", words, more, code, found)
			}
			if code != 1 && more != nil && words[0] != "version" && !strings.Contains(strings.Join(words, " "), "--ical") && !json.Valid([]byte(out)) {
				s.t.Errorf("plumb %q writes no JSON: %.300q", words, out)
			}
		}
	}
}

// lookAtWords is for what machines keep: the server's log, its figures, and what it told its receivers.
func (s *site) lookAtWords(sum *tally) {
	s.t.Helper()
	logged := strings.Split(strings.TrimSuffix(s.log(), "\n"), "\n")
	for _, one := range logged {
		if found := hostile.Steers(one); found != "" || !strings.HasPrefix(one, "time=") {
			s.t.Errorf("the log says %q: %s", one, found)
		}
	}
	figures := string(s.ask("/metrics", nil, nil))
	if found := hostile.Steers(figures); found != "" {
		s.t.Errorf("the figures say %s", found)
	}
	sum.lines += len(logged) + strings.Count(figures, "\n")
	s.told.mu.Lock()
	defer s.told.mu.Unlock()
	for _, said := range s.told.list {
		if found := hostile.Steers(said); found != "" || strings.Contains(said, "\n") {
			s.t.Errorf("a receiver was told %q: %s", said, found)
		}
	}
	sum.messages += len(s.told.list)
}

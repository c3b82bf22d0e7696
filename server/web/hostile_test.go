package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"plumb/testenv/browser"
	"plumb/testenv/hostile"
)

// times chooses between a short and a long campaign.
func times(short, long int) int {
	if os.Getenv("PLUMB_SOAK") == "1" {
		return long
	}
	return short
}

// TestHostileTexts puts a corpus into all that somebody else writes, a text of its own into each field, and opens all
// shapes of pages in a browser that is told to pass over the content security policy: not one script may run
// by escaping alone. Then it opens them under the policy, which must have nothing to complain of.
func TestHostileTexts(t *testing.T) {
	texts, rows := hostile.Texts(1, times(400, 5000)), times(8, 40)
	ctx := browser.Start(t)
	drawn := 0
	draw := func() string { drawn++; return texts[drawn%len(texts)] }
	breakOut := func() string {
		drawn++
		return fmt.Sprint(drawn, `'"></title></textarea><img src=x onerror=console.log('`+hostile.Canary+`')>`)
	}
	loads, shown := 0, map[string]bool{}
	for n := range 1 + times(1, 12) {
		next := draw
		if n == 0 {
			next = breakOut // into every field: each place that does not escape is found at once
		}
		f := newFleet(t)
		known := f.poison(next, rows)
		pages := poisonedPages(next, known)
		address := f.open(ctx)
		watch := watched(t, ctx)
		for _, bypass := range []bool{true, false} {
			passOver(t, ctx, bypass)
			for i, path := range pages {
				if !bypass && n > 0 && i%10 != 0 {
					continue // what the policy would stop did not run without it
				}
				loads++
				look, err := visitHostile(ctx, address+path)
				must(t, err)
				for _, problem := range slices.Concat(look.Found, complaints(watch.take())) {
					t.Errorf("%s (policy passed over: %v): %s", path, bypass, problem)
				}
				note(shown, texts, look.Text)
			}
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%d texts, %d of them seen in %d pages; %d fields were filled", len(texts), len(shown), loads, drawn)
	if len(shown) < len(texts)*6/10 {
		t.Errorf("only %d of %d texts can be read in a page: the others are lost or changed", len(shown), len(texts))
	}
}

// complaints leaves out that a page said by its status that there is no such thing.
func complaints(list []string) []string {
	return slices.DeleteFunc(list, func(said string) bool {
		return strings.Contains(said, "Failed to load resource: the server responded with a status of 4") && !strings.Contains(said, "/"+hostile.Canary+" ")
	})
}

// looked is what the browser made of a page.
type looked struct {
	Found []string `json:"found"`
	Text  string   `json:"text"`
}

func visitHostile(ctx context.Context, address string) (l looked, err error) {
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		return l, fmt.Errorf("cannot open %s: %w", address, err)
	}
	return chromedp.Run(ctx, chromedp.Evaluate[looked](`({found: `+hostile.Intruders+`, text: document.documentElement.textContent})`))
}

// note remembers which texts can be read as they are, but for what HTML itself does not carry.
func note(shown map[string]bool, texts []string, page string) {
	for _, text := range texts {
		if !shown[text] && strings.Contains(page, legible(text)) {
			shown[text] = true
		}
	}
}

// legible is a text as a page can show it.
func legible(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	return strings.NewReplacer("\x00", "\ufffd", "\r\n", "\n", "\r", "\n").Replace(text)
}

// passOver makes the browser take no notice of content security policies, or take notice again.
func passOver(t *testing.T, ctx context.Context, enabled bool) {
	t.Helper()
	must(t, chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdppage.SetBypassCSP, cdppage.SetBypassCSPParams{Enabled: enabled})
		return err
	})))
}

// watched tells of scripts that ran, and of what the browser complains of.
func watched(t *testing.T, ctx context.Context) *faults {
	t.Helper()
	f := listen(t, ctx)
	must(t, chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*runtime.EventConsoleAPICalled); ok {
			f.mu.Lock()
			f.list = append(f.list, fmt.Sprintf("a script wrote to the console: %v", e.Args))
			f.mu.Unlock()
		}
	}))
	return f
}

// TestHostileTextsBite shows the same texts without any escaping. Those that run something then do, and the content
// security policy alone stops each of them.
func TestHostileTextsBite(t *testing.T) {
	ctx := browser.Start(t)
	texts := hostile.Texts(1, times(150, 1000))
	raw := newRawPages(t, texts, newFleet(t).visit("/").Header.Get("Content-Security-Policy"))
	watch := watched(t, ctx)
	ran := 0
	for n, text := range texts {
		if !strings.Contains(text, hostile.Canary) || !raw.sings(t, ctx, watch, n, "") {
			continue
		}
		ran++
		if raw.sings(t, ctx, watch, n, "?policy") {
			t.Errorf("%q ran in spite of the policy", text)
		}
	}
	t.Logf("%d of %d texts ran where nothing is escaped", ran, len(texts))
	if ran < len(texts)/10 {
		t.Errorf("only %d of %d texts run where nothing is escaped: they prove little", ran, len(texts))
	}
}

// rawPages shows texts as they are, in an attribute and between two elements, which no page of ours does.
type rawPages struct {
	*httptest.Server
	asked atomic.Bool
}

func newRawPages(t *testing.T, texts []string, policy string) *rawPages {
	raw := &rawPages{}
	raw.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/raw/%d", &n); err != nil {
			raw.asked.Store(raw.asked.Load() || r.URL.Path == "/"+hostile.Canary)
			http.NotFound(w, r)
			return
		}
		if r.URL.Query().Has("policy") {
			w.Header().Set("Content-Security-Policy", policy)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!DOCTYPE html><title>raw</title><p class=\"%s\">%s</p>", texts[n], texts[n])
	}))
	t.Cleanup(raw.Close)
	return raw
}

// sings tells whether a script of the text ran, or loaded something under no policy.
func (r *rawPages) sings(t *testing.T, ctx context.Context, watch *faults, n int, policy string) bool {
	t.Helper()
	must(t, chromedp.Do(ctx, chromedp.Navigate("about:blank"))) // what the text before still has to say comes to nothing
	r.asked.Store(false)
	watch.take()
	if err := chromedp.Do(ctx, chromedp.Navigate(fmt.Sprintf("%s/raw/%d%s", r.URL, n, policy))); err != nil {
		return policy == "" // it went elsewhere, which is no script
	}
	title, err := chromedp.Run(ctx, chromedp.Title())
	if err != nil {
		return policy == ""
	}
	wrote := slices.ContainsFunc(watch.take(), func(said string) bool { return strings.HasPrefix(said, "a script wrote") })
	return wrote || title == hostile.Canary || policy == "" && r.asked.Load()
}

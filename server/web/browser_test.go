package web

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"plumb/server/api"
	"plumb/server/people"
	"plumb/server/store"
	"plumb/testenv/browser"
)

var screenshots = flag.String("screenshots", "", "take pictures of every page into this folder")

// open serves the fleet over TLS and signs the browser in by a one-time link.
func (f *fleet) open(ctx context.Context) (address string) {
	f.t.Helper()
	server := httptest.NewTLSServer(f.serve())
	f.t.Cleanup(server.Close)
	code := people.Secret()
	must(f.t, f.store.CreateSignIn(f.t.Context(), store.SignIn{Hash: api.HashSecret(code), Role: cmp.Or(f.role, "viewer"), Name: "grace", Expires: start.Add(time.Minute)}))
	must(f.t, chromedp.Do(ctx, chromedp.Navigate(server.URL+"/signin/"+code)))
	return server.URL
}

func TestBrowser(t *testing.T) {
	ctx := browser.Start(t)
	f := newFleet(t)
	f.show()
	f.showPatching()
	address := f.open(ctx)
	step := func(what, want string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		must(t, chromedp.Do(ctx, actions...))
		if text := textWith(ctx, t, want); !strings.Contains(text, want) {
			t.Fatalf("%s: the page does not say %q:\n%s", what, want, text)
		}
	}
	follow := func(link, until string) chromedp.Action[chromedp.Void] {
		return chromedp.Steps(chromedp.Click(css(link)), chromedp.WaitVisible(css(until)))
	}
	step("sign in", "6 of 20 hosts need a look.")
	step("follow a number", "3 hosts that", follow(`.twin a[href="/hosts?status=noncompliant"]`, ".filter"))
	step("open a host", "at most 4", follow(`a[href="/hosts/db1.example.org"]`, "#wrong"))
	step("go to drift", "7 differences from policy", follow(`nav a[href="/drift"]`, "#findings"))
	step("see what was mended", "PermitRootLogin no")
	step("go to rings", "Halted: nothing goes on", follow(`nav a[href="/rings"]`, ".ringrow"))
	step("hold the board still", "This page stays as it is.", steadily(address+"/rings?still=1")) // a click may meet its next refresh
	step("see who failed", "db2.example.org", follow(`.legend a[href*="of=security"][href*="failed"]`, ".choices"))
	step("open a host that failed", "openssl went back to", follow(`a[href="/hosts/db2.example.org"]`, "#patching"))
	step("open its cycle", "New since the cycle before", follow(`#patching ~ ul a[href="/changes/security/4"]`, "#set"))
	step("go to patches", "nine of ten", follow(`nav a[href="/patches"]`, "#next"))
	step("pick a state", "the build farm is not ready for it", follow(`a[href="/patches?state=rejected#updates"]`, "#updates"))
	step("go to advisories", "40 advisories", follow(`nav a[href="/advisories"]`, ".filter"))
	step("filter", "2 advisories", chromedp.Click(css("#open")), follow(".filter button", `a[href="/advisories"]`))
	step("sign out", "plumb web", follow(".who button", ".command"))
	step("be kept out", "Nobody is signed in", chromedp.Navigate(address+"/hosts"))
}

// patience is after how long a page that does not become what it should never does, also on a busy machine.
const patience = 2 * time.Minute

// steadily opens a page, also when the one before asks for itself at that moment, which breaks it off.
func steadily(address string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) (err error) {
		for range 10 {
			var broken *chromedp.LoadError
			if _, err = chromedp.Navigate(address)(ctx, target); !errors.As(err, &broken) {
				return err
			}
		}
		return err
	})
}

// textWith is what the page says once it says the wanted words, or when it is out of patience for
// them. A click returns before its page is there, and what a test waits for may be on the page
// before as well: only the words tell that the new one has come.
func textWith(ctx context.Context, t *testing.T, want string) (text string) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end) && !strings.Contains(text, want); time.Sleep(20 * time.Millisecond) {
		must(t, chromedp.Do(ctx, chromedp.WaitVisible(css("footer"))))
		text, err = chromedp.Run(ctx, chromedp.Text(css("body"))) // fails when the page goes meanwhile
	}
	must(t, err)
	return text
}

// css selects an element as style sheets do.
type css = chromedp.CSS

// shown are pages that hold something wide.
var shown = map[string]string{"overview": "/", "hosts": "/hosts", "host": "/hosts/build1.example.org", "fine": "/hosts/web01.example.org", "drift": "/drift",
	"drift_feed": "/drift/feed", "explain": "/hosts/web01.example.org/explain?address=policy.ssh_baseline.file.dropin", "history": "/hosts/build1.example.org/history", "packages": "/hosts/build1.example.org/packages", "hosts_filtered": "/hosts?label=role%3Dweb&label=site%3Dams&sort=seen", "hosts_none": "/hosts?q=zebra&label=role%3Dweb",
	"rings": "/rings?still=1", "ring_hosts": "/rings/hosts?of=security/4&ring=early",
	"patches": "/patches", "patch_hosts": "/patches/hosts?what=unknown", "advisories": "/advisories", "advisory": "/advisories/DSA-5990-1", "cycle": "/changes/security/4", "patched": "/hosts/db1.example.org",
	"policies": "/policies", "policy": "/policies/ssh_baseline", "controls": "/controls", "standing": "/standing?policy=time", "kpis": "/kpis", "alerts": "/alerts",
	"changes": "/changes", "change": "/changes/3", "account": "/account", "signin": "/signin/used", "trouble": "/hosts/zebra"}

// TestNoPageScrollsSideways looks at windows from a small telephone's to a wide one, with
// ordinary names and with the longest that there can be.
func TestNoPageScrollsSideways(t *testing.T) {
	long := map[string]string{"overview": "/", "hosts": "/hosts", "host": "/hosts/evil", "drift": "/drift", "changes": "/changes", "change": "/changes/1", "policies": "/policies", "controls": "/controls", "kpis": "/kpis"}
	cases := map[string]struct {
		fill  func(*fleet)
		pages map[string]string
	}{
		"ordinary": {func(f *fleet) { f.show(); f.showPatching() }, shown},
		"long":     {func(f *fleet) { f.poison(always(strings.Repeat("x", 250)), 1) }, long},
	}
	for kind, c := range cases {
		t.Run(kind, func(t *testing.T) {
			ctx := browser.Start(t)
			f := newFleet(t)
			c.fill(f)
			address := f.open(ctx)
			for name, path := range c.pages {
				must(t, chromedp.Do(ctx, chromedp.Navigate(address+path)))
				for _, width := range []int64{320, 390, 700, 900, 1280, 1920} {
					if got := f.widthOf(ctx, width); got > width {
						t.Errorf("%s is %d wide in a window of %d", name, got, width)
					}
				}
			}
		})
	}
}

// widthOf tells how wide the page is that the browser shows in a window of the width.
func (f *fleet) widthOf(ctx context.Context, window int64) int64 {
	f.t.Helper()
	resize(ctx, f.t, window, 900)
	got, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
	must(f.t, err)
	return got
}

// resize gives the browser's window a size, and waits until the page knows.
func resize(ctx context.Context, t testing.TB, width, height int64) {
	t.Helper()
	must(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, height)))
	becomes(ctx, t, fmt.Sprint("innerWidth === ", width))
}

// TestScreenshots makes pictures for people to look at.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("needs -screenshots DIR: pictures are for people to look at")
	}
	ctx := browser.Start(t)
	f := newFleet(t)
	f.show()
	f.showPatching()
	address := f.open(ctx)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			for name, path := range shown {
				must(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), wanting(scheme), chromedp.Navigate(address+path)))
				picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				must(t, err)
				size := map[int64]string{1280: "wide", 390: "narrow"}[width]
				must(t, os.WriteFile(filepath.Join(*screenshots, name+"-"+size+"-"+scheme+".png"), picture, 0o600))
			}
		}
	}
}

// wanting makes the browser say that its user wants a light or a dark page.
func wanting(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})
}

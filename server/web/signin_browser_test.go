package web

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/testenv/browser"
)

// keyboard signs people in by keys alone.
type keyboard struct {
	t   *testing.T
	ctx context.Context
}

func (k keyboard) do(actions ...chromedp.Action[chromedp.Void]) {
	k.t.Helper()
	must(k.t, chromedp.Do(k.ctx, actions...))
}

// until waits for something to be seen, and wants the page to say the words.
func (k keyboard) until(selector, want string) {
	k.t.Helper()
	k.do(chromedp.WaitVisible(css(selector)))
	if text := textWith(k.ctx, k.t, want); !strings.Contains(text, want) {
		k.t.Fatalf("the page does not say %q:\n%s", want, text)
	}
}

// tabTo goes forward until the element has the focus, as somebody without a mouse does.
func (k keyboard) tabTo(id string) {
	k.t.Helper()
	for range 40 {
		at, err := chromedp.Run(k.ctx, chromedp.Evaluate[string](`(e => e.id || e.textContent.trim())(document.activeElement)`))
		must(k.t, err)
		if at == id {
			return
		}
		k.do(chromedp.KeyEvent(kb.Tab))
	}
	k.t.Fatalf("the tab key does not lead to %s", id)
}

func (k keyboard) write(id, text string) {
	k.t.Helper()
	k.tabTo(id)
	k.do(chromedp.KeyEvent(text))
}

func (k keyboard) enter() { k.t.Helper(); k.do(chromedp.KeyEvent(kb.Enter)) }

func TestBrowserSignsInByKeyboard(t *testing.T) {
	k := keyboard{t, browser.Start(t)}
	f := newFleet(t)
	f.show()
	f.account("ada", "operator", lamp)
	server := httptest.NewTLSServer(f.serve())
	t.Cleanup(server.Close)
	k.do(chromedp.Navigate(server.URL + "/drift"))
	k.until(".entry", "Nobody is signed in")
	k.write("name", "ada")
	k.write("password", "not this one, no")
	k.enter()
	k.until(".problem", "The name or the password is not right")
	k.write("password", lamp) // the name is still there
	k.enter()
	k.until("#findings", "7 differences from policy") // the page that was wanted
	k.tabTo("ada")
	k.enter()
	k.until("#password-title", "this one")
	const next = "three owls in the rain"
	k.write("old", lamp)
	k.write("new", next)
	k.write("again", next)
	k.enter()
	k.until(".done", "Your password is changed")
	k.tabTo("Sign out")
	k.enter()
	k.until("#name", "Sign in")
	k.write("name", "ada")
	k.write("password", next)
	k.enter()
	k.until(".verdict", "6 of 20 hosts need a look.")
}

// TestBrowserComesByProvider has a real browser follow every redirect, with the rules that it
// has for cookies and forms.
func TestBrowserComesByProvider(t *testing.T) {
	k := keyboard{t, browser.Start(t)}
	f := newFleet(t)
	f.show()
	server := httptest.NewTLSServer(f.serve())
	t.Cleanup(server.Close)
	f.provideFor(server.URL)
	k.do(chromedp.Navigate(server.URL + "/drift"))
	k.until(".button", "Nobody is signed in")
	k.tabTo("Sign in with Example & Sons")
	k.enter()
	k.until("#findings", "7 differences from policy")
	who, err := chromedp.Run(k.ctx, chromedp.Text(css(".who")))
	must(t, err)
	if !strings.Contains(who, "grace@127.0.0.1 (auditor)") {
		t.Errorf("the page says that it is %s", who)
	}
}

// TestSigninScreenshots makes pictures of what people see before they are in, and of their account.
func TestSigninScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("needs -screenshots DIR: pictures are for people to look at")
	}
	k := keyboard{t, browser.Start(t)}
	f := newFleet(t)
	f.account("ada", "operator", lamp)
	must(t, f.store.AddLink(t.Context(), "ada", api.HashSecret("code"), start.Add(time.Hour)))
	server := httptest.NewTLSServer(f.serve())
	t.Cleanup(server.Close)
	f.provideFor(server.URL)
	a, err := f.store.Account(t.Context(), "ada")
	must(t, err)
	must(t, f.store.OpenSession(t.Context(), store.Session{Hash: "0123456789abcdef0", Name: "ada", Role: "operator", Browser: "Firefox on Windows", Created: start.Add(-3 * time.Hour), Expires: start.Add(9 * time.Hour)}, a))
	take := func(name string) {
		for _, scheme := range []string{"light", "dark"} {
			for size, width := range map[string]int64{"wide": 1280, "narrow": 390, "tiny": 320} {
				k.do(chromedp.EmulateViewport(width, 900), wanting(scheme))
				picture, err := chromedp.Run(k.ctx, chromedp.FullScreenshot(100))
				must(t, err)
				must(t, os.WriteFile(filepath.Join(*screenshots, name+"-"+size+"-"+scheme+".png"), picture, 0o600))
				if got := f.widthOf(k.ctx, width); got > width {
					t.Errorf("%s is %d wide in a window of %d", name, got, width)
				}
			}
		}
	}
	k.do(chromedp.Navigate(server.URL + "/hosts"))
	take("signin_ways")
	k.do(chromedp.Navigate(server.URL + "/welcome/code"))
	take("welcome")
	k.do(chromedp.Navigate(server.URL + "/signin"))
	k.write("name", "ada")
	k.write("password", "wrong wrong wrong")
	k.enter()
	k.until(".problem", "not right")
	take("signin_wrong")
	k.write("password", lamp)
	k.enter()
	k.until(".who", "hosts")
	k.do(chromedp.Navigate(server.URL + "/account?done=session"))
	take("account")
}

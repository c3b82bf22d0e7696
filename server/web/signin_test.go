package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plumb/server/api"
	"plumb/server/people"
	"plumb/server/store"
)

func (f *fleet) code(expires time.Time) string {
	f.t.Helper()
	code := people.Secret()
	must(f.t, f.store.CreateSignIn(f.t.Context(), store.SignIn{Hash: api.HashSecret(code), Role: "viewer", Name: "grace", Expires: expires}))
	return code
}

func TestSignIn(t *testing.T) {
	f := newFleet(t)
	pages, code := f.serve(), f.code(start.Add(time.Minute))

	guess := httptest.NewRequest(http.MethodGet, "/signin/"+code, nil)
	guess.Header.Set("Sec-Purpose", "prefetch;prerender")
	if got := ask(t, pages, guess); got.StatusCode != http.StatusForbidden {
		t.Fatalf("a prefetch got %d, want 403", got.StatusCode)
	}
	in := ask(t, pages, httptest.NewRequest(http.MethodGet, "/signin/"+code, nil))
	if in.StatusCode != http.StatusSeeOther || in.Header.Get("Location") != "/" {
		t.Fatalf("sign in = %d to %q, want 303 to /", in.StatusCode, in.Header.Get("Location"))
	}
	cookies := in.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("sign in set %d cookies, want 1", len(cookies))
	}
	c := cookies[0]
	if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Fatalf("the cookie is not bound to this host and to HTTPS: %v", c)
	}
	if s, err := f.store.Session(t.Context(), api.HashSecret(c.Value), start); err != nil || s.Name != "grace" || s.Role != "viewer" || !s.Expires.Equal(start.Add(sessionLife)) {
		t.Fatalf("session = %+v, %v", s, err)
	}
	home := httptest.NewRequest(http.MethodGet, "/", nil)
	home.AddCookie(c)
	if got := ask(t, pages, home); got.StatusCode != http.StatusOK || !strings.Contains(got.body, "grace") {
		t.Fatalf("GET / with the session = %d", got.StatusCode)
	}
	if acts, err := f.store.Acts(t.Context(), 10); err != nil || len(acts) != 1 || acts[0].Who != "grace" || acts[0].What != "sign in" {
		t.Fatalf("acts = %+v, %v, want the sign-in", acts, err)
	}
	again := ask(t, pages, httptest.NewRequest(http.MethodGet, "/signin/"+code, nil))
	if again.StatusCode != http.StatusUnauthorized || len(again.Cookies()) != 0 || !strings.Contains(again.body, "plumb web") {
		t.Fatalf("the second use of a link = %d with %d cookies", again.StatusCode, len(again.Cookies()))
	}
}

func TestSignInRefuses(t *testing.T) {
	f := newFleet(t)
	for name, code := range map[string]string{"unknown": "zebra", "expired": f.code(start)} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, f.serve(), httptest.NewRequest(http.MethodGet, "/signin/"+code, nil))
			if got.StatusCode != http.StatusUnauthorized || len(got.Cookies()) != 0 {
				t.Fatalf("sign in = %d with %d cookies, want 401 with none", got.StatusCode, len(got.Cookies()))
			}
		})
	}
}

func TestSignOut(t *testing.T) {
	cases := map[string]struct {
		site  string
		code  int
		ended bool
	}{
		"our own button": {"same-origin", http.StatusSeeOther, true},
		"another site":   {"cross-site", http.StatusForbidden, false},
		"a sibling site": {"same-site", http.StatusForbidden, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			cookie := f.session()
			r := httptest.NewRequest(http.MethodPost, "/signout", nil)
			r.Header.Set("Sec-Fetch-Site", c.site)
			r.AddCookie(cookie)
			if got := ask(t, f.serve(), r); got.StatusCode != c.code {
				t.Fatalf("POST /signout = %d, want %d", got.StatusCode, c.code)
			}
			_, err := f.store.Session(t.Context(), api.HashSecret(cookie.Value), start)
			if ended := err != nil; ended != c.ended {
				t.Fatalf("the session ended: %v (%v), want %v", ended, err, c.ended)
			}
		})
	}
}

// open are the only addresses that answer to strangers.
var open = map[string]bool{"/signin": true, "/signin/:code": true, "/signin/oidc": true, "/signin/oidc/callback": true, "/welcome/:code": true, "/signout": true, "/static/:name": true}

func TestNothingIsReadableWithoutSigningIn(t *testing.T) {
	f := newFleet(t)
	f.show()
	for _, r := range (Pages{Read: policyless}).Routes() {
		if (r.Access == api.Open) != open[r.Path] {
			t.Errorf("%s %s has the access %q", r.Method, r.Path, r.Access)
		}
		if r.Trouble == nil {
			t.Errorf("%s %s tells of its errors in JSON", r.Method, r.Path)
		}
		if open[r.Path] {
			continue
		}
		address := strings.NewReplacer(":name", "web01.example.org", ":number", "3").Replace(r.Path)
		got := ask(t, f.serve(), httptest.NewRequest(r.Method, address, nil))
		if got.StatusCode != http.StatusUnauthorized || !strings.Contains(got.body, "plumb web") {
			t.Errorf("%s %s = %d to a stranger, want 401 and the way to sign in", r.Method, address, got.StatusCode)
		}
		for _, secret := range []string{"example.org", "chrony", "trial", "Ada", "20"} {
			if strings.Contains(withoutHead(got.body), secret) {
				t.Errorf("%s %s tells a stranger of %q", r.Method, address, secret)
			}
		}
	}
}

// withoutHead drops the addresses of static files, which hold digits.
func withoutHead(body string) string {
	_, rest, _ := strings.Cut(body, "</symbol>")
	_, rest, _ = strings.Cut(rest, "<main")
	return rest
}

func TestHeaders(t *testing.T) {
	f := newFleet(t)
	got := f.visit("/")
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if policy := got.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy = %q", policy)
	}
}

func TestStatic(t *testing.T) {
	f := newFleet(t)
	for name, kind := range map[string]string{"style.css": "text/css", "icon.svg": "image/svg+xml"} {
		address := readFiles().address(name)
		got := ask(t, f.serve(), httptest.NewRequest(http.MethodGet, address, nil))
		if got.StatusCode != http.StatusOK || !strings.HasPrefix(got.Header.Get("Content-Type"), kind) || !strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("GET %s = %d %v", address, got.StatusCode, got.Header)
		}
	}
	if got := ask(t, f.serve(), httptest.NewRequest(http.MethodGet, "/static/style.css", nil)); got.StatusCode != http.StatusNotFound {
		t.Errorf("GET of a name without digest = %d, want 404", got.StatusCode)
	}
}

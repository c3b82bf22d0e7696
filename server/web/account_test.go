package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"plumb/server/api"
	"plumb/server/store"
)

const lamp = "a lamp, two rivers"

// visitor is a browser as far as cookies go.
type visitor struct {
	f       *fleet
	h       http.Handler
	cookies map[string]*http.Cookie
}

func (f *fleet) visitor() *visitor {
	return &visitor{f: f, h: f.serve(), cookies: map[string]*http.Cookie{}}
}

func (v *visitor) send(method, address string, form url.Values, header ...string) answer {
	v.f.t.Helper()
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	got := ask(v.f.t, v.h, r)
	for _, c := range got.Cookies() {
		v.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return got
}

func (v *visitor) get(address string) answer { return v.send(http.MethodGet, address, nil) }

func (v *visitor) signIn(name, password, next string) answer {
	return v.send(http.MethodPost, "/signin", url.Values{"name": {name}, "password": {password}, "next": {next}})
}

func (f *fleet) account(name, role, password string) {
	f.t.Helper()
	must(f.t, f.people().Add(f.t.Context(), store.Account{Name: name, Role: role, Created: start, CreatedBy: "root"}, password))
}

func wantAnswer(t *testing.T, what string, got answer, code int, says string) {
	t.Helper()
	if got.StatusCode != code || !strings.Contains(got.body, says) {
		t.Fatalf("%s = %d, want %d and %q\n%s", what, got.StatusCode, code, says, withoutHead(got.body))
	}
}

func TestSignInByPassword(t *testing.T) {
	f := newFleet(t)
	f.account("ada", "auditor", lamp)
	v := f.visitor()
	wanted := v.get("/hosts?q=a&status=stale")
	wantAnswer(t, "a page for a stranger", wanted, http.StatusUnauthorized, `name="next" value="/hosts?q=a&amp;status=stale"`)
	wantAnswer(t, "nothing filled in", v.signIn("ada", "", "/"), http.StatusBadRequest, "not filled in")
	wrong := v.signIn("ada", "a lamp, three rivers", "/drift")
	wantAnswer(t, "a wrong password", wrong, http.StatusUnauthorized, "The name or the password is not right")
	if !strings.Contains(wrong.body, `value="ada"`) || !strings.Contains(wrong.body, `value="/drift"`) || strings.Contains(wrong.body, "lamp") || len(v.cookies) != 0 {
		t.Errorf("after a wrong password the form is not as before, or knows too much:\n%s", wrong.body)
	}
	in := v.signIn(" ADA", lamp, "/hosts?q=a&status=stale")
	if in.StatusCode != http.StatusSeeOther || in.Header.Get("Location") != "/hosts?q=a&status=stale" {
		t.Fatalf("sign in = %d to %q", in.StatusCode, in.Header.Get("Location"))
	}
	for _, c := range in.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("the cookie is not bound to this host and to HTTPS: %v", c)
		}
	}
	wantAnswer(t, "the overview", v.get("/"), http.StatusOK, `<a href="/account">ada</a> <span class="muted">(auditor)</span>`)
	acts, err := f.store.Acts(t.Context(), 10)
	if err != nil || len(acts) != 1 || acts[0].Who != "ada" || acts[0].Detail != "as auditor with a password" {
		t.Errorf("acts = %+v, %v", acts, err)
	}
}

// TestUnknownNamesLookTheSame compares what a stranger gets for a name that is there with one that is not.
func TestUnknownNamesLookTheSame(t *testing.T) {
	f := newFleet(t)
	f.account("ada", "viewer", lamp)
	f.account("eve", "viewer", lamp)
	must(t, f.store.DisableAccount(t.Context(), "eve", start))
	known := f.visitor().signIn("ada", "wrong wrong wrong", "/")
	for _, name := range []string{"zoe", "eve"} {
		other := f.visitor().signIn(name, lamp, "/")
		if other.StatusCode != known.StatusCode || strings.ReplaceAll(other.body, name, "ada") != known.body {
			t.Errorf("%s: %d\n%s\nada: %d\n%s", name, other.StatusCode, other.body, known.StatusCode, known.body)
		}
	}
}

func TestManyTriesAreSlowedDown(t *testing.T) {
	f := newFleet(t)
	f.account("ada", "viewer", lamp)
	v := f.visitor()
	var got answer
	for range 20 {
		if got = v.signIn("ada", "wrong wrong wrong", "/"); got.StatusCode != http.StatusUnauthorized {
			break
		}
	}
	wantAnswer(t, "many tries", got, http.StatusTooManyRequests, "Too many tries to sign in")
	if got.Header.Get("Retry-After") == "" {
		t.Error("nobody says how long to wait")
	}
}

func TestSignInMakesANewSession(t *testing.T) {
	f := newFleet(t)
	f.account("ada", "viewer", lamp)
	v := f.visitor()
	fixed := f.session() // as somebody could have planted it
	v.cookies[fixed.Name] = fixed
	v.signIn("ada", lamp, "/")
	if got := v.cookies[api.SessionCookie].Value; got == fixed.Value {
		t.Error("the session from before goes on")
	}
	if _, err := f.store.Session(t.Context(), api.HashSecret(fixed.Value), start); err == nil {
		t.Error("the session from before is still open")
	}
	if s, err := f.store.Session(t.Context(), api.HashSecret(v.cookies[api.SessionCookie].Value), start); err != nil || s.Account != "ada" || !s.Expires.Equal(start.Add(12*time.Hour)) {
		t.Errorf("session = %+v, %v", s, err)
	}
}

func TestNoOpenRedirect(t *testing.T) {
	f := newFleet(t)
	f.account("ada", "viewer", lamp)
	for _, next := range []string{"https://evil.example.org/", "//evil.example.org", "/\\evil.example.org", "javascript:alert(1)"} {
		v := f.visitor()
		if got := v.get("/signin?next=" + url.QueryEscape(next)); strings.Contains(got.body, "evil") || strings.Contains(got.body, "alert") {
			t.Errorf("the form leads to %q", next)
		}
		if got := v.signIn("ada", lamp, next).Header.Get("Location"); got != "/" {
			t.Errorf("after signing in with next=%q the browser goes to %q", next, got)
		}
	}
}

// TestAnotherSitesLink has a page of another site open a sign-in link that is not the person's.
func TestAnotherSitesLink(t *testing.T) {
	f := newFleet(t)
	for _, site := range []string{"cross-site", "same-site"} {
		code, v := f.code(start.Add(time.Minute)), f.visitor()
		got := v.send(http.MethodGet, "/signin/"+code, nil, "Sec-Fetch-Site", site)
		wantAnswer(t, site, got, http.StatusOK, "Sign in with this link?")
		check(t, got.body)
		if len(v.cookies) != 0 {
			t.Errorf("%s: the person is signed in without being asked", site)
		}
		wantAnswer(t, "a form of another site", v.send(http.MethodPost, "/signin/"+code, nil, "Sec-Fetch-Site", site), http.StatusForbidden, "came from another site")
		if in := v.send(http.MethodPost, "/signin/"+code, nil); in.StatusCode != http.StatusSeeOther || len(v.cookies) != 1 {
			t.Errorf("%s: the button = %d with %d cookies", site, in.StatusCode, len(v.cookies))
		}
	}
}

// TestLoginCSRF has another site sign the person in under a name of its own.
func TestLoginCSRF(t *testing.T) {
	f := newFleet(t)
	f.account("mallory", "viewer", lamp)
	v := f.visitor()
	form := url.Values{"name": {"mallory"}, "password": {lamp}}
	for name, header := range map[string][]string{
		"by fetch metadata": {"Sec-Fetch-Site", "cross-site"},
		"by origin":         {"Sec-Fetch-Site", "", "Origin", "https://evil.example.org"},
	} {
		if got := v.send(http.MethodPost, "/signin", form, header...); got.StatusCode != http.StatusForbidden || len(v.cookies) != 0 {
			t.Errorf("%s: POST /signin = %d with %d cookies, want 403 with none", name, got.StatusCode, len(v.cookies))
		}
	}
}

func TestWelcome(t *testing.T) {
	f := newFleet(t)
	f.account("ada", "operator", "")
	must(t, f.store.AddLink(t.Context(), "ada", api.HashSecret("code"), start.Add(time.Hour)))
	v := f.visitor()
	for range 2 { // looking does not use it up
		got := v.get("/welcome/code")
		wantAnswer(t, "the link", got, http.StatusOK, "<strong>ada</strong>, with the role operator")
		check(t, got.body)
	}
	set := func(first, second string) answer {
		return v.send(http.MethodPost, "/welcome/code", url.Values{"new": {first}, "again": {second}})
	}
	wantAnswer(t, "two passwords", set(lamp, lamp+"."), http.StatusBadRequest, "The two passwords differ")
	wantAnswer(t, "a short one", set("short", "short"), http.StatusBadRequest, "shorter than 12 characters")
	wantAnswer(t, "a common one", set("password12345", "password12345"), http.StatusBadRequest, "tried first")
	if got := set(lamp, lamp); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("setting the password = %d\n%s", got.StatusCode, got.body)
	}
	wantAnswer(t, "the overview", v.get("/"), http.StatusOK, "ada")
	wantAnswer(t, "the link again", set(lamp, lamp), http.StatusNotFound, "does not work any more")
	wantAnswer(t, "a made-up link", v.get("/welcome/zebra"), http.StatusNotFound, "plumb account passwd")
	if got := f.visitor().signIn("ada", lamp, "/"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("signing in = %d", got.StatusCode)
	}
}

func TestAccountPage(t *testing.T) {
	f := newFleet(t)
	f.account("ada", "viewer", lamp)
	here, there := f.visitor(), f.visitor()
	there.send(http.MethodPost, "/signin", url.Values{"name": {"ada"}, "password": {lamp}}, "User-Agent", "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0")
	here.signIn("ada", lamp, "/")
	page := here.get("/account")
	wantAnswer(t, "the page", page, http.StatusOK, "Firefox on Windows")
	check(t, page.body)
	if strings.Count(page.body, "/end\"") != 2 || strings.Count(page.body, "this one") != 1 || !strings.Contains(page.body, "a password of this server") {
		t.Errorf("the page says\n%s", page.body)
	}

	change := func(old, first, second string) answer {
		return here.send(http.MethodPost, "/account/password", url.Values{"old": {old}, "new": {first}, "again": {second}})
	}
	const next = "three owls in the rain"
	wantAnswer(t, "a wrong old password", change("wrong wrong wrong", next, next), http.StatusForbidden, "The old password is not right")
	wantAnswer(t, "two passwords", change(lamp, next, "x"), http.StatusBadRequest, "differ")
	wantAnswer(t, "its own name", change(lamp, "ada-1234567890", "ada-1234567890"), http.StatusBadRequest, "name")
	if got := change(lamp, next, next); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/account?done=password" {
		t.Fatalf("changing the password = %d\n%s", got.StatusCode, got.body)
	}
	wantAnswer(t, "the page after it", here.get("/account?done=password"), http.StatusOK, "your other sessions have ended")
	wantAnswer(t, "the other browser", there.get("/account"), http.StatusUnauthorized, "Nobody is signed in")

	there.signIn("ada", next, "/")
	other, err := f.store.Session(t.Context(), api.HashSecret(there.cookies[api.SessionCookie].Value), start)
	must(t, err)
	end := func(v *visitor, id string) answer {
		return v.send(http.MethodPost, "/account/sessions/"+id+"/end", nil)
	}
	stranger := f.visitor()
	f.account("eve", "admin", lamp)
	stranger.signIn("eve", lamp, "/")
	if got := end(stranger, other.Hash[:16]); got.StatusCode != http.StatusNotFound {
		t.Errorf("another person ends the session: %d", got.StatusCode)
	}
	if got := end(here, other.Hash[:16]); got.StatusCode != http.StatusSeeOther {
		t.Errorf("ending a session = %d\n%s", got.StatusCode, got.body)
	}
	wantAnswer(t, "the ended session", there.get("/"), http.StatusUnauthorized, "Nobody is signed in")
}

func TestAccountPageWithoutAccount(t *testing.T) {
	f := newFleet(t)
	v := f.visitor()
	cookie := f.session()
	v.cookies[cookie.Name] = cookie
	page := v.get("/account")
	wantAnswer(t, "a link's session", page, http.StatusOK, "a one-time link")
	if strings.Contains(page.body, "Change your password") {
		t.Error("there is a password to change where there is none")
	}
	wantAnswer(t, "changing what is not there", v.send(http.MethodPost, "/account/password", url.Values{"old": {lamp}, "new": {lamp}, "again": {lamp}}), http.StatusBadRequest, "no password here")
	must(t, f.store.CreateToken(t.Context(), store.Token{ID: "t", Hash: api.HashSecret("plumb_x"), Role: "viewer", Name: "robot", Created: start, Expires: start.Add(time.Hour)}))
	wantAnswer(t, "a token", f.visitor().send(http.MethodGet, "/account", nil, "Authorization", "Bearer plumb_x"), http.StatusOK, "an API token")
}

// TestSessionsEndAtOnce does to an account what takes something from its person while they are signed in.
func TestSessionsEndAtOnce(t *testing.T) {
	for name, act := range map[string]func(f *fleet) error{
		"disabled":   func(f *fleet) error { return f.store.DisableAccount(f.t.Context(), "ada", start) },
		"removed":    func(f *fleet) error { return f.store.RemoveAccount(f.t.Context(), "ada") },
		"other role": func(f *fleet) error { return f.store.SetRole(f.t.Context(), "ada", "viewer") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			f.t = t
			f.account("ada", "admin", lamp)
			v := f.visitor()
			v.signIn("ada", lamp, "/")
			wantAnswer(t, "before", v.get("/"), http.StatusOK, "ada")
			must(t, act(f))
			wantAnswer(t, "after", v.get("/"), http.StatusUnauthorized, "Nobody is signed in")
		})
	}
}

func TestBrowserOf(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                           "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":        "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":            "Safari on a Mac",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile Safari/604.1": "Safari on an iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                     "Chrome on Android",
		"curl/8.5.0": "curl", "": "another browser", "<script>": "another browser",
	} {
		if got := browserOf(agent); got != want {
			t.Errorf("browserOf(%q) = %q, want %q", agent, got, want)
		}
	}
}

package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"plumb/server/people"
	"plumb/server/people/standin"
)

// provide gives the fleet a made-up provider.
func (f *fleet) provide() *standin.Provider { return f.provideFor("https://plumb.example.org") }

// provideFor is provide for pages at the address.
func (f *fleet) provideFor(pages string) *standin.Provider {
	f.t.Helper()
	now := func() time.Time { return start }
	away := standin.New("plumb", "", now)
	away.Claims["groups"] = "plumb-auditors"
	server := httptest.NewServer(away)
	f.t.Cleanup(server.Close)
	away.Issuer = server.URL
	var err error
	f.people().Provider, err = people.NewProvider(people.Config{Issuer: server.URL, Name: "Example & Sons", ClientID: "plumb",
		Roles: map[string]string{"plumb-auditors": "auditor", "plumb-viewers": "viewer"}}, pages, now)
	must(f.t, err)
	return away
}

// throughProvider goes to the provider, which says yes, and returns where it leads back to.
func (v *visitor) throughProvider(next string) string {
	v.f.t.Helper()
	there := v.get("/signin/oidc?next=" + url.QueryEscape(next))
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Get(there.Header.Get("Location"))
	must(v.f.t, err)
	resp.Body.Close()
	back, err := resp.Location()
	must(v.f.t, err)
	return back.RequestURI()
}

func TestSignInByProvider(t *testing.T) {
	f := newFleet(t)
	f.provide()
	v := f.visitor()
	page := v.get("/hosts")
	wantAnswer(t, "the sign-in page", page, http.StatusUnauthorized, `href="/signin/oidc?next=%2fhosts">Sign in with Example &amp; Sons</a>`)
	check(t, page.body)
	if strings.Contains(page.body, `type="password"`) {
		t.Error("there is a form for passwords, and no account that has one")
	}
	in := v.send(http.MethodGet, v.throughProvider("/hosts?q=a"), nil, "Sec-Fetch-Site", "cross-site")
	if in.StatusCode != http.StatusSeeOther || in.Header.Get("Location") != "/hosts?q=a" {
		t.Fatalf("coming back = %d to %q\n%s", in.StatusCode, in.Header.Get("Location"), in.body)
	}
	if _, left := v.cookies[flowCookie]; left {
		t.Error("the cookie of the way there is still there")
	}
	wantAnswer(t, "the overview", v.get("/"), http.StatusOK, `grace@127.0.0.1</a> <span class="muted">(auditor)</span>`)
	wantAnswer(t, "the account", v.get("/account"), http.StatusOK, "http://127.0.0.1:")
	wantAnswer(t, "a password", v.send(http.MethodPost, "/account/password", url.Values{"old": {""}, "new": {lamp}, "again": {lamp}}), http.StatusBadRequest, "no password here")

	must(t, f.store.DisableAccount(t.Context(), "grace@127.0.0.1", start))
	wantAnswer(t, "once disabled", v.get("/"), http.StatusUnauthorized, "Nobody is signed in")
	wantAnswer(t, "coming again", v.get(v.throughProvider("/")), http.StatusForbidden, "is disabled here")
}

// TestSubjectIsIdentity gives somebody's name to another person, and another name to the person.
func TestSubjectIsIdentity(t *testing.T) {
	f := newFleet(t)
	away := f.provide()
	first := f.visitor()
	first.get(first.throughProvider("/"))
	away.Claims["sub"] = "18"
	second := f.visitor()
	second.get(second.throughProvider("/"))
	away.Claims["sub"], away.Claims["preferred_username"], away.Claims["email"] = "17", "grace.hopper", "other@example.org"
	third := f.visitor()
	third.get(third.throughProvider("/"))
	accounts, err := f.store.Accounts(t.Context())
	must(t, err)
	if len(accounts) != 2 {
		t.Fatalf("accounts = %+v, want two", accounts)
	}
	for _, a := range accounts {
		if (a.Subject == "17") != (a.Name == "grace@127.0.0.1") || !strings.HasPrefix(a.Name, "grace") || !strings.HasSuffix(a.Name, "@127.0.0.1") {
			t.Errorf("subject %s is called %s", a.Subject, a.Name)
		}
	}
	wantAnswer(t, "the first one's account", third.get("/account"), http.StatusOK, "<dd>grace@127.0.0.1</dd>")
}

// TestRoleIsFrozenUntilTheNextSignIn takes a role away at the provider.
func TestRoleIsFrozenUntilTheNextSignIn(t *testing.T) {
	f := newFleet(t)
	away := f.provide()
	old := f.visitor()
	old.get(old.throughProvider("/"))
	away.Claims["groups"] = "plumb-viewers"
	wantAnswer(t, "the old session", old.get("/"), http.StatusOK, "(auditor)")
	again := f.visitor()
	again.get(again.throughProvider("/"))
	wantAnswer(t, "the new session", again.get("/"), http.StatusOK, "(viewer)")
	wantAnswer(t, "the old session, now", old.get("/"), http.StatusUnauthorized, "Nobody is signed in")
}

func TestProviderSaysNoRole(t *testing.T) {
	f := newFleet(t)
	away := f.provide()
	away.Claims["groups"] = []string{"guests", "<b>"}
	v := f.visitor()
	got := v.get(v.throughProvider("/"))
	wantAnswer(t, "coming back", got, http.StatusForbidden, "it has &#34;guests&#34;, &#34;&lt;b&gt;&#34;")
	wantAnswer(t, "coming back", got, http.StatusForbidden, "oidc.roles")
	check(t, got.body)
	if accounts, err := f.store.Accounts(t.Context()); err != nil || len(accounts) != 0 {
		t.Errorf("accounts = %+v, %v, want none", accounts, err)
	}
}

// TestReturnsThatAreNotTheBrowsers sends a browser to where only its own flow may lead.
func TestReturnsThatAreNotTheBrowsers(t *testing.T) {
	f := newFleet(t)
	f.provide()
	mallory, victim := f.visitor(), f.visitor()
	back := mallory.throughProvider("/")
	wantAnswer(t, "a victim without a flow", victim.get(back), http.StatusUnauthorized, "not begun in this browser")
	victim.throughProvider("/")
	wantAnswer(t, "a victim with a flow", victim.get(back), http.StatusUnauthorized, "not begun in this browser")
	if _, in := victim.cookies["__Host-plumb"]; in {
		t.Error("the victim is signed in as mallory")
	}
	back = victim.throughProvider("/")
	if got := victim.get(back); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("the victim's own return = %d", got.StatusCode)
	}
	wantAnswer(t, "the same return again", victim.get(back), http.StatusUnauthorized, "not begun in this browser")
}

func TestProviderIsDown(t *testing.T) {
	f := newFleet(t)
	f.provide().Broken = http.StatusBadGateway
	wantAnswer(t, "going there", f.visitor().get("/signin/oidc"), http.StatusBadGateway, "cannot be used to sign in at this moment")
	wantAnswer(t, "no provider", newFleet(t).visitor().get("/signin/oidc"), http.StatusNotFound, "no OpenID provider")
}

package people

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"plumb/server/people/standin"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// door is a server's side of a made-up provider.
type door struct {
	t    *testing.T
	away *standin.Provider
	here *Provider
	now  time.Time
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, now: start}
	now := func() time.Time { return d.now }
	d.away = standin.New("plumb", "s3cret", now)
	server := httptest.NewServer(d.away)
	t.Cleanup(server.Close)
	d.away.Issuer = server.URL
	d.away.Claims["groups"] = []string{"staff", "plumb-operators"}
	d.here = d.open(func(*Config) {})
	return d
}

func (d *door) open(change func(*Config)) *Provider {
	d.t.Helper()
	secret := filepath.Join(d.t.TempDir(), "secret")
	must(d.t, os.WriteFile(secret, []byte("s3cret\n"), 0o600))
	c := Config{Issuer: d.away.Issuer, Name: "Example", ClientID: "plumb", ClientSecretFile: secret,
		Roles: map[string]string{"plumb-admins": "admin", "plumb-operators": "operator", "staff": "viewer"}}
	change(&c)
	p, err := NewProvider(c, "https://plumb.example.org:7443", func() time.Time { return d.now })
	must(d.t, err)
	return p
}

// goThere begins a flow, has the provider say yes, and returns what the browser comes back with.
func (d *door) goThere() (query url.Values, secret string) {
	d.t.Helper()
	secret, address, err := d.here.Begin(d.t.Context())
	must(d.t, err)
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Get(address)
	must(d.t, err)
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		d.t.Fatalf("the provider answered %s to %s", resp.Status, address)
	}
	if got := "https://" + back.Host + back.Path; got != "https://plumb.example.org:7443"+CallbackPath {
		d.t.Fatalf("the provider sends people to %s", got)
	}
	return back.Query(), secret
}

func (d *door) finish() (Person, error) {
	query, secret := d.goThere()
	return d.here.Finish(d.t.Context(), query, secret)
}

func kindOf(err error) Kind {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Kind
	}
	return ""
}

func TestProviderTellsWhoItIs(t *testing.T) {
	d := newDoor(t)
	got, err := d.finish()
	must(t, err)
	want := Person{Issuer: d.away.Issuer, Subject: "17", Name: "grace@127.0.0.1", Role: "operator"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Finish differs (-want +got):\n%s", diff)
	}
	if n := d.away.Asked["/.well-known/openid-configuration"]; n != 1 {
		t.Errorf("the description was read %d times, want once", n)
	}
}

// TestAttacks has the provider, or somebody between, send what must not be believed.
func TestAttacks(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	claim := func(name string, value any) func(*door) {
		return func(d *door) { d.away.Forge = func(c map[string]any) { c[name] = value } }
	}
	sign := func(s func(*standin.Provider, []byte) string) func(*door) {
		return func(d *door) { d.away.Sign = s }
	}
	public := func(p *standin.Provider) []byte {
		der, err := x509.MarshalPKIXPublicKey(p.Public())
		must(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	for name, attack := range map[string]func(*door){
		"other nonce":         claim("nonce", "zebra"),
		"no nonce":            func(d *door) { d.away.Forge = func(c map[string]any) { delete(c, "nonce") } },
		"other audience":      claim("aud", "somebody"),
		"given to another":    claim("azp", "somebody"),
		"audiences, no party": claim("aud", []string{"plumb", "somebody"}),
		"expired":             claim("exp", start.Add(-time.Minute).Unix()),
		"not valid yet":       claim("nbf", start.Add(time.Hour).Unix()),
		"other issuer":        claim("iss", "https://evil.example.org"),
		"no subject":          claim("sub", ""),
		"other access token":  claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"alg none":            sign(standin.Unsigned),
		"HS256, public key": sign(func(p *standin.Provider, payload []byte) string {
			return standin.Signed(jose.HS256, jose.JSONWebKey{Key: public(p), KeyID: "k"}, payload)
		}),
		"other key": sign(func(_ *standin.Provider, payload []byte) string {
			return standin.Signed(jose.ES256, jose.JSONWebKey{Key: other, KeyID: "k"}, payload)
		}),
		"no token": sign(func(*standin.Provider, []byte) string { return "" }),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			attack(d)
			who, err := d.finish()
			if kindOf(err) != Denied || Reason(err) == nil || who != (Person{}) {
				t.Errorf("Finish = %+v, %v (%v), want a refusal with its reason", who, err, Reason(err))
			}
		})
	}
}

// TestNoSharedSecretSigns holds the list itself: with the key of a provider the library refuses the
// others by their type already.
func TestNoSharedSecretSigns(t *testing.T) {
	for _, alg := range algorithms {
		if !strings.HasPrefix(alg, "RS") && !strings.HasPrefix(alg, "PS") && !strings.HasPrefix(alg, "ES") && alg != "EdDSA" {
			t.Errorf("%s may sign an ID token", alg)
		}
	}
}

// TestForeignReturns brings back what does not belong to the browser.
func TestForeignReturns(t *testing.T) {
	for name, change := range map[string]func(d *door, q url.Values, secret *string){
		"other state":     func(_ *door, q url.Values, _ *string) { q.Set("state", "zebra") },
		"no state":        func(_ *door, q url.Values, _ *string) { q.Del("state") },
		"no cookie":       func(_ *door, _ url.Values, secret *string) { *secret = "" },
		"another browser": func(_ *door, _ url.Values, secret *string) { *secret = Secret() },
		"no state at all": func(_ *door, q url.Values, secret *string) { q.Del("state"); *secret = "" },
		"another's code":  func(d *door, q url.Values, _ *string) { victim, _ := d.goThere(); q.Set("code", victim.Get("code")) },
		"made-up code":    func(_ *door, q url.Values, _ *string) { q.Set("code", "zebra") },
		"mixed-up issuer": func(_ *door, q url.Values, _ *string) { q.Set("iss", "https://evil.example.org") },
		"issuer left out": func(_ *door, q url.Values, _ *string) { q.Del("iss") },
		"said no":         func(_ *door, q url.Values, _ *string) { q.Set("error", "access_denied<script>") },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			query, secret := d.goThere()
			change(d, query, &secret)
			if _, err := d.here.Finish(t.Context(), query, secret); kindOf(err) != Denied {
				t.Errorf("Finish = %v, want a refusal", err)
			}
		})
	}
}

func TestCodeIsReplayed(t *testing.T) {
	d := newDoor(t)
	query, secret := d.goThere()
	_, err := d.here.Finish(t.Context(), query, secret)
	must(t, err)
	if _, err := d.here.Finish(t.Context(), query, secret); kindOf(err) != Denied || !strings.Contains(err.Error(), "does not know this sign-in") {
		t.Errorf("the second Finish = %v, want a refusal", err)
	}
}

func TestFlowKeepsItsSecrets(t *testing.T) {
	d := newDoor(t)
	secret, address, err := d.here.Begin(t.Context())
	must(t, err)
	for _, hidden := range []string{secret, verifier(secret)} {
		if strings.Contains(address, hidden) {
			t.Errorf("the address %s gives %s away", address, hidden)
		}
	}
	u, err := url.Parse(address)
	must(t, err)
	q := u.Query()
	if q.Get("state") == q.Get("nonce") || len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 || q.Get("code_challenge_method") != "S256" {
		t.Errorf("the address is %s", address)
	}
}

func TestRoles(t *testing.T) {
	cases := map[string]struct {
		groups any
		claim  string
		info   map[string]any
		want   string
		says   string
	}{
		"a word":                 {"plumb-admins", "", nil, "admin", ""},
		"the strongest":          {[]string{"staff", "plumb-admins", "plumb-operators"}, "", nil, "admin", ""},
		"none that counts":       {[]string{"guests"}, "", nil, "", `nothing in the claim "groups" gives a role here: it has "guests"`},
		"none":                   {[]string{}, "", nil, "", `says nothing in the claim "groups"`},
		"no such claim":          {[]string{"staff"}, "roles", nil, "", `says nothing in the claim "roles"`},
		"a path":                 {map[string]any{"roles": []string{"staff"}}, "groups.roles", nil, "viewer", ""},
		"of the wrong type":      {7, "", nil, "", `says nothing in the claim`},
		"only when asked":        {"x", "roles", map[string]any{"sub": "17", "roles": []string{"staff"}}, "viewer", ""},
		"asked, about another":   {"x", "roles", map[string]any{"sub": "18", "roles": []string{"staff"}}, "", "cannot be trusted"},
		"what is signed wins":    {"staff", "", map[string]any{"sub": "17", "groups": "plumb-admins"}, "viewer", ""},
		"many that do not count": {strings.Split(strings.Repeat("g ", 20), " "), "", nil, "", "and 11 more"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			d.away.Claims["groups"], d.away.Info = c.groups, c.info
			d.here = d.open(func(conf *Config) { conf.RoleClaim = c.claim })
			who, err := d.finish()
			if who.Role != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("Finish = %+v, %v, want the role %q and %q", who, err, c.want, c.says)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, c := range map[string]struct {
		claims map[string]any
		want   string
	}{
		"username":        {map[string]any{"preferred_username": "Grace.Hopper"}, "grace.hopper@127.0.0.1"},
		"mail address":    {map[string]any{"email": "grace@example.org"}, "grace-example.org@127.0.0.1"},
		"full name":       {map[string]any{"name": "Grace Hopper"}, "grace-hopper@127.0.0.1"},
		"nothing usable":  {map[string]any{"preferred_username": "葛麗絲"}, "subject-" + derived("name", "17")[:10] + "@127.0.0.1"},
		"like a local":    {map[string]any{"preferred_username": "root"}, "root@127.0.0.1"},
		"like an address": {map[string]any{"preferred_username": "local administrator@"}, "local-administrator@127.0.0.1"},
	} {
		d := newDoor(t)
		delete(d.away.Claims, "preferred_username")
		for k, v := range c.claims {
			d.away.Claims[k] = v
		}
		if who, err := d.finish(); err != nil || who.Name != c.want {
			t.Errorf("%s: Finish = %+v, %v, want the name %q", name, who, err, c.want)
		}
	}
}

// TestProviderThatIsAway wants people to be told, and the provider to be left in peace for a while.
func TestProviderThatIsAway(t *testing.T) {
	d := newDoor(t)
	d.away.Broken = http.StatusBadGateway
	for range 3 {
		if _, _, err := d.here.Begin(t.Context()); kindOf(err) != Away || Reason(err) == nil {
			t.Fatalf("Begin = %v (%v), want that it is away", err, Reason(err))
		}
	}
	if n := d.away.Asked["/.well-known/openid-configuration"]; n != 1 {
		t.Errorf("it was asked %d times at once, want once", n)
	}
	d.away.Broken, d.now = 0, d.now.Add(failureLife)
	if _, err := d.finish(); err != nil {
		t.Errorf("Finish = %v when it is back", err)
	}
}

func TestDescriptionsThatAreNotTaken(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"another issuer":      func(d map[string]any) { d["issuer"] = "https://evil.example.org" },
		"token not over TLS":  func(d map[string]any) { d["token_endpoint"] = "http://login.example.org/token" },
		"keys not over TLS":   func(d map[string]any) { d["jwks_uri"] = "http://login.example.org/keys" },
		"no such endpoint":    func(d map[string]any) { delete(d, "authorization_endpoint") },
		"longer than allowed": func(d map[string]any) { d["x"] = strings.Repeat("x", 2*mostAnswer) },
	} {
		d := newDoor(t)
		d.away.Describe = change
		if _, _, err := d.here.Begin(t.Context()); kindOf(err) != Away {
			t.Errorf("%s: Begin = %v, want a refusal", name, err)
		}
	}
}

func TestWrongClientSecret(t *testing.T) {
	d := newDoor(t)
	d.away.Secret = "another"
	if _, err := d.finish(); kindOf(err) != Away || !strings.Contains(Reason(err).Error(), "client secret") {
		t.Errorf("Finish = %v (%v)", err, Reason(err))
	}
}

// TestWhoAsksFirstMayGo wants a person who gives up not to spoil it for the next.
func TestWhoAsksFirstMayGo(t *testing.T) {
	d := newDoor(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := d.here.Begin(gone)
	must(t, err)
}

func TestConfig(t *testing.T) {
	good := func() Config {
		return Config{Issuer: "https://login.example.org/realms/x", ClientID: "plumb", Roles: map[string]string{"a": "admin"}}
	}
	must(t, good().Check())
	must(t, Config{}.Check())
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"no issuer":           {func(c *Config) { c.Issuer = "" }, `set "issuer"`},
		"issuer, no scheme":   {func(c *Config) { c.Issuer = "login.example.org" }, "https://HOST"},
		"issuer over http":    {func(c *Config) { c.Issuer = "http://login.example.org" }, "https://HOST"},
		"issuer with a query": {func(c *Config) { c.Issuer += "?a=b" }, "https://HOST"},
		"no client":           {func(c *Config) { c.ClientID = "" }, `set "client_id"`},
		"no roles":            {func(c *Config) { c.Roles = nil }, `set "roles"`},
		"unknown role":        {func(c *Config) { c.Roles["a"] = "king" }, "viewer, auditor, operator, admin"},
		"address over http":   {func(c *Config) { c.Address = "http://plumb.example.org" }, "https://HOST[:PORT]"},
		"address with a path": {func(c *Config) { c.Address = "https://plumb.example.org/" }, "without a path"},
	} {
		conf := good()
		c.change(&conf)
		if err := conf.Check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: Check() = %v, want %q", name, err, c.says)
		}
	}
	for name, change := range map[string]func(*Config){
		"no such secret": func(c *Config) { c.ClientSecretFile = "/does/not/exist" },
		"empty secret":   func(c *Config) { c.ClientSecretFile = os.DevNull },
		"no such CA":     func(c *Config) { c.CA = "/does/not/exist" },
		"empty CA":       func(c *Config) { c.CA = os.DevNull },
	} {
		conf := good()
		change(&conf)
		if _, err := NewProvider(conf, "https://x", time.Now); err == nil {
			t.Errorf("%s: NewProvider has no objection", name)
		}
	}
}

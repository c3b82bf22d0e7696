package people

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/testenv/ports"
)

// glewlwyd is a real OpenID provider, from Debian, with a folder of its own.
type glewlwyd struct {
	t    *testing.T
	base string
	// admin and grace are browsers of two people.
	admin, grace *http.Client
}

// What Debian's package brings along.
const (
	glewlwydSchema = "/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz"
	glewlwydConfig = "/usr/share/doc/glewlwyd/glewlwyd.conf.sample.gz"
	// glewlwydGroups gives people a list of groups.
	glewlwydGroups = `UPDATE g_user_module_instance SET gumi_parameters = json_set(gumi_parameters, '$."data-format".groups', json('{"multiple":true,"read":true,"write":true}'));`
)

func unzipped(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("needs the package glewlwyd: a real provider (%v)", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	raw, err := io.ReadAll(z)
	must(t, err)
	return string(raw)
}

func startGlewlwyd(t *testing.T) *glewlwyd {
	t.Helper()
	for _, tool := range []string{"glewlwyd", "sqlite3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: a real provider", tool)
		}
	}
	free, err := ports.Free(1)
	must(t, err)
	dir, address := t.TempDir(), free[0]
	db := exec.Command("sqlite3", filepath.Join(dir, "g.db"))
	db.Stdin = strings.NewReader(unzipped(t, glewlwydSchema) + glewlwydGroups)
	if out, err := db.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, port, _ := net.SplitHostPort(address)
	conf := strings.NewReplacer("port=4593", "port="+port, `#bind_address="127.0.0.1"`, `bind_address="127.0.0.1"`, `external_url="http://localhost:4593"`, fmt.Sprintf("external_url=%q", "http://"+address),
		`cookie_domain="localhost"`, `cookie_domain="127.0.0.1"`, "cookie_secure=1", "cookie_secure=0", "/var/cache/glewlwyd/glewlwyd.db", filepath.Join(dir, "g.db")).Replace(unzipped(t, glewlwydConfig))
	must(t, os.WriteFile(filepath.Join(dir, "g.conf"), []byte(conf), 0o600))
	cmd := exec.Command("glewlwyd", "--config-file="+filepath.Join(dir, "g.conf"))
	log, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); log.Close() })
	g := &glewlwyd{t: t, base: "http://" + address + "/api", admin: newBrowser(t), grace: newBrowser(t)}
	g.waitUp(log.Name())
	return g
}

func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (g *glewlwyd) waitUp(log string) {
	g.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(strings.TrimSuffix(g.base, "/api") + "/config")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			raw, _ := os.ReadFile(log)
			g.t.Fatalf("glewlwyd did not come up: %v\n%s", err, raw)
		}
	}
}

func (g *glewlwyd) ask(as *http.Client, method, path string, in any) {
	g.t.Helper()
	raw, err := json.Marshal(in)
	must(g.t, err)
	r, err := http.NewRequest(method, g.base+path, bytes.NewReader(raw))
	must(g.t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := as.Do(r)
	must(g.t, err)
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		g.t.Fatalf("%s %s = %d %s", method, path, resp.StatusCode, body)
	}
}

type object = map[string]any

// setUp makes the plugin, a person with groups, and the client that Plumb is.
func (g *glewlwyd) setUp() {
	g.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(g.t, err)
	private, err := x509.MarshalECPrivateKey(key)
	must(g.t, err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	must(g.t, err)
	claim := func(name, property string) object {
		return object{"name": name, "user-property": property, "type": "string", "mandatory": true, "on-demand": false, "scope": []string{}}
	}
	g.ask(g.admin, "POST", "/auth/", object{"username": "admin", "password": "password"})
	g.ask(g.admin, "POST", "/mod/plugin/", object{"module": "oidc", "name": "oidc", "display_name": "oidc", "order_rank": 0, "readonly": false, "parameters": object{
		"iss": g.base + "/oidc", "jwt-type": "ecdsa", "jwt-key-size": "256", "subject-type": "public", "jwks-show": true, "allowed-scope": []string{"openid"},
		"key":                   string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})),
		"cert":                  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"access-token-duration": 3600, "refresh-token-duration": 3600, "code-duration": 600, "refresh-token-rolling": false, "allow-non-oidc": false,
		"auth-type-code-enabled": true, "auth-type-token-enabled": false, "auth-type-id-token-enabled": true, "auth-type-none-enabled": false,
		"auth-type-password-enabled": false, "auth-type-client-enabled": false, "auth-type-device-enabled": false, "auth-type-refresh-enabled": false,
		"scope": []string{}, "additional-parameters": []string{}, "claims": []object{claim("groups", "groups"), claim("preferred_username", "username")},
		"name-claim": "mandatory", "email-claim": "no", "scope-claim": "no", "pkce-allowed": true, "pkce-method-plain-allowed": false, "pkce-required": true, "oauth-as-iss-id": true,
		"introspection-revocation-allowed": false, "register-client-allowed": false, "session-management-allowed": false, "request-parameter-allow": false,
	}})
	g.ask(g.admin, "POST", "/user/", object{"username": "grace", "password": good, "name": "Grace", "scope": []string{"openid", "g_profile"}, "enabled": true, "groups": []string{"staff", "plumb-operators"}})
	g.ask(g.admin, "POST", "/client/", object{"client_id": "plumb", "name": "Plumb", "confidential": true, "client_secret": "s3cret", "enabled": true, "scope": []string{},
		"redirect_uri": []string{"https://plumb.example.org" + CallbackPath}, "authorization_type": []string{"code"}, "token_endpoint_auth_method": []string{"client_secret_basic"}})
	g.ask(g.grace, "POST", "/auth/", object{"username": "grace", "password": good})
	g.ask(g.grace, "PUT", "/auth/grant/plumb/", object{"scope": "openid"})
}

// follow goes where Plumb sends the browser. Grace is signed in there and has said yes, so the
// script of the provider's own page would only go on; this does.
func (g *glewlwyd) follow(address string) url.Values {
	g.t.Helper()
	resp, err := g.grace.Get(address + "&g_continue")
	must(g.t, err)
	resp.Body.Close()
	back, err := resp.Location()
	must(g.t, err)
	if back.Host != "plumb.example.org" || back.Path != CallbackPath {
		g.t.Fatalf("the provider leads to %s", back)
	}
	return back.Query()
}

// TestRealProvider signs somebody in by a provider that others wrote.
func TestRealProvider(t *testing.T) {
	g := startGlewlwyd(t)
	g.setUp()
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("s3cret"), 0o600))
	p, err := NewProvider(Config{Issuer: g.base + "/oidc", ClientID: "plumb", ClientSecretFile: secret, Scopes: []string{"openid"},
		Roles: map[string]string{"plumb-operators": "operator"}}, "https://plumb.example.org", time.Now)
	must(t, err)
	flow, address, err := p.Begin(t.Context())
	must(t, err)
	query := g.follow(address)
	who, err := p.Finish(t.Context(), query, flow)
	if err != nil {
		t.Fatalf("Finish = %v (%v)", err, Reason(err))
	}
	if who.Issuer != g.base+"/oidc" || who.Subject == "" || !strings.HasPrefix(who.Name, "grace@") || who.Role != "operator" {
		t.Errorf("Finish = %+v", who)
	}
	if _, err := p.Finish(t.Context(), query, flow); kindOf(err) != Denied {
		t.Errorf("the code once more: %v (%v), want a refusal", err, Reason(err))
	}
	stolen := g.follow(mustBegin(t, p))
	stolen.Set("state", state(flow)) // somebody else's code, in one's own browser
	if _, err := p.Finish(t.Context(), stolen, flow); kindOf(err) != Denied {
		t.Errorf("a code of another flow: %v (%v), want a refusal", err, Reason(err))
	}
}

func mustBegin(t *testing.T, p *Provider) string {
	t.Helper()
	_, address, err := p.Begin(t.Context())
	must(t, err)
	return address
}

package server_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies/compiler"
	"plumb/server"
	"plumb/server/api"
	"plumb/server/authority"
	"plumb/server/store"
	"plumb/server/web"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compiler.Argument {
		os.Exit(compiler.Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// running is a real server on loopback.
type running struct {
	data  string
	at    api.Addresses
	keys  *authority.Authority
	local *api.Client
	// stop ends the server.
	stop func()

	callersMade int
}

func start(t *testing.T) *running {
	t.Helper()
	r := &running{data: t.TempDir()}
	r.run(t)
	t.Cleanup(func() { r.stop() })
	var err error
	if r.keys, err = authority.Open(filepath.Join(r.data, "keys"), time.Now()); err != nil {
		t.Fatal(err)
	}
	r.local = api.LocalClient(r.data)
	return r
}

// run starts a server on the data.
func (r *running) run(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	conf := server.Config{Data: r.data, Name: "127.0.0.1", Listen: "127.0.0.1:0", AgentListen: "127.0.0.1:0", SSHListen: "127.0.0.1:0"}
	ready, done := make(chan api.Addresses, 1), make(chan error, 1)
	go func() {
		done <- server.Run(ctx, conf, "test", slog.New(slog.DiscardHandler), func(at api.Addresses) { ready <- at })
	}()
	r.stop = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	select {
	case r.at = <-ready:
	case err := <-done:
		done <- nil
		t.Fatalf("the server ended: %v", err)
	}
}

// meanwhile ends the server, has something written to its store, and starts it again, with other ports: what a server
// keeps of its store in memory, it keeps up with by its own writes.
func (r *running) meanwhile(t *testing.T, write func(*store.Store)) {
	t.Helper()
	r.stop()
	s, err := store.Open(t.Context(), filepath.Join(r.data, "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	write(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r.run(t)
}

func (r *running) ask(t *testing.T, method, path string, in, out any) {
	t.Helper()
	if err := r.local.Call(t.Context(), method, path, in, out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// client makes requests through one door, as one kind of caller.
type client struct {
	http   *http.Client
	base   string
	header http.Header
}

func (r *running) overTLS(base string, certs ...tls.Certificate) client {
	// Every caller comes from an address of its own, so that none uses up another's requests.
	r.callersMade++
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(r.callersMade))}}
	transport := &http.Transport{DialContext: from.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: r.keys.CAPool(), ServerName: protocol.ServerName, Certificates: certs}}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client{http: &http.Client{Transport: transport, CheckRedirect: stay, Timeout: 20 * time.Second}, base: "https://" + base, header: http.Header{}}
}

// hostKey is an enrolled host's key with its certificate.
func hostKey(t *testing.T) (ed25519.PrivateKey, string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func pair(t *testing.T, certPEM []byte, key ed25519.PrivateKey) tls.Certificate {
	t.Helper()
	block, _ := pem.Decode(certPEM)
	return tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}
}

// enroll makes a host the way an agent does, and returns its certificate.
func (r *running) enroll(t *testing.T, name string) (tls.Certificate, inventory.HostID, string, ed25519.PrivateKey) {
	t.Helper()
	var made api.TokenMade
	r.ask(t, "POST", "/v1/tokens", api.TokenRequest{Name: name}, &made)
	token, err := protocol.ParseToken(made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	key, csr := hostKey(t)
	var in protocol.Enrolled
	code := r.overTLS(r.at.People).do(t, "POST", protocol.PathEnroll, protocol.Enrollment{Secret: token.Secret, Name: name, CSR: csr}, &in)
	if code != http.StatusOK {
		t.Fatalf("enrolling %s: %d", name, code)
	}
	return pair(t, []byte(in.Certificate), key), in.Host.ID, csr, key
}

func (c client) do(t *testing.T, method, path string, in, out any) int {
	t.Helper()
	code, body, err := c.try(method, path, in)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			t.Fatalf("%s %s: %s: %v", method, path, body, err)
		}
	}
	return code
}

func (c client) try(method, path string, in any) (int, []byte, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, c.base+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	req.Header = c.header.Clone()
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// callers makes one of every kind of caller. The value says which accesses are its own; a
// caller without any must not get past the first check of any route that is not open.
func (r *running) callers(t *testing.T) map[string]struct {
	client
	may []api.Access
} {
	t.Helper()
	type caller = struct {
		client
		may []api.Access
	}
	good, _, _, _ := r.enroll(t, "good")
	revoked, _, _, _ := r.enroll(t, "revoked")
	r.ask(t, "POST", "/v1/hosts/revoked/revoke", struct{}{}, nil)
	_, id, csr, key := r.enroll(t, "late")
	past, _, err := r.keys.IssueHost(id, csr, time.Now().Add(-8*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := authority.Open(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	forged, _, err := foreign.IssueHost(id, csr, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	otherKey, otherCSR := hostKey(t)
	stolen, _, err := r.keys.IssueHost(id, otherCSR, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	unknown, _, err := r.keys.IssueHost("00000000-0000-4000-8000-000000000000", otherCSR, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]caller{
		"stranger at people":    {r.overTLS(r.at.People), nil},
		"stranger at agents":    {r.overTLS(r.at.Agents), nil},
		"host":                  {r.overTLS(r.at.Agents, good), []api.Access{api.Host}},
		"host at people":        {r.overTLS(r.at.People, good), nil},
		"revoked host":          {r.overTLS(r.at.Agents, revoked), nil},
		"expired host":          {r.overTLS(r.at.Agents, pair(t, past, key)), nil},
		"host of a foreign CA":  {r.overTLS(r.at.Agents, pair(t, forged, key)), nil},
		"other key, same host":  {r.overTLS(r.at.Agents, pair(t, stolen, otherKey)), nil},
		"host that is unknown":  {r.overTLS(r.at.Agents, pair(t, unknown, otherKey)), nil},
		"garbage bearer token":  {r.bearer("plumb_nothing"), nil},
		"enrolment token":       {r.bearer(r.enrolSecret(t)), nil},
		"revoked bearer token":  {r.bearer(r.revokedToken(t)), nil},
		"garbage session":       {r.session(t, "nothing"), nil},
		"local administrator":   {r.socket(), []api.Access{api.Viewer, api.Auditor, api.Operator, api.Admin, api.Local}},
		"viewer":                {r.person(t, "viewer"), []api.Access{api.Viewer}},
		"auditor":               {r.person(t, "auditor"), []api.Access{api.Viewer, api.Auditor}},
		"operator":              {r.person(t, "operator"), []api.Access{api.Viewer, api.Auditor, api.Operator}},
		"admin":                 {r.person(t, "admin"), []api.Access{api.Viewer, api.Auditor, api.Operator, api.Admin}},
		"viewer, by the cookie": {r.signedIn(t, "viewer"), []api.Access{api.Viewer}},
	}
	return all
}

func (r *running) bearer(secret string) client {
	c := r.overTLS(r.at.People)
	c.header.Set("Authorization", "Bearer "+secret)
	return c
}

func (r *running) person(t *testing.T, role string) client {
	t.Helper()
	var made api.TokenMade
	r.ask(t, "POST", "/v1/tokens", api.TokenRequest{Name: "a-" + role, Role: role}, &made)
	return r.bearer(made.Secret)
}

func (r *running) enrolSecret(t *testing.T) string {
	t.Helper()
	var made api.TokenMade
	r.ask(t, "POST", "/v1/tokens", api.TokenRequest{}, &made)
	token, err := protocol.ParseToken(made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return token.Secret
}

func (r *running) revokedToken(t *testing.T) string {
	t.Helper()
	var made api.TokenMade
	r.ask(t, "POST", "/v1/tokens", api.TokenRequest{Name: "x", Role: "admin"}, &made)
	r.ask(t, "POST", "/v1/tokens/"+made.Token.ID+"/revoke", struct{}{}, nil)
	return made.Secret
}

func (r *running) session(t *testing.T, value string) client {
	t.Helper()
	c := r.overTLS(r.at.People)
	c.header.Set("Cookie", api.SessionCookie+"="+value)
	return c
}

// signedIn follows a sign-in link as a browser does.
func (r *running) signedIn(t *testing.T, role string) client {
	t.Helper()
	var link api.Link
	r.ask(t, "POST", "/v1/signin-links", api.LinkRequest{Name: "somebody", Role: role}, &link)
	c := r.overTLS(r.at.People)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.http.Jar = jar
	u, err := url.Parse(link.URL)
	if err != nil {
		t.Fatal(err)
	}
	if code, body, err := c.try("GET", u.Path, nil); err != nil || code != http.StatusSeeOther {
		t.Fatalf("signing in: %d, %v: %s", code, err, body)
	}
	return c
}

func (r *running) socket() client {
	return client{http: api.SocketHTTP(r.data), base: "http://local", header: http.Header{}}
}

// TestOnlyDeclaredCellsAnswer walks every route of the table with every kind of caller.
func TestOnlyDeclaredCellsAnswer(t *testing.T) {
	r := start(t)
	table := (&api.API{}).Routes(web.Pages{}.Routes()...)
	if len(table) < 30 {
		t.Fatalf("the table has only %d routes", len(table))
	}
	cells := 0
	for name, c := range r.callers(t) {
		for _, route := range table {
			if strings.HasPrefix(route.Path, "/signin/") || route.Path == "/signout" {
				continue // they end a session, which the other cells need
			}
			cells++
			open := route.Access == api.Open
			for _, a := range c.may {
				open = open || a == route.Access
			}
			if got, why := r.passes(t, c.client, route); got != open && !(route.Access == api.Open && !got && len(c.may) == 0) {
				t.Errorf("%s at %s %s (%s): passed = %v, want %v: %s", name, route.Method, route.Path, route.Access, got, open, why)
			}
		}
	}
	t.Logf("%d cells", cells)
}

// TestUndeclaredMethodsDoNothing walks the methods that the table does not have, at each of its paths:
// all of them as the caller who may do everything, one of them as a host.
func TestUndeclaredMethodsDoNothing(t *testing.T) {
	r := start(t)
	declared := map[string][]string{}
	table := (&api.API{}).Routes(web.Pages{}.Routes()...)
	for _, route := range table {
		for _, other := range table {
			if covers(other.Path, named(route.Path)) { // /signin/:code is also /signin/oidc
				declared[route.Path] = append(declared[route.Path], other.Method)
			}
		}
	}
	cert, _, _, _ := r.enroll(t, "h1")
	host, cells := r.overTLS(r.at.Agents, cert), 0
	for path, methods := range declared {
		tried := 0
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get"} {
			if slices.Contains(methods, method) {
				continue
			}
			callers := []client{r.socket()}
			if tried++; tried == 1 {
				callers = append(callers, host)
			}
			for _, c := range callers {
				cells++
				code, body, err := c.try(method, named(path), map[string]string{})
				if err != nil || code != http.StatusMethodNotAllowed && code != http.StatusNotFound && code != http.StatusTooManyRequests {
					t.Errorf("%s %s, of which the table has %v: %d, %v: %.100s", method, path, methods, code, err, body)
				}
			}
		}
	}
	t.Logf("%d cells", cells)
}

// covers tells whether a path of the table stands for an address.
func covers(path, address string) bool {
	want, have := strings.Split(path, "/"), strings.Split(address, "/")
	return slices.EqualFunc(want, have, func(w, h string) bool { return w == h || strings.HasPrefix(w, ":") })
}

// named is a path with something in the place of each name.
func named(path string) string {
	return strings.NewReplacer(":digest", strings.Repeat("0", 64), ":number", "1", ":name", "nobody", ":id", "nothing", ":hash", "x").Replace(path)
}

// passes tells whether the request got past identity and access to the route's own code.
// Waiting out a full bucket keeps the rate limit from answering in its place.
func (r *running) passes(t *testing.T, c client, route api.Route) (bool, string) {
	t.Helper()
	path := named(route.Path)
	for {
		code, body, err := c.try(route.Method, path, map[string]string{"surely": "no field of anything"})
		if err != nil {
			return false, err.Error()
		}
		if code == http.StatusTooManyRequests {
			time.Sleep(200 * time.Millisecond)
			continue
		}
		refused := code == http.StatusUnauthorized || (code == http.StatusForbidden && isDenial(body))
		return !refused, fmt.Sprintf("%d %.200s", code, body)
	}
}

func isDenial(body []byte) bool {
	for _, words := range []string{"this needs the access", "this host was revoked", "does not know this host", "not the key that the host enrolled with", "is not signed in", "needs the access"} {
		if bytes.Contains(bytes.ToLower(body), []byte(words)) {
			return true
		}
	}
	return false
}

func TestUnknownAddressSpeaksTheLanguageOfItsCaller(t *testing.T) {
	r := start(t)
	c := r.overTLS(r.at.People)
	for path, want := range map[string]string{"/v1/nothing": `{"error":`, "/nothing": "<!DOCTYPE html>"} {
		code, body, err := c.try("GET", path, nil)
		if err != nil || code != http.StatusNotFound || !strings.HasPrefix(string(body), want) {
			t.Errorf("GET %s = %d, %v, %.60s; want 404 and %s", path, code, err, body, want)
		}
	}
}

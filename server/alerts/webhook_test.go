package alerts

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plumb/server/store"
)

// silent is a bench with one silent host that a station has seen.
func silent(t *testing.T, c Config) (*bench, *Station) {
	t.Helper()
	b := newBench(t)
	b.host("web1")
	s := b.station(c)
	b.silence()
	b.must(s.Step(t.Context(), b.now))
	return b, s
}

func (b *bench) delivery(n int) store.Delivery {
	b.Helper()
	all, err := b.store.Deliveries(b.Context(), store.DeliveryFilter{})
	b.must(err)
	return all[len(all)-1-n]
}

func TestWebhookIsSigned(t *testing.T) {
	r := newReceiver(t)
	b, s := silent(t, r.hook(nil))
	b.must(s.deliver(t.Context(), s.sinks[0]))
	got := r.all()[0]
	signature := got.header.Get(SignatureHeader)
	b.must(Verify("s3cret", signature, got.body, b.now, time.Minute))
	var m Message
	b.must(json.Unmarshal(got.body, &m))
	if m.What != Opened || m.Alert.Subject != "web1" || m.Alert.Kind != HostSilent || m.Server != "plumb.example" || m.ID != got.header.Get(DeliveryHeader) {
		t.Errorf("message = %+v", m)
	}
	for name, err := range map[string]error{
		"other secret":       Verify("other", signature, got.body, b.now, time.Minute),
		"other body":         Verify("s3cret", signature, append(got.body, ' '), b.now, time.Minute),
		"replayed":           Verify("s3cret", signature, got.body, b.now.Add(2*time.Minute), time.Minute),
		"moved in time":      Verify("s3cret", strings.Replace(signature, "t=1", "t=2", 1), got.body, b.now, 100*365*24*time.Hour),
		"not signed":         Verify("s3cret", "", got.body, b.now, time.Minute),
		"signed with v0":     Verify("s3cret", strings.Replace(signature, "v1", "v0", 1), got.body, b.now, time.Minute),
		"half the signature": Verify("s3cret", signature[:len(signature)-2], got.body, b.now, time.Minute),
	} {
		if err == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

func TestRetriesInOrderWithOneID(t *testing.T) {
	r := newReceiver(t)
	r.answer = func(n int, w http.ResponseWriter) {
		if n <= 2 {
			w.WriteHeader(http.StatusBadGateway)
		}
	}
	b, s := silent(t, r.hook(nil))
	b.must(s.deliver(t.Context(), s.sinks[0]))
	b.must(s.deliver(t.Context(), s.sinks[0])) // not due yet
	if d := b.delivery(0); len(r.all()) != 1 || d.State != store.DeliveryPending || d.Attempts != 1 || d.Answer != "it answered 502" {
		t.Fatalf("after one attempt: %d requests, %+v", len(r.all()), d)
	}
	// The alert is over before the receiver heard of it.
	b.calls("id-web1")
	b.must(s.Step(t.Context(), b.now))
	b.now = b.now.Add(standardSettle)
	b.must(s.Step(t.Context(), b.now))
	b.must(s.deliver(t.Context(), s.sinks[0]))
	b.now = b.now.Add(time.Minute)
	b.must(s.deliver(t.Context(), s.sinks[0]))
	var whats, ids []string
	for _, one := range r.all() {
		var m Message
		b.must(json.Unmarshal(one.body, &m))
		whats, ids = append(whats, m.What), append(ids, m.ID)
	}
	b.same("what was told", whats, []string{Opened, Opened, Opened, Closed})
	if ids[0] != ids[1] || ids[1] != ids[2] || ids[2] == ids[3] {
		t.Errorf("ids = %v, want one for all attempts of one message", ids)
	}
	b.same("outcomes", s.Outcomes(), map[string]int{"delivered": 2, "retried": 2, "failed": 0, "skipped": 0})
}

func TestGivesUpAfterADay(t *testing.T) {
	r := newReceiver(t)
	r.answer = func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }
	b, s := silent(t, r.hook(nil))
	for range 200 {
		b.must(s.deliver(t.Context(), s.sinks[0]))
		d := b.delivery(0)
		if d.State != store.DeliveryPending {
			break
		}
		if early := d.Next.Sub(b.now); early <= 0 || early > longWait {
			t.Fatalf("after %d attempts it waits %s", d.Attempts, early)
		}
		b.now = d.Next
	}
	d := b.delivery(0)
	if age := d.Done.Sub(d.Made); d.State != store.DeliveryFailed || age < patience || age > patience+longWait {
		t.Errorf("after %d attempts and %s: %s", d.Attempts, age, d.State)
	}
	if n := len(r.all()); n < 24 || n > 80 {
		t.Errorf("%d attempts in a day", n)
	}
}

func TestWait(t *testing.T) {
	for name, c := range map[string]struct {
		attempts int
		chance   float64
		want     time.Duration
	}{
		"first": {1, 0, 5 * time.Second}, "first, soon": {1, 1, 2500 * time.Millisecond}, "third": {3, 0, 20 * time.Second},
		"tenth": {10, 0, 2560 * time.Second}, "later": {11, 0, time.Hour}, "much later": {1000, 0.5, 45 * time.Minute},
	} {
		if got := wait(c.attempts, c.chance); got != c.want {
			t.Errorf("%s: wait(%d, %g) = %s, want %s", name, c.attempts, c.chance, got, c.want)
		}
	}
}

// TestNoPrivateAddress holds that nothing is sent, also when only the resolver says where to.
func TestNoPrivateAddress(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	connected := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			connected <- struct{}{}
			conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	// localhost is a name that leads to a private address, as one under an attacker's control may.
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "0x7f.1", "2130706433", "[64:ff9b::7f00:1]"} {
		hook := Webhook{Name: "ops", URL: Secret("https://" + host + ":" + port), Secret: "x"}
		c, err := newCaller(hook)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.tell(t.Context(), Message{}, noon); err == nil {
			t.Errorf("%s was told", host)
		}
		if host == "127.0.0.1" || host == "localhost" {
			hook.AllowPrivate = true // the same is connected to, so that it is the guard that stops it
			if c, err = newCaller(hook); err != nil {
				t.Fatal(err)
			}
			_, _ = c.tell(t.Context(), Message{}, noon)
			select {
			case <-connected:
			case <-time.After(5 * time.Second):
				t.Errorf("%s was not connected to with allow_private", host)
			}
			for len(connected) > 0 { // a name may have two addresses
				<-connected
			}
		}
	}
	time.Sleep(50 * time.Millisecond)
	if n := len(connected); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestReachable(t *testing.T) {
	for text, want := range map[string][2]bool{ // without and with allow_private
		"93.184.216.34": {true, true}, "2606:4700::1111": {true, true}, "64:ff9b::5db8:d822": {true, true}, "2002:5db8:d822::1": {true, true},
		"127.0.0.1": {false, true}, "127.255.0.1": {false, true}, "::1": {false, true}, "10.0.0.1": {false, true}, "172.16.0.1": {false, true},
		"172.32.0.1": {true, true}, "192.168.1.1": {false, true}, "fd00::1": {false, true}, "100.64.0.1": {false, true}, "fec0::1": {false, true},
		"::ffff:10.0.0.1": {false, true}, "::ffff:93.184.216.34": {true, true}, "::ffff:100.100.100.200": {}, "64:ff9b::a00:1": {false, true}, "2002:0a00:0001::": {false, true}, "::10.0.0.1": {false, true},
		"169.254.169.254": {}, "fe80::1": {}, "::ffff:169.254.169.254": {}, "64:ff9b::a9fe:a9fe": {}, "fd00:ec2::254": {}, "100.100.100.200": {},
		"168.63.129.16": {}, "0.0.0.0": {}, "::": {}, "0.1.2.3": {}, "224.0.0.1": {}, "255.255.255.255": {}, "ff02::1": {}, "240.0.0.1": {},
		"198.18.0.1": {}, "192.0.2.1": {}, "2001:db8::1": {}, "2001::1": {}, "100::1": {}, "4000::1": {}, "fe80::1%eth0": {},
	} {
		ip := netip.MustParseAddr(text)
		if got := [2]bool{reachable(ip, false), reachable(ip, true)}; got != want {
			t.Errorf("reachable(%s) = %v, want %v", text, got, want)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	inside := newReceiver(t)
	for _, code := range []int{301, 302, 303, 307, 308} {
		r := newReceiver(t)
		r.answer = func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", inside.URL)
			w.WriteHeader(code)
		}
		c, err := newCaller(r.hook(nil).Webhooks[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.tell(t.Context(), Message{}, noon); err == nil || err.Error() != fmt.Sprintf("it answered %d", code) {
			t.Errorf("tell() = %v, want that it answered %d", err, code)
		}
	}
	if n := len(inside.all()); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestCertificateMustBeTrusted(t *testing.T) {
	r := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	defer r.Close()
	hook := Webhook{Name: "ops", URL: Secret(r.URL), Secret: "x", AllowPrivate: true}
	tell := func() error {
		c, err := newCaller(hook)
		if err != nil {
			return err
		}
		_, err = c.tell(t.Context(), Message{}, noon)
		return err
	}
	if err := tell(); err == nil || err.Error() != "its certificate is not one to trust" {
		t.Errorf("tell() = %v, want that the certificate is not trusted", err)
	}
	hook.CA = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(hook.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tell(); err != nil {
		t.Errorf("tell() = %v with its certificate in ca", err)
	}
}

// TestProxyIsNotUsed: a proxy would connect where the guard cannot see.
func TestProxyIsNotUsed(t *testing.T) {
	proxy, r := newReceiver(t), newReceiver(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	c, err := newCaller(r.hook(nil).Webhooks[0])
	if err != nil {
		t.Fatal(err)
	}
	if c.http.Transport.(*http.Transport).Proxy != nil {
		t.Error("the transport has a proxy")
	}
	if _, err := c.tell(t.Context(), Message{}, noon); err != nil || len(proxy.all()) > 0 || len(r.all()) != 1 {
		t.Errorf("tell() = %v, the proxy had %d requests, the receiver %d", err, len(proxy.all()), len(r.all()))
	}
}

func TestLongAnswerIsNotRead(t *testing.T) {
	var sent atomic.Int64
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		junk := make([]byte, 64<<10)
		for req.Context().Err() == nil && sent.Load() < 1<<30 {
			n, err := w.Write(junk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	defer r.Close()
	c, err := newCaller(Webhook{Name: "ops", URL: Secret(r.URL), Secret: "x", AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.tell(t.Context(), Message{}, noon); err != nil {
		t.Fatal(err)
	}
	if n := sent.Load(); n > 100<<20 {
		t.Errorf("%d bytes of an answer were read", n)
	}
}

// TestSecretsStayIn looks for them in all that people get to see.
func TestSecretsStayIn(t *testing.T) {
	const canary, path = "canary-secret", "canary-path"
	r := newReceiver(t)
	r.answer = func(_ int, w http.ResponseWriter) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, canary)
	}
	hooks := map[string]string{"refuses": r.URL + "/" + path, "is closed": "http://127.0.0.1:1/" + path, "has no name": "http://nowhere.invalid/" + path, "is private": ""}
	var config Config
	for name, where := range hooks {
		w := Webhook{Name: strings.ReplaceAll(name, " ", "-"), URL: Secret(where), Secret: canary, AllowPrivate: true}
		if where == "" {
			w.URL, w.AllowPrivate = Secret("https://localhost:1/"+path), false
		}
		config.Webhooks = append(config.Webhooks, w)
	}
	b, s := silent(t, config)
	for range 60 { // until they are given up, which is logged
		for _, one := range s.sinks {
			b.must(s.deliver(t.Context(), one))
		}
		b.now = b.now.Add(time.Hour)
	}
	all, err := b.store.Deliveries(t.Context(), store.DeliveryFilter{})
	b.must(err)
	var told strings.Builder
	for _, d := range all {
		if d.State != store.DeliveryFailed {
			t.Errorf("%s: %+v, want it given up", d.Sink, d)
		}
		fmt.Fprintf(&told, "%+v\n", d)
	}
	_, err = s.Test(t.Context(), "refuses", "ada")
	b.must(err)
	raw, err := json.Marshal(config)
	b.must(err)
	wrong := config
	wrong.Webhooks = append(slices.Clone(wrong.Webhooks), Webhook{Name: "x", URL: "https://a:" + canary + "@h/" + path, Secret: canary})
	fmt.Fprintf(&told, "%v %+v %#v %s %s %v %v", config, config, config, raw, b.log.String(), s.Sinks(), wrong.Check())
	b.station(Config{}).Log.Info("settings", "config", config, "hook", config.Webhooks[0], "secret", config.Webhooks[0].Secret)
	told.WriteString(b.log.String())
	if !strings.Contains(told.String(), "could not be delivered") || !strings.Contains(told.String(), "it answered 403") {
		t.Errorf("too little was told:\n%s", told.String())
	}
	for _, word := range []string{canary, path} {
		if i := strings.Index(told.String(), word); i >= 0 {
			t.Errorf("%s came out: %.300s", word, told.String()[max(0, i-100):])
		}
	}
}

func TestCheck(t *testing.T) {
	good := Webhook{Name: "ops", URL: "https://h.example/x", Secret: "s"}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"good":           {func(*Config) {}, ""},
		"http":           {func(c *Config) { c.Webhooks[0].URL = "http://h.example" }, "must be https"},
		"http inside":    {func(c *Config) { c.Webhooks[0].URL, c.Webhooks[0].AllowPrivate = "http://h.example", true }, ""},
		"file":           {func(c *Config) { c.Webhooks[0].URL = "file:///etc/passwd" }, "looks like"},
		"gopher":         {func(c *Config) { c.Webhooks[0].URL = "gopher://h/x" }, "must be https"},
		"no secret":      {func(c *Config) { c.Webhooks[0].Secret = "" }, "needs a secret"},
		"slack":          {func(c *Config) { c.Webhooks[0].Kind, c.Webhooks[0].Secret = "slack", "" }, ""},
		"kind":           {func(c *Config) { c.Webhooks[0].Kind = "fax" }, `kind "fax"`},
		"user":           {func(c *Config) { c.Webhooks[0].Kind = "zendesk" }, "needs a user"},
		"project":        {func(c *Config) { c.Webhooks[0].Kind, c.Webhooks[0].User = "jira", "u" }, "needs a project"},
		"event":          {func(c *Config) { c.Webhooks[0].Events = []string{"rain"} }, `"rain"`},
		"severity":       {func(c *Config) { c.Webhooks[0].MinSeverity = "bad" }, `"bad"`},
		"name":           {func(c *Config) { c.Webhooks[0].Name = "a b" }, "small letters"},
		"twice":          {func(c *Config) { c.Webhooks = append(c.Webhooks, good) }, "two receivers"},
		"called syslog":  {func(c *Config) { c.Webhooks[0].Name = "syslog" }, "two receivers"},
		"settle":         {func(c *Config) { c.Settle = -1 }, "settle_minutes"},
		"syslog":         {func(c *Config) { c.Syslog = &Syslog{Address: "h:514"} }, ""},
		"syslog address": {func(c *Config) { c.Syslog = &Syslog{Address: "h"} }, "host:port"},
		"syslog format":  {func(c *Config) { c.Syslog = &Syslog{Address: "h:1", Format: "leef"} }, "leef"},
		"tls over udp":   {func(c *Config) { c.Syslog = &Syslog{Address: "h:1", Network: "udp", TLS: true} }, "over tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := Config{Webhooks: []Webhook{good}}
			c.change(&conf)
			got := fmt.Sprint(conf.Check())
			if c.want == "" && got != "<nil>" || !strings.Contains(got, c.want) {
				t.Errorf("Check() = %s, want %q", got, c.want)
			}
		})
	}
}

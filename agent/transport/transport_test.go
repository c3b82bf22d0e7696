package transport_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/agent/testserver"
	"plumb/agent/transport"
)

// evil is a TLS server with that configuration that notes whether a request ever reached it.
func evil(t *testing.T, config *tls.Config, handler http.HandlerFunc) (address string, reached *atomic.Bool) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	reached = &atomic.Bool{}
	web := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Store(true)
		if handler != nil {
			handler(w, r)
		}
	})}
	go web.Serve(l)
	t.Cleanup(func() { web.Close() })
	return l.Addr().String(), reached
}

func clients(t *testing.T, ca *testserver.CA, address string) map[string]*transport.Client {
	t.Helper()
	enrolled, err := transport.HTTPS(address, ca.PEM(), ca.Certificate(t, &x509.Certificate{}), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*transport.Client{"enrolled": enrolled, "enrolling": transport.EnrollHTTPS(address, ca.Digest(), time.Now)}
}

// T01: none of six false servers gets a single byte of a request.
func TestFalseServersAreRefused(t *testing.T) {
	ca, other := testserver.NewCA(t), testserver.NewCA(t)
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	names := []string{protocol.ServerName}
	past := time.Now().Add(-time.Hour)
	selfSigned := other.Certificate(t, &x509.Certificate{DNSNames: names, ExtKeyUsage: server})
	selfSigned.Certificate = selfSigned.Certificate[:1]
	mixed := other.Certificate(t, &x509.Certificate{DNSNames: names, ExtKeyUsage: server})
	mixed.Certificate = append(mixed.Certificate[:1], ca.Server(t, "x").Certificate[1]) // shows our CA, belongs to another
	for name, cert := range map[string]tls.Certificate{
		"self-signed":         selfSigned,
		"other authority":     other.Server(t, protocol.ServerName),
		"shows our authority": mixed,
		"expired":             ca.Certificate(t, &x509.Certificate{DNSNames: names, ExtKeyUsage: server, NotBefore: past.Add(-time.Hour), NotAfter: past}),
		"not yet valid":       ca.Certificate(t, &x509.Certificate{DNSNames: names, ExtKeyUsage: server, NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)}),
		"wrong name":          ca.Server(t, "server.example.org"),
		"a host's":            ca.Certificate(t, &x509.Certificate{DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}),
	} {
		t.Run(name, func(t *testing.T) {
			address, reached := evil(t, &tls.Config{Certificates: []tls.Certificate{cert}}, nil)
			for who, c := range clients(t, ca, address) {
				if _, err := c.CheckIn(context.Background(), protocol.CheckIn{}); err == nil || reached.Load() {
					t.Errorf("%s: the server was believed: %v", who, err)
				}
			}
		})
	}
}

func TestRightServerIsBelieved(t *testing.T) {
	ca := testserver.NewCA(t)
	address, _ := evil(t, &tls.Config{Certificates: []tls.Certificate{ca.Server(t, protocol.ServerName)}},
		func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"interval":7}`) })
	for who, c := range clients(t, ca, address) {
		if answer, err := c.CheckIn(context.Background(), protocol.CheckIn{}); err != nil || answer.Interval != 7 {
			t.Errorf("%s: CheckIn = %+v, %v", who, answer, err)
		}
	}
}

// T02: nothing but TLS 1.3, and no way to somewhere else.
func TestDowngradesAreRefused(t *testing.T) {
	ca := testserver.NewCA(t)
	cert := ca.Server(t, protocol.ServerName)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { t.Error("it went elsewhere") })}
	go elsewhere.Serve(plain)
	t.Cleanup(func() { elsewhere.Close() })
	old, reached := evil(t, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12}, nil)
	moved, _ := evil(t, &tls.Config{Certificates: []tls.Certificate{cert}}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+plain.Addr().String()+r.URL.Path, http.StatusTemporaryRedirect)
	})
	within, _ := evil(t, &tls.Config{Certificates: []tls.Certificate{cert}}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("it followed a redirect")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	for name, address := range map[string]string{"TLS 1.2": old, "redirect": moved, "redirect within": within, "no TLS": plain.Addr().String()} {
		for who, c := range clients(t, ca, address) {
			if _, err := c.CheckIn(context.Background(), protocol.CheckIn{}); err == nil || reached.Load() {
				t.Errorf("%s, %s: it was believed", name, who)
			}
			if _, err := c.Bundle(context.Background(), strings.Repeat("a", 64), 10, nil); err == nil {
				t.Errorf("%s, %s: it gave a bundle", name, who)
			}
			if _, err := c.Set(context.Background(), strings.Repeat("a", 64), nil); err == nil {
				t.Errorf("%s, %s: it gave a patch set", name, who)
			}
		}
	}
}

// T06: an endless body ends at its cap.
func TestEndlessBodies(t *testing.T) {
	ca := testserver.NewCA(t)
	var sent atomic.Int64
	address, _ := evil(t, &tls.Config{Certificates: []tls.Certificate{ca.Server(t, protocol.ServerName)}}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/enroll" {
			w.WriteHeader(http.StatusForbidden)
		}
		for chunk := bytes.Repeat([]byte(" "), 1<<16); ; {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	c := clients(t, ca, address)["enrolled"]
	for name, call := range map[string]func() error{
		"answer":  func() error { _, err := c.CheckIn(context.Background(), protocol.CheckIn{}); return err },
		"refusal": func() error { _, err := c.Enroll(context.Background(), protocol.Enrollment{}); return err },
		"tag":     func() error { _, err := c.Tag(context.Background(), "x"); return err },
		"bundle":  func() error { _, err := c.Bundle(context.Background(), "x", 1<<20, nil); return err },
		"set":     func() error { _, err := c.Set(context.Background(), "x", nil); return err },
	} {
		sent.Store(0)
		if err := call(); err == nil {
			t.Errorf("%s: an endless body was taken", name)
		}
		if n := sent.Load(); n > 16<<20 {
			t.Errorf("%s: %d bytes were read", name, n)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	ca := testserver.NewCA(t)
	address, _ := evil(t, &tls.Config{Certificates: []tls.Certificate{ca.Server(t, protocol.ServerName)}}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"error":"too busy","hint":"wait"}`)
	})
	_, err := clients(t, ca, address)["enrolled"].CheckIn(context.Background(), protocol.CheckIn{})
	var refused *transport.Refused
	if !errors.As(err, &refused) || refused.RetryAfter != 90*time.Second || refused.Problem.Hint != "wait" {
		t.Errorf("CheckIn = %v, want a refusal with 90 s", err)
	}
}

func TestSSHBelievesThePinnedKeyOnly(t *testing.T) {
	s := testserver.Start(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	other := string(ssh.MarshalAuthorizedKey(testserver.NewKey(t).PublicKey()))
	for name, c := range map[string]struct {
		pin string
		ok  bool
	}{"pinned": {s.Token().SSHKey, true}, "another key": {other, false}} {
		client, err := transport.SSH(s.SSH, c.pin, protocol.SSHAgent, key)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // the link is used again, and made again after it was dropped
			answer, err := client.CheckIn(context.Background(), protocol.CheckIn{})
			if (err == nil) != c.ok || c.ok && answer.Interval != 300 {
				t.Errorf("%s: CheckIn = %+v, %v", name, answer, err)
			}
			client.Close()
		}
	}
	if n := len(s.CheckIns()); n != 3 {
		t.Errorf("the server was reached %d times, want 3", n)
	}
}

func TestCADigest(t *testing.T) {
	ca := testserver.NewCA(t)
	if got, err := transport.CADigest(ca.PEM()); err != nil || got != ca.Digest() {
		t.Errorf("CADigest = %s, %v; want %s", got, err, ca.Digest())
	}
	for name, text := range map[string]string{"two": ca.PEM() + testserver.NewCA(t).PEM(), "none": "", "a key": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"} {
		if _, err := transport.CADigest(text); err == nil {
			t.Errorf("%s: it was taken for one certificate", name)
		}
	}
}

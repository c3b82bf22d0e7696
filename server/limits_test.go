package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"plumb/agent/protocol"
)

func TestTooLargeBodiesAreRefused(t *testing.T) {
	r := start(t)
	cert, _, _, _ := r.enroll(t, "h1")
	c := r.overTLS(r.at.Agents, cert)
	bomb := &bytes.Buffer{}
	z := gzip.NewWriter(bomb)
	for range 64 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	for name, req := range map[string]struct {
		method, path string
		body         []byte
		zipped       bool
	}{
		"check-in":  {"POST", protocol.PathCheckIn, []byte(`{"agent":"` + strings.Repeat("x", protocol.MaxBody) + `"}`), false},
		"object":    {"PUT", protocol.PathObjects + strings.Repeat("0", 64), bytes.Repeat([]byte("x"), protocol.MaxObject+1), false},
		"gzip bomb": {"PUT", protocol.PathObjects + strings.Repeat("0", 64), bomb.Bytes(), true},
	} {
		hr, err := http.NewRequest(req.method, c.base+req.path, bytes.NewReader(req.body))
		if err != nil {
			t.Fatal(err)
		}
		if req.zipped {
			hr.Header.Set("Content-Encoding", "gzip")
		}
		resp, err := c.http.Do(hr)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d, want 413", name, resp.StatusCode)
		}
	}
}

func TestStrangersAreToldToWait(t *testing.T) {
	r := start(t)
	c := r.overTLS(r.at.People)
	for range 500 {
		resp, err := c.http.Get(c.base + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusTooManyRequests {
			if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 {
				t.Errorf("Retry-After = %q", resp.Header.Get("Retry-After"))
			}
			if code := r.overTLS(r.at.People).do(t, "GET", "/healthz", nil, nil); code != http.StatusOK {
				t.Errorf("a neighbour of the flood got %d", code)
			}
			return
		}
	}
	t.Error("500 requests of a stranger in a row were all answered")
}

func TestRevocationActsOnAnOpenConnection(t *testing.T) {
	r := start(t)
	cert, _, _, _ := r.enroll(t, "h1")
	c := r.overTLS(r.at.Agents, cert)
	dialled := 0
	transport := c.http.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled++
		return dial(ctx, network, addr)
	}
	if code := c.do(t, "POST", protocol.PathCheckIn, protocol.CheckIn{Version: 1}, nil); code != http.StatusOK {
		t.Fatalf("check-in: %d", code)
	}
	r.ask(t, "POST", "/v1/hosts/h1/revoke", struct{}{}, nil)
	if code := c.do(t, "POST", protocol.PathCheckIn, protocol.CheckIn{Version: 1}, nil); code != http.StatusForbidden {
		t.Errorf("check-in after revocation: %d, want 403", code)
	}
	if dialled != 1 {
		t.Errorf("dialled %d times, want the same connection for both", dialled)
	}
}

func TestOnlyTLS13(t *testing.T) {
	r := start(t)
	cert, _, _, _ := r.enroll(t, "h1") // without it the agents' port would say no for another reason
	for _, at := range []string{r.at.People, r.at.Agents} {
		for version, want := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
			conn, err := tls.Dial("tcp", at, &tls.Config{MinVersion: version, MaxVersion: version, RootCAs: r.keys.CAPool(), ServerName: protocol.ServerName, Certificates: []tls.Certificate{cert}})
			if err == nil {
				conn.Close()
			}
			if (err == nil) != want {
				t.Errorf("%s with %s: %v", at, tls.VersionName(version), err)
			}
		}
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the server's ten seconds")
	}
	r := start(t)
	conn, err := tls.Dial("tcp", r.at.People, &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: r.keys.CAPool(), ServerName: protocol.ServerName})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute)) // half of what a body may take
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("half a header held the connection for a minute")
	}
}

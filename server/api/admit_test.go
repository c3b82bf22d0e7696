package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/server/authority"
	"plumb/server/fleet"
	"plumb/server/store"
)

// herd is a server with room for few at once, and many hosts that all call at the same time.
type herd struct {
	api   *API
	keys  *authority.Authority
	store *store.Store
	at    *httptest.Server
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHerd(t *testing.T, most int64) *herd {
	dir := t.TempDir()
	h := &herd{}
	var err error
	h.store, err = store.Open(t.Context(), filepath.Join(dir, "plumb.db"))
	must(t, err)
	t.Cleanup(func() { h.store.Close() })
	h.keys, err = authority.Open(filepath.Join(dir, "keys"), time.Now())
	must(t, err)
	log := slog.New(slog.DiscardHandler)
	h.api = &API{Store: h.store, Fleet: &fleet.Fleet{Store: h.store, Authority: h.keys, Log: log}, Authority: h.keys, Log: log, Now: time.Now,
		admission: admission{most: most}}
	h.api.Start()
	cert, err := h.keys.ServerCertificate(nil, time.Now())
	must(t, err)
	h.at = httptest.NewUnstartedServer(h.api.Handler(AgentsDoor))
	h.at.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: h.keys.CAPool()}
	h.at.StartTLS()
	t.Cleanup(h.at.Close)
	return h
}

// host enrols a host and returns a client with its certificate.
func (h *herd) host(t *testing.T, name string) *http.Client {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	must(t, h.store.CreateToken(t.Context(), store.Token{ID: name, Hash: inventory.Digest([]byte(name)), Created: time.Now(), Expires: time.Now().Add(time.Hour)}))
	is, err := h.api.Fleet.Enroll(t.Context(), protocol.Enrollment{Secret: name, Name: name,
		CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))}, time.Now())
	must(t, err)
	block, _ := pem.Decode([]byte(is.Certificate))
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: h.keys.CAPool(), ServerName: protocol.ServerName,
		Certificates: []tls.Certificate{{Certificate: [][]byte{block.Bytes}, PrivateKey: key}}}}}
}

// call checks in and returns when to come again, 0 when it was served.
func (h *herd) call(ctx context.Context, c *http.Client) (after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.at.URL+protocol.PathCheckIn, bytes.NewReader([]byte(`{"version":1,"agent":"herd"}`)))
	if err != nil {
		return 0, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil || resp.StatusCode == http.StatusOK:
		return 0, err
	case resp.StatusCode != http.StatusTooManyRequests:
		return 0, fmt.Errorf("the server answered %d: %s", resp.StatusCode, body)
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err == nil && (seconds < int(comeSoonest/time.Second) || seconds > int(comeLatest/time.Second)) {
		err = errors.New("Retry-After is " + resp.Header.Get("Retry-After"))
	}
	return time.Duration(seconds) * time.Second, err
}

// TestHerdIsServed has many hosts return at once to a server with room for two: those for whom there
// is none are told when to come again, and in the end each was served. A minute passes in 60 ms.
func TestHerdIsServed(t *testing.T) {
	h := newHerd(t, 2)
	clients := make([]*http.Client, 48)
	for i := range clients {
		clients[i] = h.host(t, fmt.Sprintf("host%d", i))
		defer clients[i].CloseIdleConnections()
	}
	// Two requests are under way and do not end before somebody was refused.
	must(t, h.api.admission.enter())
	must(t, h.api.admission.enter())
	var refused atomic.Int64
	free := sync.OnceFunc(func() { h.api.admission.leave(); h.api.admission.leave() })
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			for {
				after, err := h.call(t.Context(), c)
				if err != nil {
					t.Errorf("host %d: %v", i, err)
					return
				}
				if after == 0 {
					return
				}
				if refused.Add(1) >= int64(len(clients)) {
					free()
				}
				time.Sleep(after / 1000)
			}
		})
	}
	wg.Wait()
	hosts, err := h.store.Hosts(t.Context(), store.HostFilter{})
	must(t, err)
	for _, one := range hosts {
		if one.Agent != "herd" {
			t.Errorf("%s was never served", one.Name)
		}
	}
	if n := refused.Load(); n < int64(len(clients)) || len(hosts) != len(clients) {
		t.Errorf("%d hosts were refused %d times, want each of %d once at least", len(hosts), n, len(clients))
	}
	if left := h.api.admission.taken.Load(); left != 0 {
		t.Errorf("%d places were not given back", left)
	}
}

// TestRefusedComeBackSpread has hosts that are refused at once told times all over a minute.
func TestRefusedComeBackSpread(t *testing.T) {
	const most, refusals, parts = 2, 5500, 11
	a := admission{most: most}
	for range most {
		must(t, a.enter())
	}
	var got [parts]int
	for range refusals {
		var refused *Error
		if err := a.enter(); !errors.As(err, &refused) || refused.After < comeSoonest || refused.After >= comeLatest {
			t.Fatalf("one too many: %v, want to be told a time from %s to %s", err, comeSoonest, comeLatest)
		}
		got[int((refused.After-comeSoonest)*parts/(comeLatest-comeSoonest))]++
	}
	for i, n := range got {
		if n < refusals/parts/2 { // 500 on average, with a deviation of 21
			t.Errorf("%d of %d come back in part %d of %d", n, refusals, i+1, parts)
		}
	}
}

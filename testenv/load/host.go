package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"

	"golang.org/x/sync/errgroup"

	"plumb/agent/protocol"
	"plumb/inventory"
)

// host is one simulated machine.
type host struct {
	n    int
	id   inventory.HostID
	name string
	tls  *tls.Config
	// leaseKey verifies leases.
	leaseKey string
	counter  uint64
	epoch    string
}

func newHost(n int, cert []byte, key ed25519.PrivateKey, ca *x509.CertPool) *host {
	pair := tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}
	return &host{n: n, epoch: fmt.Sprintf("load-%d", n), tls: &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: ca, ServerName: protocol.ServerName, Certificates: []tls.Certificate{pair}}}
}

// enrollers is how many hosts enrol at once.
const enrollers = 32

// enrol makes hosts of a server, by the protocol.
func (v *site) enrol(ctx context.Context, n int) ([]*host, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(v.ca) {
		return nil, fmt.Errorf("the server's authority is not PEM")
	}
	hosts := make([]*host, n)
	g, ctx := errgroup.WithContext(ctx)
	for from := range enrollers {
		g.Go(func() error {
			for i := from; i < n; i += enrollers {
				var err error
				if hosts[i], err = v.enrolOne(ctx, i, pool); err != nil {
					return fmt.Errorf("cannot enrol host %d: %w", i, err)
				}
			}
			return nil
		})
	}
	return hosts, g.Wait()
}

func (v *site) enrolOne(ctx context.Context, n int, pool *x509.CertPool) (*host, error) {
	var made struct {
		Token string `json:"token"`
	}
	raw, err := v.ask(ctx, "POST", "/v1/tokens", struct{}{})
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &made); err != nil {
		return nil, err
	}
	token, err := protocol.ParseToken(made.Token)
	if err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	csr := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	is, err := v.enrolAt(ctx, n, protocol.Enrollment{Secret: token.Secret, Name: fmt.Sprintf("host%06d.example.org", n), CSR: string(csr)}, pool)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(is.Certificate))
	if block == nil {
		return nil, fmt.Errorf("the certificate is not PEM")
	}
	h := newHost(n, block.Bytes, key, pool)
	h.id, h.name, h.leaseKey = is.Host.ID, is.Host.Name, token.LeaseKey
	return h, nil
}

// enrolAt enrols at the door for people, from an address of the host's own.
func (v *site) enrolAt(ctx context.Context, n int, in protocol.Enrollment, pool *x509.CertPool) (is protocol.Enrolled, err error) {
	l, err := dial(ctx, v.people, source(n), &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: protocol.ServerName})
	if err != nil {
		return is, err
	}
	defer l.close()
	body, err := json.Marshal(in)
	if err != nil {
		return is, err
	}
	a, err := l.exchange(request("POST", protocol.PathEnroll, "", body))
	if err != nil {
		return is, err
	}
	if a.code != http.StatusOK {
		return is, fmt.Errorf("the server answered %d: %.200s", a.code, a.body)
	}
	return is, json.Unmarshal(a.body, &is)
}

// checkIn is the request of a host about which nothing is new.
func (h *host) checkIn() []byte {
	body, err := json.Marshal(protocol.CheckIn{Version: protocol.Version, Agent: "load", Counter: h.counter})
	if err != nil {
		panic(err) // it always encodes
	}
	return request("POST", protocol.PathCheckIn, "", body)
}

// accept reads the answer to a check-in, and verifies the lease in it.
func (h *host) accept(a answer) (protocol.Answer, error) {
	var said protocol.Answer
	if a.code != http.StatusOK {
		return said, fmt.Errorf("the server answered %d: %.200s", a.code, a.body)
	}
	if err := json.Unmarshal(a.body, &said); err != nil {
		return said, err
	}
	if said.Lease == "" {
		return said, fmt.Errorf("there is no lease in the answer")
	}
	l, err := protocol.OpenLease(said.Lease, h.leaseKey)
	if err != nil {
		return said, err
	}
	if l.Host != h.id || l.Counter < h.counter {
		return said, fmt.Errorf("the lease is for %s with counter %d after %d", l.Host, l.Counter, h.counter)
	}
	h.counter = l.Counter
	return said, nil
}

// Package testserver is a server made of the protocol and a few maps, for tests of the agent.
//
// It is honest unless a test tells it otherwise: it demands client certificates, asks for
// objects that it lacks and takes each report once. It imports nothing of the real server, so
// the two can only agree through the protocol.
package testserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
	"golang.org/x/mod/sumdb/note"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
)

// Server is one running server.
type Server struct {
	CA                  *CA
	People, Agents, SSH string // host:port
	Author              ssh.Signer
	Now                 func() time.Time
	leasePin            string
	leaseSigner         note.Signer
	hostKey             ssh.Signer
	mu                  sync.Mutex
	tags, bundles, sets map[string][]byte
	patches             []protocol.PatchGrant
	objects             map[string][]byte
	host                inventory.Host
	counter             uint64
	newest              protocol.Lease
	epochs              map[string]uint64
	reports             []policies.Report
	checkIns            []protocol.CheckIn
	renewals            int
	answer              func(*protocol.Answer)
	before              func(http.ResponseWriter, *http.Request) bool
	secret              string
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{CA: NewCA(t), Now: time.Now, Author: NewKey(t), hostKey: NewKey(t), secret: "the secret",
		tags: map[string][]byte{}, bundles: map[string][]byte{}, sets: map[string][]byte{}, objects: map[string][]byte{}, epochs: map[string]uint64{}}
	private, public, err := note.GenerateKey(rand.Reader, "plumb-lease")
	if err != nil {
		t.Fatal(err)
	}
	if s.leaseSigner, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	s.leasePin = public
	cert := s.CA.Server(t, protocol.ServerName)
	clock := func() time.Time { return s.Now() }
	s.People = s.serve(t, &tls.Config{Time: clock, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}})
	s.Agents = s.serve(t, &tls.Config{Time: clock, MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.CA.Pool()})
	s.SSH = s.serveSSH(t)
	return s
}

func (s *Server) serve(t testing.TB, config *tls.Config) string {
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	s.handle(t, l)
	return l.Addr().String()
}

func (s *Server) handle(t testing.TB, l net.Listener) {
	web := &http.Server{Handler: s.routes(), ErrorLog: silent()}
	go web.Serve(l)
	t.Cleanup(func() { web.Close() })
}

// Token is an enrolment token of the server.
func (s *Server) Token() protocol.Token {
	return protocol.Token{Secret: s.secret, People: s.People, Agents: s.Agents, SSH: s.SSH, CA: s.CA.Digest(),
		SSHKey:   string(ssh.MarshalAuthorizedKey(s.hostKey.PublicKey())),
		LeaseKey: s.leasePin, Signers: []string{SignerLine("author", s.Author)}}
}

// SignerLine is a key's line in an allowed signers file.
func SignerLine(name string, key ssh.Signer) string {
	return protocol.Signer{Principal: name, Key: key.PublicKey()}.Line()
}

// NewKey makes an ed25519 key.
func NewKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// SignTag returns a release's tag object as `git tag -s` would make it.
func SignTag(t testing.TB, r protocol.Release, key ssh.Signer) []byte {
	t.Helper()
	payload := r.Payload("Author <author@example.org>")
	sig, err := sshsig.Sign(strings.NewReader(string(payload)), key, sshsig.HashSHA512, protocol.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	return append(payload, sshsig.Armor(sig)...)
}

// Publish makes a release of a tree, signed by key, and the newest one. It returns its lease body.
func (s *Server) Publish(t testing.TB, number, rollbackTo uint64, tree bundle.Tree, key ssh.Signer) protocol.Lease {
	t.Helper()
	raw, err := bundle.Pack(tree)
	if err != nil {
		t.Fatal(err)
	}
	r := protocol.Release{Number: number, Commit: fmt.Sprintf("%040x", number), Bundle: inventory.Digest(raw),
		Size: int64(len(raw)), RollbackTo: rollbackTo, Tagged: time.Unix(1_790_000_000, 0)}
	tag := SignTag(t, r, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bundles[r.Bundle], s.tags[inventory.Digest(tag)] = raw, tag
	s.newest = protocol.Lease{Release: number, Tag: inventory.Digest(tag), Bundle: r.Bundle}
	return s.newest
}

// Assign makes the server lease another release than the newest one.
func (s *Server) Assign(l protocol.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = l
}

// Bundle returns the bytes of a published bundle.
func (s *Server) Bundle(digest string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bundles[digest]
}

// Serve serves the bytes of a patch set and returns their digest.
func (s *Server) Serve(raw []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	digest := inventory.Digest(raw)
	s.sets[digest] = raw
	return digest
}

// Grant puts patch cycles into every lease to come, besides those that a lease's body names.
func (s *Server) Grant(list ...protocol.PatchGrant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patches = list
}

// Lease signs a lease for the enrolled host, one day long, with the next counter.
func (s *Server) Lease(body protocol.Lease) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease(body)
}

func (s *Server) lease(body protocol.Lease) string {
	s.counter++
	body.Host, body.Counter = s.host.ID, s.counter
	body.Issued = s.Now().UTC()
	body.Patches = append(slices.Clone(body.Patches), s.patches...)
	body.Expires = body.Issued.Add(24 * time.Hour)
	return s.Sign(body)
}

// Sign signs any lease.
func (s *Server) Sign(l protocol.Lease) string {
	signed, err := protocol.SignLease(l, s.leaseSigner)
	if err != nil {
		panic(err)
	}
	return signed
}

// Answers lets a test change each answer before it is sent; nil makes the server honest again.
func (s *Server) Answers(f func(*protocol.Answer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

// Before lets a test answer requests itself: f returns true when it did.
func (s *Server) Before(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Reports are all reports that were accepted, in order.
func (s *Server) Reports() []policies.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]policies.Report(nil), s.reports...)
}

// CheckIns are all check-ins.
func (s *Server) CheckIns() []protocol.CheckIn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]protocol.CheckIn(nil), s.checkIns...)
}

// Renewals counts renewed certificates.
func (s *Server) Renewals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewals
}

// Object returns an object that a host sent.
func (s *Server) Object(digest string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[digest]
}

// Forget makes the server one that was restored from a backup: it has no report of
// the epochs that it knows.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for epoch := range s.epochs {
		s.epochs[epoch] = 0
	}
}

func parse(der []byte) *x509.Certificate {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

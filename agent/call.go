package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/agent/state"
	"plumb/agent/transport"
	"plumb/agent/trust"
)

// call speaks to the server: it hands over what waits and takes what the lease names. What is
// wrong with a lease or a release is a problem to report, not an error of the call.
func (r *round) call(ctx context.Context) error {
	if err := r.dial(); err != nil {
		return err
	}
	if err := r.renew(ctx); err != nil {
		r.Log.Warn("the certificate was not renewed", "error", err) // there is half its life left to try
	}
	answer, kept := r.deliver(ctx)
	if kept != nil && !noRoom(kept) {
		return kept
	}
	r.lease.Interval = answer.Interval
	r.out.Interval = time.Duration(answer.Interval) * time.Second
	if answer.Lease == "" || r.blind {
		return kept
	}
	r.compareClocks(answer.Lease)
	l, floors, err := trust.Lease(r.floors, answer.Lease, r.id.LeaseKey, r.id.Host.ID, r.clock())
	if err != nil {
		r.refuse(err)
		return errors.Join(kept, r.Dir.Save(leaseFile, r.lease))
	}
	if err := r.raise(floors); err != nil {
		return err
	}
	grants := r.grants(l)
	if err := r.withdraw(grants); err != nil {
		return err
	}
	r.lease = lease{Release: l.Release, Expires: l.Expires, Freeze: l.Freeze, Interval: answer.Interval, Skew: r.lease.Skew}
	if err := r.Dir.Save(leaseFile, r.lease); err != nil {
		return err
	}
	r.problem = ""
	r.forgetParts(l, grants)
	return errors.Join(kept, r.take(ctx, l), r.takeOrders(ctx, grants))
}

// forgetParts removes what came of downloads that the lease does not name any more.
func (r *round) forgetParts(l protocol.Lease, grants []protocol.PatchGrant) {
	wanted := []string{l.Bundle}
	for _, g := range grants {
		wanted = append(wanted, g.Set)
	}
	r.Dir.ForgetParts(wanted...)
}

// refuse notes why something that the server sent is not believed.
func (r *round) refuse(err error) {
	r.Log.Error("refused what the server sent", "error", err)
	r.problem = err.Error()
}

// raise stores higher floors, before anything is done that rests on them.
func (r *round) raise(f trust.Floors) error {
	if f == r.floors {
		return nil
	}
	if err := r.Dir.SaveFloors(f); err != nil {
		return err
	}
	r.floors = f
	return nil
}

// dial makes the client for the server that the host was enrolled with.
func (r *round) dial() error {
	c, err := r.Agent.dial(r.id, r.clock)
	r.client = c
	return err
}

func (r *round) hangUp() {
	if r.client != nil {
		r.client.Close()
		r.client = nil
	}
}

func (a *Agent) dial(id state.Identity, now func() time.Time) (*transport.Client, error) {
	server, err := url.Parse(id.Server)
	if err != nil {
		return nil, fmt.Errorf("the server's address is damaged: %w", err)
	}
	key, err := a.Dir.Key()
	if err != nil {
		return nil, err
	}
	if server.Scheme == "ssh" {
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			return nil, fmt.Errorf("cannot use the host's key: %w", err)
		}
		return transport.SSH(server.Host, id.SSHKey, protocol.SSHAgent, signer)
	}
	text, err := a.Dir.Certificate()
	if err != nil {
		return nil, err
	}
	cert, err := certificate(text)
	if err != nil {
		return nil, err
	}
	pair := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	return transport.HTTPS(server.Host, id.CA, pair, now)
}

func certificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("the host's certificate is damaged")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the host's certificate is damaged: %w", err)
	}
	return cert, nil
}

// renew asks for a new certificate when half the life of the old one is over.
func (r *round) renew(ctx context.Context) error {
	text, err := r.Dir.Certificate()
	if err != nil {
		return err
	}
	cert, err := certificate(text)
	if err != nil {
		return err
	}
	if half := cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 2); r.clock().Before(half) {
		return nil
	}
	csr, err := request(r.Dir, r.id.Host.Name)
	if err != nil {
		return err
	}
	fresh, err := r.client.Renew(ctx, protocol.Renewal{CSR: csr})
	if err != nil {
		return err
	}
	if err := fits(r.Dir, fresh.Certificate); err != nil {
		return err
	}
	if err := r.Dir.SetCertificate(fresh.Certificate); err != nil {
		return err
	}
	r.hangUp()
	return r.dial()
}

// request returns a PEM certificate request, signed by the host's key.
func request(dir *state.Dir, name string) (string, error) {
	key, err := dir.Key()
	if err != nil {
		return "", err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return "", fmt.Errorf("cannot make a certificate request: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// fits tells whether a certificate is one of the host's own key.
func fits(dir *state.Dir, text string) error {
	cert, err := certificate(text)
	if err != nil {
		return err
	}
	key, err := dir.Key()
	if err != nil {
		return err
	}
	theirs, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok || !theirs.Equal(key.Public()) {
		return fmt.Errorf("the server sent a certificate for another key")
	}
	return nil
}

// Package authority owns the server's keys: the private CA of hosts and servers, the lease
// key, the SSH host key and the release key of trial mode.
//
// The keys live in one folder (0700) and are made at the first start. Nobody else reads them;
// callers get signatures and certificates.
package authority

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/mod/sumdb/note"

	"plumb/agent/protocol"
)

// Authority signs for one server.
type Authority struct {
	ca      *x509.Certificate
	caKey   *ecdsa.PrivateKey
	lease   note.Signer
	leaseID string
	host    ssh.Signer
	trial   ssh.Signer
}

// TrialPrincipal is the name under which the server's own key signs releases in trial mode.
const TrialPrincipal = "plumb-server-trial"

// Open reads the keys in the folder and makes those that are not there yet.
func Open(dir string, now time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder for keys: %w", err)
	}
	box := keyBox{dir: dir}
	a := &Authority{}
	var err error
	if a.caKey, err = box.ecdsa("ca.key"); err != nil {
		return nil, err
	}
	if a.ca, err = box.authority("ca.pem", a.caKey, now); err != nil {
		return nil, err
	}
	if a.lease, a.leaseID, err = box.lease("lease.key"); err != nil {
		return nil, err
	}
	if a.host, err = box.ssh("ssh_host_ed25519_key"); err != nil {
		return nil, err
	}
	a.trial, err = box.ssh("release_ed25519_key")
	return a, err
}

// CAPool trusts this authority only.
func (a *Authority) CAPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.ca)
	return pool
}

// CAPEM is the authority's certificate.
func (a *Authority) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.ca.Raw})
}

// CADigest is the SHA-256 of the authority's certificate, as tokens carry it.
func (a *Authority) CADigest() string {
	sum := sha256.Sum256(a.ca.Raw)
	return hex.EncodeToString(sum[:])
}

// SignLease signs a lease with the online key.
func (a *Authority) SignLease(l protocol.Lease) (string, error) {
	return protocol.SignLease(l, a.lease)
}

// LeaseKey is the verifier of leases that hosts pin.
func (a *Authority) LeaseKey() string { return a.leaseID }

// SSHHostKey is the key by which SSH clients know this server.
func (a *Authority) SSHHostKey() ssh.Signer { return a.host }

// TrialKey signs releases in trial mode only.
func (a *Authority) TrialKey() ssh.Signer { return a.trial }

// TrialSigner is the trial key as hosts pin it.
func (a *Authority) TrialSigner() protocol.Signer {
	return protocol.Signer{Principal: TrialPrincipal, Key: a.trial.PublicKey()}
}

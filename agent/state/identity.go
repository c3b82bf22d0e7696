package state

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"plumb/agent/trust"
	"plumb/inventory"
)

// ErrNotEnrolled means that the host has no server yet.
var ErrNotEnrolled = errors.New("this host is not enrolled")

// Identity is what enrolment gave to the host. It never changes afterwards.
type Identity struct {
	// Host is who the server takes it for.
	Host inventory.Host `json:"host"`
	// Server is where it checks in: https://host:port or ssh://host:port.
	Server string `json:"server"`
	// CA is the PEM certificate of the only authority that is believed.
	CA string `json:"ca"`
	// SSHKey is the server's SSH host key as in authorized_keys.
	SSHKey string `json:"ssh_key"`
	// LeaseKey verifies leases.
	LeaseKey string `json:"lease_key"`
	// Enrolled is when that was.
	Enrolled time.Time `json:"enrolled"`
}

const (
	identityFile    = "identity.json"
	keyFile         = "host.key"
	certificateFile = "host.crt"
	signersFile     = "allowed_signers"
)

// Identity returns who the host is. The error wraps [ErrNotEnrolled] when nobody said so yet.
func (d *Dir) Identity() (Identity, error) {
	var id Identity
	ok, err := d.Load(identityFile, &id)
	if err == nil && !ok {
		err = fmt.Errorf("%s holds no identity: %w", d.Path, ErrNotEnrolled)
	}
	return id, err
}

// Enroll stores all that enrolment brought. The identity is written last: without it the
// host is not enrolled, whatever else is there.
func (d *Dir) Enroll(id Identity, certificate, signers string) error {
	if err := d.SetCertificate(certificate); err != nil {
		return err
	}
	if err := d.SetSigners(signers); err != nil {
		return err
	}
	if err := d.writeFloors(trust.Floors{Time: id.Enrolled}, 1); err != nil {
		return err
	}
	return d.Save(identityFile, id)
}

// Key returns the host's private key, and makes it at the first call.
func (d *Dir) Key() (ed25519.PrivateKey, error) {
	raw, ok, err := d.read(keyFile)
	if err != nil {
		return nil, err
	}
	if !ok {
		return d.makeKey()
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("the host's key %s is damaged", keyFile)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the host's key %s is damaged: %w", keyFile, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the host's key %s is not an ed25519 key", keyFile)
	}
	return private, nil
}

func (d *Dir) makeKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the host's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the host's key: %w", err)
	}
	return key, WriteFile(d.file(keyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Certificate returns the host's PEM certificate.
func (d *Dir) Certificate() (string, error) { return d.text(certificateFile) }

// SetCertificate replaces it.
func (d *Dir) SetCertificate(pem string) error {
	return WriteFile(d.file(certificateFile), []byte(pem))
}

// Signers returns the pinned release keys, an allowed signers file.
func (d *Dir) Signers() (string, error) { return d.text(signersFile) }

// SetSigners replaces the pinned release keys.
func (d *Dir) SetSigners(text string) error { return WriteFile(d.file(signersFile), []byte(text)) }

func (d *Dir) text(name string) (string, error) {
	raw, ok, err := d.read(name)
	if err == nil && !ok {
		err = fmt.Errorf("the state file %s is missing", name)
	}
	return string(raw), err
}

package authority

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/inventory"
)

// How long certificates last. Hosts renew at half life; a server makes its own at each
// start. Skew is how far the clock of a host may be behind.
const (
	caLife     = 10 * 365 * 24 * time.Hour
	serverLife = 90 * 24 * time.Hour
	HostLife   = 7 * 24 * time.Hour
	skew       = time.Hour
)

func selfSign(key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	form := template("Plumb CA", now, caLife)
	form.IsCA, form.BasicConstraintsValid, form.MaxPathLenZero = true, true, true
	form.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func template(name string, now time.Time, life time.Duration) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // the kernel's random source does not fail
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-skew), NotAfter: now.Add(life),
	}
}

// ServerCertificate makes a certificate for this process: names are the host names and
// addresses by which people reach it, agents look for [protocol.ServerName].
func (a *Authority) ServerCertificate(names []string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	form := template("Plumb server", now, serverLife)
	form.KeyUsage = x509.KeyUsageDigitalSignature
	form.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	form.DNSNames = []string{protocol.ServerName}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			form.IPAddresses = append(form.IPAddresses, ip)
		} else {
			form.DNSNames = append(form.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, form, a.ca, key.Public(), a.caKey)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make the server's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.ca.Raw}, PrivateKey: key}, nil
}

const hostScheme = "plumb"

// IssueHost makes a host's certificate for the key of the request, and returns that key's
// SHA-256 fingerprint in SSH form beside it. Whatever else the request asks for is ignored.
func (a *Authority) IssueHost(id inventory.HostID, csrPEM string, now time.Time) (certPEM []byte, fingerprint string, err error) {
	key, fingerprint, err := RequestKey(csrPEM)
	if err != nil {
		return nil, "", err
	}
	form := template("Plumb host", now, HostLife)
	form.KeyUsage = x509.KeyUsageDigitalSignature
	form.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	form.URIs = []*url.URL{{Scheme: hostScheme, Host: "host", Path: "/" + string(id)}}
	der, err := x509.CreateCertificate(rand.Reader, form, a.ca, key, a.caKey)
	if err != nil {
		return nil, "", fmt.Errorf("cannot make the host's certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), fingerprint, nil
}

// RequestKey returns the ed25519 key of a certificate request that is signed with it, and
// its SHA-256 fingerprint in SSH form.
func RequestKey(csrPEM string) (ed25519.PublicKey, string, error) {
	block, _ := pem.Decode([]byte(csrPEM))
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, "", errors.New("the certificate request is not PEM")
	}
	req, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the certificate request: %w", err)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, "", fmt.Errorf("the certificate request is not signed by its key: %w", err)
	}
	key, ok := req.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, "", errors.New("a host's key has to be an ed25519 key")
	}
	fingerprint, err := keyFingerprint(key)
	return key, fingerprint, err
}

func keyFingerprint(key ed25519.PublicKey) (string, error) {
	pub, err := ssh.NewPublicKey(key)
	if err != nil {
		return "", err
	}
	return ssh.FingerprintSHA256(pub), nil
}

// HostOf returns whose certificate it is, and the fingerprint of its key. The chain was
// verified in the handshake; nothing else in the certificate is looked at.
func (a *Authority) HostOf(cert *x509.Certificate) (inventory.HostID, string, error) {
	key, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok || len(cert.URIs) != 1 || cert.URIs[0].Scheme != hostScheme || cert.URIs[0].Host != "host" {
		return "", "", errors.New("the certificate is not a host's")
	}
	fingerprint, err := keyFingerprint(key)
	return inventory.HostID(strings.TrimPrefix(cert.URIs[0].Path, "/")), fingerprint, err
}

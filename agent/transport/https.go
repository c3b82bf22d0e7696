package transport

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"plumb/agent/protocol"
)

// HTTPS returns a client of the agents' port at address (host:port). ca is the PEM certificate
// of the only authority, cert the host's own certificate, now the clock to judge by.
func HTTPS(address, ca string, cert tls.Certificate, now func() time.Time) (*Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ca)) {
		return nil, errors.New("the pinned certificate of the authority is damaged")
	}
	config := baseConfig(now)
	config.RootCAs = pool
	config.Certificates = []tls.Certificate{cert}
	return overTLS(address, config), nil
}

// EnrollHTTPS returns a client of the port for people at address. All that is known of the server
// is the SHA-256 of its authority's certificate, which it has to show.
func EnrollHTTPS(address, caDigest string, now func() time.Time) *Client {
	config := baseConfig(now)
	config.InsecureSkipVerify = true // VerifyConnection does all of it, against the digest
	config.VerifyConnection = func(s tls.ConnectionState) error {
		return verifyByDigest(s.PeerCertificates, caDigest, now())
	}
	return overTLS(address, config)
}

func baseConfig(now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13,
		ServerName: protocol.ServerName, Time: now,
	}
}

func overTLS(address string, config *tls.Config) *Client {
	dialer := newDialer()
	t := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: false, Proxy: nil,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		}}
	return newClient("https://"+protocol.ServerName, t, nil)
}

// verifyByDigest checks a chain against the one authority with that digest.
func verifyByDigest(chain []*x509.Certificate, digest string, now time.Time) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, cert := range chain {
		sum := sha256.Sum256(cert.Raw)
		if hex.EncodeToString(sum[:]) == digest {
			roots.AddCert(cert)
			found = true
			continue
		}
		between.AddCert(cert)
	}
	if !found || len(chain) == 0 {
		return errors.New("the server does not belong to the authority that the token names")
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now,
		DNSName: protocol.ServerName, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return fmt.Errorf("the server's certificate is not good: %w", err)
	}
	return nil
}

// CADigest is the SHA-256 of a PEM certificate, as a token names it.
func CADigest(certificate string) (string, error) {
	block, rest := pem.Decode([]byte(certificate))
	if block == nil || block.Type != "CERTIFICATE" {
		return "", errors.New("the authority's certificate cannot be read")
	}
	if next, _ := pem.Decode(rest); next != nil {
		return "", errors.New("the server sent more than one authority")
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:]), nil
}

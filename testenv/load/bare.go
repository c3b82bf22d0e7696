package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/gob"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"plumb/agent/protocol"
	"plumb/testenv/ports"
)

// bareArgument makes this program the bare server: what net/http costs with the same TLS, and
// nothing else.
const bareArgument = "bare"

// papers are what the bare server starts with.
type papers struct {
	Address string
	Chain   [][]byte
	Key     []byte
	CA      []byte
	Answer  []byte
}

// serveBare reads each body and sends an answer as long as a real one.
func serveBare(file string) error {
	var p papers
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := gob.NewDecoder(f).Decode(&p); err != nil {
		return err
	}
	key, err := x509.ParseECPrivateKey(p.Key)
	if err != nil {
		return err
	}
	ca, err := x509.ParseCertificate(p.CA)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	srv := &http.Server{Addr: p.Address, ReadHeaderTimeout: 5 * time.Second, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: p.Chain, PrivateKey: key}},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, SessionTicketsDisabled: true,
	}, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(p.Answer)
	})}
	return srv.ListenAndServeTLS("", "")
}

// bare is a bare server and its own authority.
type bare struct {
	*process
	dir   string
	at    string
	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
	made  int64
}

// newBare starts a bare server that sends answers of the given length, in bytes.
func newBare(ctx context.Context, length int) (*bare, error) {
	b := &bare{}
	var err error
	if b.dir, err = os.MkdirTemp("", "plumb-bare-"); err != nil {
		return nil, err
	}
	free, err := ports.Free(1)
	if err != nil {
		return nil, err
	}
	b.at = free[0]
	p := papers{Address: b.at, Answer: make([]byte, length)}
	if err := b.certify(&p); err != nil {
		return nil, err
	}
	file := filepath.Join(b.dir, "papers")
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := gob.NewEncoder(f).Encode(p); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if b.process, err = launch(filepath.Join(b.dir, "bare.log"), program, bareArgument, file); err != nil {
		return nil, err
	}
	return b, b.up(ctx)
}

func (b *bare) close() {
	b.stop()
	_ = os.RemoveAll(b.dir)
}

func (b *bare) up(ctx context.Context) error {
	h, err := b.host(0)
	for range 100 {
		if err != nil {
			return err
		}
		l, failed := dial(ctx, b.at, nil, h.tls)
		if failed == nil {
			l.close()
			return nil
		}
		time.Sleep(100 * time.Millisecond)
		err = ctx.Err()
	}
	return fmt.Errorf("the bare server does not answer")
}

// certify makes an authority and the server's certificate, of the same kinds as Plumb's.
func (b *bare) certify(p *papers) error {
	var err error
	if b.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	form := b.form()
	form.IsCA, form.BasicConstraintsValid, form.KeyUsage = true, true, x509.KeyUsageCertSign
	raw, err := x509.CreateCertificate(rand.Reader, form, form, b.caKey.Public(), b.caKey)
	if err != nil {
		return err
	}
	if b.ca, err = x509.ParseCertificate(raw); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	form = b.form()
	form.DNSNames, form.ExtKeyUsage = []string{protocol.ServerName}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf, err := x509.CreateCertificate(rand.Reader, form, b.ca, key.Public(), b.caKey)
	if err != nil {
		return err
	}
	p.CA, p.Chain = raw, [][]byte{leaf, raw}
	p.Key, err = x509.MarshalECPrivateKey(key)
	return err
}

func (b *bare) form() *x509.Certificate {
	b.made++
	return &x509.Certificate{SerialNumber: big.NewInt(b.made), Subject: pkix.Name{CommonName: "bare"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
}

// host makes a client of the bare server.
func (b *bare) host(i int) (*host, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	form := b.form()
	form.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	raw, err := x509.CreateCertificate(rand.Reader, form, b.ca, public, b.caKey)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(b.ca)
	return newHost(i, raw, key, pool), nil
}

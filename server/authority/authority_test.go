package authority

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"plumb/agent/protocol"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := Open(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestKeysSurviveARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	first, second := open(t, dir), open(t, dir)
	if first.CADigest() != second.CADigest() || first.LeaseKey() != second.LeaseKey() {
		t.Error("a second start made new keys")
	}
	if first.TrialSigner().Fingerprint() != second.TrialSigner().Fingerprint() {
		t.Error("a second start made a new release key")
	}
}

func TestKeysAreForTheOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	open(t, dir)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 5 {
		t.Fatalf("ReadDir = %d files, %v; want 5", len(files), err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", f.Name(), info.Mode(), err)
		}
	}
}

func TestDamagedKeyIsAnErrorAndStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ca.key")
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, noon); err == nil {
		t.Fatal("Open accepted a damaged key")
	}
	if raw, _ := os.ReadFile(path); string(raw) != "damaged" {
		t.Error("Open replaced a damaged key")
	}
}

func request(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestHostCertificateIsForItsHostOnly(t *testing.T) {
	a := open(t, t.TempDir())
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	raw, fingerprint, err := a.IssueHost("7a3c", request(t, key), noon)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	id, print, err := a.HostOf(cert)
	if id != "7a3c" || print != fingerprint || err != nil {
		t.Errorf("HostOf = %q, %q, %v", id, print, err)
	}
	serve := x509.VerifyOptions{Roots: a.CAPool(), CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if _, err := cert.Verify(serve); err == nil {
		t.Error("a host's certificate is good for a server")
	}
	late := x509.VerifyOptions{Roots: a.CAPool(), CurrentTime: noon.Add(HostLife + time.Minute), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := cert.Verify(late); err == nil {
		t.Error("a host's certificate outlives seven days")
	}
}

func TestIssueHostRefusesOtherKeys(t *testing.T) {
	a := open(t, t.TempDir())
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for name, csr := range map[string]string{"ecdsa": request(t, ec), "empty": "", "not a request": string(a.CAPEM())} {
		if _, _, err := a.IssueHost("h", csr, noon); err == nil {
			t.Errorf("IssueHost accepted the request %s", name)
		}
	}
}

func TestServerCertificateNamesTheServer(t *testing.T) {
	a := open(t, t.TempDir())
	pair, err := a.ServerCertificate([]string{"127.0.0.1", "plumb.example.org"}, noon)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(pair.Certificate[0])
	for _, name := range []string{protocol.ServerName, "127.0.0.1", "plumb.example.org"} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: a.CAPool(), DNSName: name, CurrentTime: noon}); err != nil {
			t.Errorf("Verify(%s) = %v", name, err)
		}
	}
}

func TestLeaseIsVerifiedByItsKey(t *testing.T) {
	a, other := open(t, t.TempDir()), open(t, t.TempDir())
	signed, err := a.SignLease(protocol.Lease{Host: "h", Counter: 7})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := protocol.OpenLease(signed, a.LeaseKey()); err != nil || l.Counter != 7 {
		t.Errorf("OpenLease = %+v, %v", l, err)
	}
	if _, err := protocol.OpenLease(signed, other.LeaseKey()); err == nil {
		t.Error("OpenLease accepted another server's lease")
	}
}

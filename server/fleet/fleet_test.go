package fleet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/server/authority"
	"plumb/server/store"
)

// start is when the tests take place.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newFleet(t testing.TB) *Fleet {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(context.Background(), filepath.Join(dir, "plumb.db"))
	must(t, err)
	t.Cleanup(func() { s.Close() })
	a, err := authority.Open(filepath.Join(dir, "keys"), start)
	must(t, err)
	return &Fleet{Store: s, Authority: a}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s differs (-want +got):\n%s", what, diff)
	}
}

func wantRefused(t testing.TB, err error) {
	t.Helper()
	var refused *ErrRefused
	if !errors.As(err, &refused) || refused.Message == "" || refused.Hint == "" {
		t.Fatalf("got error %v, want ErrRefused with a message and a hint", err)
	}
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return key
}

func csrOf(t testing.TB, key ed25519.PrivateKey) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func (f *Fleet) token(t testing.TB, secret, name string) {
	t.Helper()
	must(t, f.Store.CreateToken(context.Background(), store.Token{ID: secret, Hash: inventory.Digest([]byte(secret)), Name: name,
		Labels: map[string]string{"env": "prod"}, Created: start, Expires: start.Add(time.Hour)}))
}

// enrol makes a host with the name.
func (f *Fleet) enrol(t testing.TB, name string) *agent {
	t.Helper()
	f.token(t, "secret-"+name, "")
	in := protocol.Enrollment{Secret: "secret-" + name, Name: name, CSR: csrOf(t, newKey(t))}
	out, err := f.Enroll(context.Background(), in, start)
	must(t, err)
	return &agent{fleet: f, id: out.Host.ID, epoch: "epoch-1", objects: map[string][]byte{}}
}

// agent plays the part of a host's agent.
type agent struct {
	fleet   *Fleet
	id      inventory.HostID
	epoch   string
	seq     uint64
	objects map[string][]byte
	// inline has results go within the check-in.
	inline bool
}

func (a *agent) object(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	digest := inventory.Digest(raw)
	a.objects[digest] = raw
	return digest
}

// outcome is what a run found: addresses and their statuses.
type outcome map[string]policies.Status

// report makes the next report. The catalog has the addresses of the outcome, sorted.
func (a *agent) report(release uint64, found outcome, at time.Time) policies.Report {
	a.seq++
	c, r := runOf(found)
	catalog := a.object(c)
	r.Catalog = catalog
	return policies.Report{Epoch: a.epoch, Seq: a.seq, Release: release, Commit: fmt.Sprintf("commit%d", release),
		Facts: a.object(inventory.Facts{Arch: "amd64"}), Catalog: catalog, Result: a.object(r),
		Started: at.Add(-time.Second), Finished: at, BootID: "boot"}
}

// deliver checks in until nothing is wanted any more, as an agent does.
func (a *agent) deliver(ctx context.Context, now time.Time, reports ...policies.Report) (protocol.Answer, error) {
	in := protocol.CheckIn{Version: 1, Agent: "1.0", Reports: reports, Objects: map[string][]byte{}}
	for _, r := range reports {
		if raw := a.objects[r.Result]; a.inline && raw != nil {
			packed, err := protocol.Pack(raw)
			if err != nil {
				return protocol.Answer{}, err
			}
			in.Objects[r.Result] = packed
		}
	}
	for {
		answer, err := a.fleet.CheckIn(ctx, a.id, in, now)
		in.Objects = nil
		if err != nil || len(answer.Want) == 0 {
			return answer, err
		}
		for _, digest := range answer.Want {
			err := a.fleet.PutObject(ctx, a.id, digest, a.objects[digest], now)
			if errors.Is(err, errNotAsked) {
				continue // a delivery beside this one was faster
			}
			if err != nil {
				return answer, err
			}
		}
	}
}

func TestEnroll(t *testing.T) {
	f := newFleet(t)
	ctx := t.Context()
	f.token(t, "s1", "")
	key := newKey(t)
	in := protocol.Enrollment{Secret: "s1", Name: "Web1.example.org.", CSR: csrOf(t, key)}
	out, err := f.Enroll(ctx, in, start)
	must(t, err)
	same(t, "host", out.Host, inventory.Host{ID: out.Host.ID, Name: "web1.example.org", Labels: map[string]string{"env": "prod"}})
	block, _ := pem.Decode([]byte(out.Certificate))
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	if !bytes.Equal(cert.PublicKey.(ed25519.PublicKey), key.Public().(ed25519.PublicKey)) {
		t.Fatal("the certificate is for another key")
	}
	again, err := f.Enroll(ctx, in, start)
	must(t, err)
	same(t, "host when it asks again", again.Host, out.Host)

	renewed, err := f.Renew(ctx, out.Host.ID, protocol.Renewal{CSR: csrOf(t, key)}, start)
	must(t, err)
	same(t, "host renewed", renewed.Host, out.Host)
	_, err = f.Renew(ctx, out.Host.ID, protocol.Renewal{CSR: csrOf(t, newKey(t))}, start)
	wantRefused(t, err)
	must(t, f.Store.Revoke(ctx, out.Host.ID, "alice", start))
	_, err = f.Enroll(ctx, in, start)
	wantRefused(t, err)
	_, err = f.Renew(ctx, out.Host.ID, protocol.Renewal{CSR: csrOf(t, key)}, start)
	wantRefused(t, err)
}

func TestEnrollRefuses(t *testing.T) {
	f := newFleet(t)
	f.enrol(t, "web1")
	f.token(t, "fresh", "")
	f.token(t, "bound", "Not A Name")
	must(t, f.Store.CreateToken(t.Context(), store.Token{ID: "p", Hash: inventory.Digest([]byte("person")), Role: "admin"}))
	csr := csrOf(t, newKey(t))
	for name, c := range map[string]struct {
		in    protocol.Enrollment
		after time.Duration
	}{
		"unknown token":    {protocol.Enrollment{Secret: "x", Name: "db1", CSR: csr}, 0},
		"empty token":      {protocol.Enrollment{Name: "db1", CSR: csr}, 0},
		"a person's token": {protocol.Enrollment{Secret: "person", Name: "db1", CSR: csr}, 0},
		"used token":       {protocol.Enrollment{Secret: "secret-web1", Name: "db1", CSR: csr}, 0},
		"expired token":    {protocol.Enrollment{Secret: "fresh", Name: "db1", CSR: csr}, 2 * time.Hour},
		"bad name":         {protocol.Enrollment{Secret: "fresh", Name: "../etc", CSR: csr}, 0},
		"bad bound name":   {protocol.Enrollment{Secret: "bound", Name: "db1", CSR: csr}, 0},
		"name taken":       {protocol.Enrollment{Secret: "fresh", Name: "web1", CSR: csr}, 0},
		"no key":           {protocol.Enrollment{Secret: "fresh", Name: "db1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Enroll(t.Context(), c.in, start.Add(c.after))
			wantRefused(t, err)
		})
	}
	token, err := f.Store.TokenByHash(t.Context(), inventory.Digest([]byte("fresh")))
	must(t, err)
	same(t, "time of use", token.Used, time.Time{})
}

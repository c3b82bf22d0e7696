package server_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/server/authority"
	"plumb/server/fleet"
	"plumb/server/store"
	"plumb/server/views"
)

// past is a fleet with a history, and what people were told on the way.
type past struct {
	t        *testing.T
	fleet    *fleet.Fleet
	views    views.Reader
	now      time.Time
	hosts    []*member
	names    []string
	released uint64
	told     []snapshot
	objects  map[string][]byte
}

// member plays the agent of one host.
type member struct {
	id      inventory.HostID
	name    string
	seq     uint64
	spool   []policies.Report
	revoked bool
	silent  bool
}

// snapshot is what was true at an instant, as people were told then.
type snapshot struct {
	at    time.Time
	fleet map[string]any
	hosts map[string]map[string]any // by name; nil where nobody had it yet
}

func newPast(t *testing.T) *past {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	keys, err := authority.Open(filepath.Join(dir, "keys"), now)
	if err != nil {
		t.Fatal(err)
	}
	p := &past{t: t, fleet: &fleet.Fleet{Store: s, Authority: keys}, now: now, names: []string{"a", "b", "c"}, objects: map[string][]byte{}}
	p.views = views.Reader{Store: s, Policy: func(context.Context) (views.Policy, error) {
		return views.Policy{Release: p.released, Commit: commit(p.released), Signers: []string{}}, nil
	}}
	return p
}

func commit(release uint64) string {
	if release == 0 {
		return ""
	}
	return fmt.Sprintf("commit%d", release)
}

func (p *past) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestThePastStaysAsItWas lets random things happen, writes down what people are told in between, and
// asks at the end what was true then.
func TestThePastStaysAsItWas(t *testing.T) {
	compared := 0
	rapid.Check(t, func(rt *rapid.T) {
		p := newPast(t)
		for range rapid.IntRange(5, 30).Draw(rt, "steps") {
			p.now = p.now.Add(time.Duration(rapid.IntRange(1, 9*60).Draw(rt, "seconds")) * time.Second)
			p.step(rt)
			p.note()
		}
		p.now = p.now.Add(time.Minute)
		for _, m := range p.hosts { // whoever was out of reach tells the rest
			p.deliver(m)
		}
		for _, one := range p.told {
			compared++
			p.compare(rt, one)
		}
	})
	if compared < 100 {
		t.Errorf("only %d instants were compared", compared)
	}
}

func (p *past) step(rt *rapid.T) {
	switch rapid.SampledFrom([]string{"enrol", "report", "report", "report", "spool", "spool", "call", "silence", "release", "revoke"}).Draw(rt, "what") {
	case "enrol":
		p.enrol(rapid.SampledFrom(p.names).Draw(rt, "name"))
	case "release":
		p.released++
		p.must(p.fleet.Store.AddRelease(p.t.Context(), store.Release{Number: p.released, Commit: commit(p.released), Made: p.now}))
	case "silence":
		p.must(p.fleet.MarkSilent(p.t.Context(), p.now.Add(-24*time.Hour), p.now))
		for _, m := range p.hosts {
			h, err := p.fleet.Store.Host(p.t.Context(), m.id)
			p.must(err)
			m.silent = h.Status == policies.Stale
		}
	default:
		p.act(rt)
	}
}

// act lets one host do something.
func (p *past) act(rt *rapid.T) {
	alive := slices.DeleteFunc(slices.Clone(p.hosts), func(m *member) bool { return m.revoked })
	if len(alive) == 0 {
		return
	}
	m := rapid.SampledFrom(alive).Draw(rt, "host")
	switch rapid.SampledFrom([]string{"report", "report", "report", "spool", "spool", "call", "revoke"}).Draw(rt, "act") {
	case "report":
		m.spool = append(m.spool, p.report(rt, m))
		p.deliver(m)
	case "spool":
		m.spool = append(m.spool, p.report(rt, m))
	case "call":
		p.deliver(m)
	case "revoke":
		p.must(p.fleet.Store.Revoke(p.t.Context(), m.id, "ada", p.now))
		m.revoked = true
	}
}

func (p *past) enrol(name string) {
	if slices.ContainsFunc(p.hosts, func(m *member) bool { return m.name == name && !m.revoked }) {
		return
	}
	secret := fmt.Sprint("secret", len(p.hosts))
	p.must(p.fleet.Store.CreateToken(p.t.Context(), store.Token{ID: secret, Hash: inventory.Digest([]byte(secret)), Created: p.now, Expires: p.now.Add(time.Hour)}))
	_, key, err := ed25519.GenerateKey(rand.Reader)
	p.must(err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	p.must(err)
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	out, err := p.fleet.Enroll(p.t.Context(), protocol.Enrollment{Secret: secret, Name: name, CSR: csr}, p.now)
	p.must(err)
	p.hosts = append(p.hosts, &member{id: out.Host.ID, name: name})
}

// report is of a run that ends now.
func (p *past) report(rt *rapid.T, m *member) policies.Report {
	m.seq++
	statuses := []policies.Status{policies.Compliant, policies.Compliant, policies.Repaired, policies.Noncompliant, policies.Failed, policies.Waived, policies.Pending}
	var c policies.Catalog
	var r policies.Result
	for _, address := range []string{"policy.p.file.a", "policy.p.file.b", "policy.q.file.c"} {
		if rapid.IntRange(0, 5).Draw(rt, "wanted") > 0 {
			c.Resources = append(c.Resources, policies.Resource{Address: address, Kind: "file", Mode: policies.Enforce, Attributes: []byte("{}")})
		}
		if one := rapid.SampledFrom(statuses).Draw(rt, address); rapid.IntRange(0, 9).Draw(rt, "answered") > 0 {
			r.Resources = append(r.Resources, policies.ResourceResult{Address: address, Status: one})
		}
	}
	r.Catalog = p.object(c)
	report := policies.Report{Epoch: "epoch", Seq: m.seq, Release: p.released, Commit: commit(p.released), Facts: p.object(inventory.Facts{Arch: "amd64", CPUs: rapid.IntRange(1, 2).Draw(rt, "cpus")}),
		Catalog: r.Catalog, Result: p.object(r), Started: p.now, Finished: p.now, Audit: rapid.IntRange(0, 5).Draw(rt, "audit") == 0, Stale: rapid.IntRange(0, 5).Draw(rt, "expired") == 0}
	if rapid.IntRange(0, 5).Draw(rt, "broken") == 0 {
		report.Catalog, report.Result, report.Problem = "", "", "it does not compile"
	}
	return report
}

func (p *past) object(v any) string {
	raw, err := json.Marshal(v)
	p.must(err)
	p.objects[inventory.Digest(raw)] = raw
	return inventory.Digest(raw)
}

// deliver calls the server with all that is in the spool.
func (p *past) deliver(m *member) {
	if m.revoked {
		return
	}
	for {
		answer, err := p.fleet.CheckIn(p.t.Context(), m.id, protocol.CheckIn{Version: 1, Agent: "1.0", Reports: m.spool}, p.now)
		p.must(err)
		for _, digest := range answer.Want {
			p.must(p.fleet.PutObject(p.t.Context(), m.id, digest, p.objects[digest], p.now))
		}
		m.spool = slices.DeleteFunc(m.spool, func(r policies.Report) bool { return r.Seq <= answer.Accepted })
		if len(answer.Want) == 0 {
			m.silent = false
			return
		}
	}
}

// note writes down what is true now, unless the server does not know it yet: a host that is not
// silent has a report under way.
func (p *past) note() {
	if slices.ContainsFunc(p.hosts, func(m *member) bool { return len(m.spool) > 0 && !m.silent && !m.revoked }) {
		return
	}
	ctx := p.t.Context()
	f, err := p.views.Fleet(ctx, p.now)
	p.must(err)
	one := snapshot{at: p.now, fleet: p.plain(f), hosts: map[string]map[string]any{}}
	for _, name := range p.names {
		if d, err := p.views.Detail(ctx, name); err == nil {
			one.hosts[name] = p.plain(d)
		}
	}
	p.told = append(p.told, one)
}

// plain is what the API sends.
func (p *past) plain(v any) map[string]any {
	raw, err := json.Marshal(v)
	p.must(err)
	var all map[string]any
	p.must(json.Unmarshal(raw, &all))
	return all
}

func (p *past) compare(rt *rapid.T, one snapshot) {
	ctx := p.t.Context()
	f, err := p.views.FleetAt(ctx, one.at)
	p.must(err)
	alike(rt, fmt.Sprint("the fleet at ", one.at), p.plain(f), one.fleet)
	for _, name := range p.names {
		d, err := p.views.DetailAt(ctx, name, one.at)
		switch want := one.hosts[name]; {
		case want == nil && err == nil:
			rt.Fatalf("%s is there at %s, before it was enrolled", name, one.at)
		case want != nil:
			p.must(err)
			alike(rt, fmt.Sprint(name, " at ", one.at), p.plain(d), want)
		}
	}
}

// alike compares all but what the answer about the past itself calls unknown.
func alike(rt *rapid.T, what string, then, now map[string]any) {
	unknown, _ := then["unknown"].(string)
	for _, one := range []map[string]any{then, now} {
		for _, path := range strings.Split(unknown, ", ") {
			if outer, inner, nested := strings.Cut(path, "."); nested {
				delete(one[outer].(map[string]any), inner)
			} else {
				delete(one, path)
			}
		}
		delete(one, "unknown")
		delete(one, "as_of")
	}
	if diff := cmp.Diff(now, then); diff != "" {
		rt.Fatalf("%s is told otherwise (-then +now):\n%s", what, diff)
	}
}

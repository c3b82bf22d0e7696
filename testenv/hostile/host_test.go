package hostile_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/agent/transport"
	"plumb/inventory"
	"plumb/policies"
	"plumb/testenv/hostile"
)

// host says to a server what it likes, by the agent's own client.
type host struct {
	t    *testing.T
	name string
	call *transport.Client
	seq  uint64
}

func (s *site) enrol(name string) *host {
	var made struct {
		Token string `json:"token"`
	}
	s.ask("/v1/tokens", struct{}{}, &made)
	token, err := protocol.ParseToken(made.Token)
	must(s.t, err)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(s.t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(s.t, err)
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	door := transport.EnrollHTTPS(s.people, token.CA, time.Now)
	defer door.Close()
	is, err := door.Enroll(s.t.Context(), protocol.Enrollment{Secret: token.Secret, Name: name, CSR: csr})
	must(s.t, err)
	block, _ := pem.Decode([]byte(is.Certificate))
	client, err := transport.HTTPS(s.agents, is.CA, tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}, time.Now)
	must(s.t, err)
	s.t.Cleanup(client.Close)
	return &host{t: s.t, name: name, call: client}
}

// patient repeats what the server has no time for, or did not answer in time; everything else is the caller's.
func patient(ctx context.Context, try func() error) error {
	for {
		err := try()
		var refused *transport.Refused
		var slow net.Error
		switch {
		case errors.As(err, &refused) && refused.RetryAfter > 0:
		case errors.As(err, &slow) && slow.Timeout() && ctx.Err() == nil:
			continue
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(refused.RetryAfter):
		}
	}
}

func (h *host) checkIn(in protocol.CheckIn) (out protocol.Answer, err error) {
	in.Version = protocol.Version
	err = patient(h.t.Context(), func() error { out, err = h.call.CheckIn(h.t.Context(), in); return err })
	return out, err
}

// report sends a run, with those of its objects that the server asks for, and tells whether it was accepted.
func (h *host) report(words protocol.CheckIn, run policies.Report, objects ...[]byte) error {
	by := map[string][]byte{}
	for _, raw := range objects {
		by[inventory.Digest(raw)] = raw
	}
	run.Epoch, run.Seq, run.Started, run.Finished = "e-"+h.name, h.seq+1, time.Now().Add(-time.Second), time.Now()
	words.Reports = []policies.Report{run}
	for range 3 {
		out, err := h.checkIn(words)
		if err != nil {
			return err
		}
		if out.Accepted == run.Seq {
			h.seq++
			return nil
		}
		for _, digest := range out.Want {
			if err := patient(h.t.Context(), func() error { return h.call.Put(h.t.Context(), digest, by[digest]) }); err != nil {
				return err
			}
		}
	}
	return errors.New("the server asks again and again")
}

// run is a whole run of which every text is another one, with so many resources, and its objects.
func run(next func() string, rows int) (policies.Report, [][]byte) {
	var facts inventory.Facts
	var offers inventory.Offers
	hostile.Fill(&facts, next, 4)
	hostile.Fill(&offers, next, 3)
	offers.Manager, offers.Notices = "apt", nil // only names that are known are taken there
	for i := range offers.List {
		offers.List[i].Manager = "apt"
	}
	catalog, result := found(next, rows)
	objects := [][]byte{encoded(facts), encoded(offers), encoded(catalog), nil}
	result.Catalog = inventory.Digest(objects[2])
	objects[3] = encoded(result)
	return policies.Report{Release: 1, Problem: next(), Facts: inventory.Digest(objects[0]), Offers: inventory.Digest(objects[1]),
		Catalog: result.Catalog, Result: inventory.Digest(objects[3])}, objects
}

// found is a catalog and how it fared. Whatever the server takes only of a list is of that list.
func found(next func() string, rows int) (c policies.Catalog, r policies.Result) {
	hostile.Fill(&c, next, 4)
	c.Resources = make([]policies.Resource, rows)
	r.Resources = make([]policies.ResourceResult, rows)
	statuses := []policies.Status{policies.Noncompliant, policies.Failed, policies.Repaired, policies.Waived, policies.Unknown, policies.Skipped}
	for i := range rows {
		one, fared := &c.Resources[i], &r.Resources[i]
		hostile.Fill(one, next, 4)
		hostile.Fill(fared, next, 4)
		one.Address = fmt.Sprint(one.Address, " ", i)
		fared.Address, fared.Status = one.Address, statuses[i%len(statuses)]
		fared.Cause = policies.Causes[i%len(policies.Causes)]
		if i%2 == 0 {
			one.Severity = "critical" // so that there is an alert
		}
		if fared.Flapping.Until = time.Now().Add(time.Hour); i > 2 {
			fared.Flapping = nil
		}
	}
	return c, r
}

// words are those of a check-in that are no report.
func words(next func() string) protocol.CheckIn {
	return protocol.CheckIn{Agent: "1", Paused: &protocol.Pause{Until: next(), Reason: next()}}
}

// refusals sends what no object may hold, one text at a time, and counts what was refused. Each text is also sent as a word
// of a check-in, of which the server takes what it likes.
func (h *host) refusals(texts []string) (refused int) {
	h.t.Helper()
	for _, text := range texts {
		var no *transport.Refused
		if _, err := h.checkIn(protocol.CheckIn{Agent: text}); err != nil && !errors.As(err, &no) {
			h.t.Fatal(err)
		}
		if !hostile.Refused(text) {
			continue
		}
		body := []byte(`{"hostname":` + hostile.Quoted(text) + `}`)
		if err := h.report(protocol.CheckIn{Agent: "1"}, policies.Report{Release: 1, Facts: inventory.Digest(body)}, body); !errors.As(err, &no) || no.Code/100 != 4 {
			h.t.Errorf("%q in facts: %v, want it refused", text, err)
		}
		refused++
	}
	return refused
}

// quiet are the texts that objects may hold.
func quiet(texts []string) []string { return slices.DeleteFunc(slices.Clone(texts), hostile.Refused) }

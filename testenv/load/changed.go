package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
)

// What a changed result is about: of so many resources so many were changed since the run before.
const (
	resources = 300
	changes   = 10
	// reporters is how many hosts report in turn.
	reporters = 1024
)

// catalog is what all of the hosts were compiled.
func catalog() policies.Catalog {
	var c policies.Catalog
	for i := range resources {
		c.Resources = append(c.Resources, policies.Resource{Address: address(i), Kind: "file", Policy: "baseline",
			Title: fmt.Sprintf("Settings file %d is as it was decided", i), Mode: policies.Enforce, Severity: "medium",
			Controls: []string{fmt.Sprintf("cis_debian12:%d.%d", 1+i/50, 1+i%50)}, Attributes: json.RawMessage(fmt.Sprintf(`{"path":"/etc/settings/%d.conf","mode":"0600"}`, i)),
			Source: policies.Position{File: "baseline.hcl", Line: 10 * i}})
	}
	return c
}

func address(i int) string { return fmt.Sprintf("policy.baseline.file.settings_%03d", i) }

// result is what a host found at its nth run: ten resources, others each time, had been changed by
// somebody and were mended.
func result(digest string, host, n int) []byte {
	r := policies.Result{Catalog: digest, Resources: make([]policies.ResourceResult, resources)}
	for i := range r.Resources {
		r.Resources[i] = policies.ResourceResult{Address: address(i), Status: policies.Compliant, Mode: policies.Enforce}
	}
	for i := range changes {
		one := &r.Resources[(host*7+n*changes+i)%resources]
		one.Status, one.Cause = policies.Repaired, policies.Corrective
		one.Changes = []policies.Change{{Attribute: "mode", Before: fmt.Sprintf("0%03o", (host*31+n)%512), After: "0600"},
			{Attribute: "content", Before: fmt.Sprintf("sha256:%064x", host*1_000_003+n), After: fmt.Sprintf("sha256:%064x", i)}}
	}
	return encoded(r)
}

func encoded(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // these always encode
	}
	return raw
}

// packed compresses as agents do.
func packed(raw []byte) []byte {
	b, err := protocol.Pack(raw)
	if err != nil {
		panic(err) // a buffer takes it all
	}
	return b
}

// story is all that hosts are going to report.
type story struct {
	shared map[string][]byte
	// by host, then by run: check-ins with a report and its result, ready to be sent
	changes [][][]byte
}

// tell makes up, beforehand, what each host reports in its runs.
func tell(hosts []*host, runs int) *story {
	cat, facts := encoded(catalog()), encoded(inventory.Facts{OS: inventory.OS{ID: "debian", Version: "12"}, Arch: "amd64"})
	s := &story{shared: map[string][]byte{inventory.Digest(cat): cat, inventory.Digest(facts): facts}, changes: make([][][]byte, len(hosts))}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, h := range hosts {
		g.Go(func() error {
			for n := range runs {
				s.changes[i] = append(s.changes[i], h.change(inventory.Digest(cat), inventory.Digest(facts), n))
			}
			return nil
		})
	}
	_ = g.Wait()
	return s
}

func (h *host) change(catalog, facts string, n int) []byte {
	raw := result(catalog, h.n, n)
	at := time.Now().UTC()
	report := policies.Report{Epoch: h.epoch, Seq: uint64(n) + 1, Release: 1, Commit: strings.Repeat("c", 40), Facts: facts, Catalog: catalog,
		Result: inventory.Digest(raw), Started: at.Add(-time.Second), Finished: at, BootID: "boot"}
	return request("POST", protocol.PathCheckIn, "", encoded(protocol.CheckIn{Version: protocol.Version, Agent: "load",
		Reports: []policies.Report{report}, Objects: map[string][]byte{report.Result: packed(raw)}}))
}

// changed has hosts deliver changed results, on each database, with as many clients as elsewhere and with
// four times as many: the more reports share a commit, the less each of them costs.
func (s settings) changed(ctx context.Context, t *table) error {
	few, many := s, s
	many.clients *= 4
	for _, db := range strings.Split(s.db, ",") {
		for _, one := range []settings{few, many} {
			if err := one.changedOn(ctx, t, db); err != nil {
				return fmt.Errorf("on %s: %w", db, err)
			}
		}
	}
	return nil
}

func (s settings) changedOn(ctx context.Context, t *table, db string) error {
	dsn, database := "", func() time.Duration { return 0 } // SQLite is part of the server
	if db == "postgres" {
		pg, err := newPostgres()
		if err != nil {
			return err
		}
		defer pg.Stop()
		dsn, database = pg.dsn, pg.cpu
	}
	v, err := newSite(ctx, s.bin, dsn)
	if err != nil {
		return err
	}
	defer v.close()
	if err := v.release(ctx); err != nil {
		return err
	}
	hosts, err := v.enrol(ctx, reporters)
	if err != nil {
		return err
	}
	told := tell(hosts, s.runs())
	lines, err := dialAll(ctx, v.agents, hosts)
	if err != nil {
		return err
	}
	defer hangUp(lines)
	var stored atomic.Int64
	ours, theirs := cpuOf("/proc/self/stat"), database()
	got := drive(ctx, v.process, s.clients, s.length*time.Duration(s.rounds), func(_ context.Context, client, n int) error {
		i := s.turn(client, n, len(hosts))
		run := n / (len(hosts) / s.clients)
		if run >= len(told.changes[i]) {
			return fmt.Errorf("host %d has told all that was made up for it", i)
		}
		if err := hosts[i].deliver(lines[i], told, told.changes[i][run], uint64(run)+1); err != nil {
			return err
		}
		stored.Add(1)
		return nil
	})
	if got.err != nil {
		return got.err
	}
	each := func(d time.Duration) time.Duration {
		return (d / time.Duration(max(got.done, 1))).Round(time.Microsecond)
	}
	fmt.Printf("changed results on %s, %d clients: %.0f/s (%v of the server's CPU each, %v of the clients', %v of the database's own), p50 %v, p99 %v, resident %d MB\n", db, s.clients, got.rate(),
		each(got.cpu), each(cpuOf("/proc/self/stat")-ours), each(database()-theirs), got.quantile(0.5).Round(time.Microsecond), got.quantile(0.99).Round(time.Microsecond), v.resident()>>20)
	t.add(fmt.Sprintf("changed results stored on %s, %d clients, %d resources, %d changes (%v of CPU each)", db, s.clients, resources, changes, got.each().Round(time.Microsecond)),
		perSecond(got.rate()), "", "", "2000/s")
	return v.count(ctx, int(stored.Load()))
}

// runs is how many reports are made up for each host: enough for 4,000 a second.
func (s settings) runs() int {
	return int(4000*s.length.Seconds()*float64(s.rounds))/reporters + 2
}

// deliver sends a report as an agent does: with its result, then what the server lacks besides, then
// the report again. Nothing counts before the server says that it is stored.
func (h *host) deliver(l *line, told *story, report []byte, seq uint64) error {
	for {
		a, err := l.exchange(report)
		if err != nil {
			return err
		}
		var said protocol.Answer
		if a.code == http.StatusOK {
			err = json.Unmarshal(a.body, &said)
		} else {
			err = fmt.Errorf("the server answered %d: %.200s", a.code, a.body)
		}
		if err != nil {
			return err
		}
		if said.Accepted >= seq {
			return nil
		}
		if len(said.Want) == 0 {
			return fmt.Errorf("report %d is not accepted, and nothing is wanted", seq)
		}
		for _, digest := range said.Want {
			if a, err = l.exchange(request("PUT", protocol.PathObjects+digest, "gzip", packed(told.shared[digest]))); err != nil {
				return err
			}
			if a.code != http.StatusOK && a.code != http.StatusForbidden { // forbidden: another host was faster
				return fmt.Errorf("the server answered %d to an object: %.200s", a.code, a.body)
			}
		}
	}
}

// count holds what the server shows against what it acknowledged: each report repaired ten resources.
func (v *site) count(ctx context.Context, reports int) error {
	raw, err := v.ask(ctx, "GET", "/v1/hosts/host000000.example.org", nil)
	if err != nil {
		return err
	}
	if !bytes.Contains(raw, []byte(`"repaired": 10`)) {
		return fmt.Errorf("the server does not show what %d reports said: %.500s", reports, raw)
	}
	return nil
}

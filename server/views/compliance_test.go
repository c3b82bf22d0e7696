package views

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// someWorld is a fleet of which all is known besides what the store has.
type someWorld struct {
	t     *testing.T
	store *store.Store
	hosts map[string]*someHost
	seq   uint64
}

// someHost is what one host should be and what was found there; without a catalog nothing is known.
type someHost struct {
	catalog []policies.Resource
	found   map[string]policies.Status
	silent  bool
	gone    bool
}

// anyResource is one of a few resources, of few policies and controls.
func anyResource() *rapid.Generator[policies.Resource] {
	return rapid.Custom(func(t *rapid.T) policies.Resource {
		policy := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "policy")
		controls := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"cis:1", "cis:2", "stig:7", "plain"}), 0, 2, rapid.ID).Draw(t, "controls")
		return policies.Resource{Policy: policy, Address: fmt.Sprintf("policy.%s.file.%d", policy, rapid.IntRange(0, 3).Draw(t, "n")),
			Controls: controls, NotApplicable: rapid.IntRange(0, 5).Draw(t, "na") == 0, Mode: rapid.SampledFrom([]policies.Mode{policies.Enforce, policies.Audit}).Draw(t, "mode")}
	})
}

func anyCatalog() *rapid.Generator[[]policies.Resource] {
	return rapid.SliceOfNDistinct(anyResource(), 0, 7, func(r policies.Resource) string { return r.Address })
}

// report gives a host something new to say.
func (w *someWorld) report(t *rapid.T, name string, catalog []policies.Resource) {
	h := w.hosts[name]
	h.catalog, h.found = catalog, map[string]policies.Status{}
	bad := slices.DeleteFunc(slices.Clone(policies.Statuses), func(s policies.Status) bool {
		return Fine(s) || s == policies.Stale
	})
	for _, r := range catalog {
		if !r.NotApplicable && rapid.IntRange(0, 2).Draw(t, "bad") == 0 {
			h.found[r.Address] = rapid.SampledFrom(bad).Draw(t, "status")
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "extra") == 0 {
		h.found["policy.b.file.extra"] = policies.Unexpected
	}
	w.accept(name)
}

func (w *someWorld) accept(name string) {
	h := w.hosts[name]
	w.seq++
	at := noon.Add(time.Duration(w.seq) * time.Second)
	one := store.Step{NewInterval: true, Report: policies.Report{Epoch: "e", Seq: w.seq},
		Host: store.Host{Release: 1, Catalog: w.object(store.KindCatalog, policies.Catalog{Resources: h.catalog}),
			Since: at, Ran: at, Found: policies.Compliant}}
	var result policies.Result
	for _, address := range slices.Sorted(maps.Keys(h.found)) {
		result.Resources = append(result.Resources, policies.ResourceResult{Address: address, Status: h.found[address]})
		if h.found[address] == policies.Pending {
			continue
		}
		one.Findings = append(one.Findings, store.Finding{Address: address, Status: h.found[address], Since: at})
	}
	one.Host.Result, one.Host.Counts = w.object(store.KindResult, result), result.Counts()
	row, err := w.store.Host(w.t.Context(), id(name))
	w.must(err)
	w.must(w.store.Seen(w.t.Context(), id(name), store.Heartbeat{}, at))
	w.must(w.store.Accept(w.t.Context(), id(name), row.Epoch, row.Seq, []store.Step{one}, at))
	h.silent = false
}

func id(name string) inventory.HostID { return inventory.HostID("id-" + name) }

func (w *someWorld) object(kind string, v any) string {
	raw, err := json.Marshal(v)
	w.must(err)
	digest := inventory.Digest(raw)
	w.must(w.store.PutObject(w.t.Context(), store.Ref{Kind: kind, Digest: digest}, raw, noon))
	return digest
}

func (w *someWorld) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *someWorld) enrol(name string) {
	ctx := w.t.Context()
	w.must(w.store.CreateToken(ctx, store.Token{ID: name, Hash: name, Created: noon, Expires: noon.Add(time.Hour)}))
	w.must(w.store.CreateHost(ctx, store.Host{Host: inventory.Host{ID: id(name), Name: name}, Key: name}, name, noon))
	w.hosts[name] = &someHost{}
}

// stands is how a host stands with the resources that the filter selects, by looking at each.
func (h *someHost) stands(f StandingFilter) (policies.Status, bool) {
	declared, all := map[string]bool{}, []policies.Status{}
	for _, r := range h.catalog {
		if declared[r.Address] = true; r.NotApplicable || !f.is(&head{Address: r.Address, Policy: r.Policy, Controls: r.Controls}) {
			continue
		}
		status := policies.Compliant
		if bad, is := h.found[r.Address]; is {
			status = bad
		}
		all = append(all, status)
	}
	for address, status := range h.found {
		if !declared[address] && !h.silent && f.is(&head{Address: address, Policy: policyOf(address)}) {
			all = append(all, status)
		}
	}
	if h.silent && len(all) > 0 {
		return policies.Stale, true
	}
	return policies.Worst(all...), len(all) > 0
}

// tally counts hosts one by one.
func (w *someWorld) tally(f StandingFilter) Tally {
	t := Tally{}
	for _, h := range w.hosts {
		if status, counts := h.stands(f); counts && !h.gone && h.catalog != nil {
			t[status]++
		}
	}
	return t
}

// check compares each number with one that was counted host by host, and with the hosts behind it.
func (w *someWorld) check(t *rapid.T, r Reader) {
	c, err := r.Compliance(w.t.Context())
	w.must(err)
	hosts, unanswered := 0, 0
	for _, h := range w.hosts {
		if !h.gone {
			hosts++
			if h.catalog == nil {
				unanswered++
			}
		}
	}
	if c.Hosts != hosts || c.Unanswered != unanswered {
		t.Fatalf("%d hosts, %d without an answer, want %d and %d", c.Hosts, c.Unanswered, hosts, unanswered)
	}
	w.same(t, r, unanswered, StandingFilter{}, nil)
	for _, p := range c.Policies {
		w.same(t, r, p.Status.Hosts(), StandingFilter{Policy: p.Name}, p.Status)
		for _, one := range p.Resources {
			w.same(t, r, one.Status.Hosts(), StandingFilter{Address: one.Address}, one.Status)
		}
	}
	for _, framework := range c.Frameworks {
		for _, one := range framework.Controls {
			w.same(t, r, one.Status.Hosts(), StandingFilter{Control: one.Control}, one.Status)
			if passes := one.Status.Passing() == one.Status.Hosts() && one.Status.Hosts() > 0 && unanswered == 0; passes != (one.Verdict == VerdictPass) {
				t.Fatalf("%s is %s with %v and %d hosts without an answer", one.Control, one.Verdict, one.Status, unanswered)
			}
		}
	}
}

func (w *someWorld) same(t *rapid.T, r Reader, hosts int, f StandingFilter, got Tally) {
	if diff := cmp.Diff(w.tally(f), got); got != nil && diff != "" {
		t.Fatalf("tally of %+v differs (-want +got):\n%s", f, diff)
	}
	listed := Tally{}
	for {
		f.Limit = 2
		rows, err := r.HostStandings(w.t.Context(), f)
		w.must(err)
		for _, row := range rows {
			listed[row.Status]++
			f.After = row.Host
		}
		if len(rows) < f.Limit {
			break
		}
	}
	if diff := cmp.Diff(got, listed); got != nil && diff != "" || listed.Hosts() != hosts {
		t.Fatalf("the hosts of %+v are %v, want %v, %d hosts", f, listed, got, hosts)
	}
}

// TestComplianceOfRandomFleets lets hosts of a random fleet report, fall silent and go, and counts
// after each how all stand, with a memory that is there all the time.
func TestComplianceOfRandomFleets(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s, err := store.Open(t.Context(), filepath.Join(dir, fmt.Sprint(n, ".db")))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w := &someWorld{t: t, store: s, hosts: map[string]*someHost{}}
		r := Reader{Store: s, Memory: &Memory{}}
		catalogs := rapid.SliceOfN(anyCatalog(), 1, 3).Draw(rt, "catalogs")
		for _, name := range strings.Split("abcdef", "")[:rapid.IntRange(0, 6).Draw(rt, "hosts")] {
			w.enrol(name)
		}
		names := slices.Sorted(maps.Keys(w.hosts))
		for range rapid.IntRange(0, 6).Draw(rt, "steps") {
			if len(names) == 0 {
				break
			}
			w.step(rt, rapid.SampledFrom(names).Draw(rt, "host"), rapid.SampledFrom(catalogs).Draw(rt, "catalog"))
			w.check(rt, r)
		}
		w.check(rt, r)
	})
}

func (w *someWorld) step(t *rapid.T, name string, catalog []policies.Resource) {
	h := w.hosts[name]
	switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
	case h.gone:
	case what == 0:
		w.must(w.store.Revoke(w.t.Context(), id(name), "ada", noon.Add(time.Hour)))
		h.gone = true
	case what < 3:
		w.must(w.store.Seen(w.t.Context(), id(name), store.Heartbeat{}, noon.Add(-time.Hour)))
		_, err := w.store.MarkStale(w.t.Context(), noon.Add(-time.Minute), noon.Add(time.Hour))
		w.must(err)
		h.silent = true
	default:
		w.report(t, name, catalog)
	}
}

func TestByNumbers(t *testing.T) {
	want := []string{"", "5", "5.1", "5.1.2", "5.1.16", "5.2", "10.1", "a2", "a10", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, byNumbers)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("byNumbers orders otherwise (-want +got):\n%s", diff)
	}
}

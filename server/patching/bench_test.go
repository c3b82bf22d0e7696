package patching

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/compiler"
	"plumb/policies/patch"
	"plumb/server/advisories"
	"plumb/server/rollout"
	"plumb/server/store"
)

// The test program is its own compiler child, as both mains are.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compiler.Argument {
		os.Exit(compiler.Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const policy = `
group "all" { match = true }
patch_baseline "os" {
  source { origin = "Debian" }
  approve { after = "1d" }
}
rollout "os" {
  carries = patch_baseline.os
  emergency { match = advisory.exploited }
  ring "all" { group = group.all }
}
rollout "config" {
  carries = "releases"
  ring "all" { group = group.all }
}
`

// bench is a server's parts with hosts that report.
type bench struct {
	testing.TB
	store *store.Store
	maker *Maker
	now   time.Time
	n     int
}

func newBench(t testing.TB, policy string) *bench {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := &bench{TB: t, store: s, now: noon}
	log := slog.New(slog.DiscardHandler)
	clock := func() time.Time { return b.now }
	driver := &rollout.Driver{Store: s, Compiler: compiler.Compiler{}, Now: clock, Log: log}
	b.maker = &Maker{Store: s, Rollouts: driver, Compiler: compiler.Compiler{}, Now: clock, Log: log}
	b.release(1, policy)
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) same(what string, got, want any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Fatalf("%s differs (-want +got):\n%s", what, diff)
	}
}

func (b *bench) put(kind string, raw []byte) string {
	b.Helper()
	digest := inventory.Digest(raw)
	b.must(b.store.PutObject(b.Context(), store.Ref{Kind: kind, Digest: digest}, raw, b.now))
	return digest
}

func (b *bench) object(kind string, v any) string {
	b.Helper()
	raw, err := json.Marshal(v)
	b.must(err)
	return b.put(kind, raw)
}

func (b *bench) release(n uint64, policy string) {
	b.Helper()
	raw, err := bundle.Pack(bundle.Tree{"site.hcl": []byte(policy)})
	b.must(err)
	b.must(b.store.AddRelease(b.Context(), store.Release{Number: n, Commit: "c", Tag: "t", Bundle: b.put(store.KindBundle, raw), Made: b.now}))
}

// terms are those of the policy, with something changed.
func terms(change func(*patch.Baseline)) patch.Terms {
	base := patch.Baseline{Name: "os", Sources: []patch.Source{{Origin: "Debian"}}, Rules: []patch.Rule{{After: 86400}}}
	if change != nil {
		change(&base)
	}
	return patch.Terms{Groups: []string{"all"}, Baselines: []patch.Baseline{base},
		SLAs: []patch.SLA{{Name: "standard", Anchor: patch.FirstSeen, Within: map[string]int{"critical": 86400, "high": 86400}}}}
}

func offer(name, version string) inventory.Offer {
	return inventory.Offer{Package: name, Source: name, Installed: "1", Candidate: version, Arch: "amd64", Manager: "apt",
		Origin: "Debian", Label: "Debian", Codename: "bookworm"}
}

// report is a host that tells what is on offer to it, under the terms of a release; nil offers are
// not known. The host enrols when it is new.
func (b *bench) report(name string, release uint64, t patch.Terms, offers []inventory.Offer) {
	b.Helper()
	b.tell(name, release, t, &inventory.Offers{Manager: "apt", List: offers})
}

func (b *bench) tell(name string, release uint64, t patch.Terms, offers *inventory.Offers) {
	b.Helper()
	ctx := b.Context()
	h, err := b.store.HostByName(ctx, name)
	if err != nil {
		b.must(b.store.CreateToken(ctx, store.Token{ID: name, Hash: name, Created: b.now, Expires: b.now.Add(time.Hour)}))
		b.must(b.store.CreateHost(ctx, store.Host{Host: inventory.Host{ID: inventory.HostID(name), Name: name}, Key: name}, name, b.now))
		h, err = b.store.HostByName(ctx, name)
		b.must(err)
	}
	b.n++
	now := store.Host{Release: release, Facts: b.put(store.KindFacts, []byte("{}")), Catalog: "c", Result: fmt.Sprint("r", b.n), Since: b.now, Ran: b.now, Found: policies.Compliant}
	step := store.Step{NewInterval: true, Report: policies.Report{Epoch: "e", Seq: h.Seq + 1}, Host: now}
	if offers.List != nil {
		step.Host.Offers, step.Offered = b.object(store.KindOffers, offers), offers.List
		for _, n := range offers.Notices {
			step.Notices = append(step.Notices, advisories.OfNotice(offers.Manager, n))
		}
	}
	b.must(b.store.Accept(ctx, h.ID, h.Epoch, h.Seq, []store.Step{step}, b.now))
	h, err = b.store.HostByName(ctx, name)
	b.must(err)
	raw, err := json.Marshal(t)
	b.must(err)
	b.must(b.store.SetExpected(ctx, []store.Expectation{{Host: h, Terms: raw}}, b.now))
}

func (b *bench) step(later time.Duration) {
	b.Helper()
	b.now = b.now.Add(later)
	b.must(b.maker.Step(b.Context()))
}

// cycles says which cycles there are, the oldest first: number, lane and packages.
func (b *bench) cycles() []string {
	b.Helper()
	rows, err := b.store.Cycles(b.Context(), "os", 100, 0)
	b.must(err)
	lines := []string{}
	for _, row := range rows {
		s, err := rollout.ReadCycle(row)
		b.must(err)
		line := fmt.Sprint(row.Number)
		if s.Emergency {
			line += " emergency"
		}
		set, err := ReadSet(b.Context(), b.store, row.Set)
		b.must(err)
		for _, i := range set.Items {
			line += " " + i.Package + "=" + i.Version
			if i.Dependency {
				line += "(part)"
			}
		}
		lines = append([]string{line}, lines...)
	}
	return lines
}

// end makes the newest cycle one that is over.
func (b *bench) end(change func(*rollout.State)) {
	b.Helper()
	row, err := b.store.NewestCycle(b.Context(), "os")
	b.must(err)
	s, err := rollout.ReadCycle(row)
	b.must(err)
	change(&s)
	raw, err := json.Marshal(s)
	b.must(err)
	row.State = string(raw)
	b.must(b.store.SaveCycle(b.Context(), row))
}

func (b *bench) done() {
	b.Helper()
	b.end(func(s *rollout.State) {
		s.Done = b.now
		for i := range s.Rings {
			s.Rings[i].Phase = rollout.Passed
		}
	})
}

package views

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/store"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// bench is a store with hosts in it.
type bench struct {
	*testing.T
	Reader
}

func newBench(t *testing.T) bench {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return bench{t, Reader{Store: s}}
}

func (b bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b bench) object(kind string, v any) string {
	b.Helper()
	raw, err := json.Marshal(v)
	b.must(err)
	digest := inventory.Digest(raw)
	b.must(b.Store.PutObject(b.Context(), store.Ref{Kind: kind, Digest: digest}, raw, noon))
	return digest
}

// host stores a host that was offered the list at a time, under the terms; nil is not known.
func (b bench) host(name string, offers []inventory.Offer, terms *patch.Terms, seen time.Time) {
	b.Helper()
	ctx := b.Context()
	id := inventory.HostID("id-" + name)
	b.must(b.Store.CreateToken(ctx, store.Token{ID: name, Hash: name, Created: noon, Expires: noon.Add(time.Hour)}))
	b.must(b.Store.CreateHost(ctx, store.Host{Host: inventory.Host{ID: id, Name: name}, Key: name}, name, noon))
	h := store.Host{Release: 1, Facts: "f", Catalog: "c", Result: "r", Since: seen, Ran: seen, Found: policies.Compliant}
	if offers != nil {
		h.Offers = b.object(store.KindOffers, inventory.Offers{Manager: "apt", List: offers})
	}
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: 1}, Host: h, Offered: offers, NewInterval: true}
	b.must(b.Store.Accept(ctx, id, "", 0, []store.Step{step}, seen))
	if terms != nil {
		stored, err := b.Store.Host(ctx, id)
		b.must(err)
		raw, err := json.Marshal(terms)
		b.must(err)
		b.must(b.Store.SetExpected(ctx, []store.Expectation{{Host: stored, Terms: raw}}, noon))
	}
}

func offer(name, version string) inventory.Offer {
	return inventory.Offer{Package: name, Source: name, Installed: "1", Candidate: version, Manager: "apt",
		Origin: "Debian", Label: "Debian-Security", Codename: "bookworm-security", Security: true}
}

func webTerms() *patch.Terms {
	baseline := func(name string, after int) patch.Baseline {
		return patch.Baseline{Name: name, Sources: []patch.Source{{Origin: "Debian"}}, Rules: []patch.Rule{{After: after}}}
	}
	return &patch.Terms{Groups: []string{"web"}, Baselines: []patch.Baseline{baseline("slow", 3*86400), baseline("fast", 86400)},
		SLAs: []patch.SLA{{Name: "standard", Anchor: patch.Published, Within: map[string]int{"high": 86400}}}}
}

func (b bench) fleet() {
	yesterday := noon.AddDate(0, 0, -2)
	b.host("web1", []inventory.Offer{offer("openssl", "2")}, webTerms(), yesterday)
	b.host("web2", []inventory.Offer{offer("openssl", "2"), offer("bash", "2")}, webTerms(), noon)
	b.host("db1", []inventory.Offer{}, &patch.Terms{Groups: []string{"db"}}, noon)
	b.host("db2", []inventory.Offer{offer("openssl", "2")}, &patch.Terms{Groups: []string{"db"}}, noon)
	b.host("new1", []inventory.Offer{offer("openssl", "2")}, nil, noon)
	b.host("mute1", nil, webTerms(), noon)
}

func TestPatchStatus(t *testing.T) {
	b := newBench(t)
	b.fleet()
	got, err := b.PatchStatus(b.Context(), PatchFilter{}, noon)
	b.must(err)
	lines := []string{}
	for _, u := range got.Updates {
		raw, err := json.Marshal([]any{u.State, u.Package, u.Baseline, u.Until, u.Hosts})
		b.must(err)
		lines = append(lines, string(raw))
	}
	want := []string{
		`["approved","openssl","fast",null,["web1","web2"]]`,
		`["waiting","bash","fast","2026-11-22T12:00:00Z",["web2"]]`,
		`["waiting","bash","slow","2026-11-24T12:00:00Z",["web2"]]`,
		`["waiting","openssl","slow","2026-11-22T12:00:00Z",["web1","web2"]]`,
		`["not_applicable","openssl","",null,["db2"]]`,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
	if got.Hosts != 6 || got.Current != 1 || len(got.Unknown) != 2 || got.Counts[patch.Waiting] != 4 || got.Counts[patch.Approved] != 2 {
		t.Errorf("PatchStatus = %+v", got)
	}
}

func TestPatchStatusOfSome(t *testing.T) {
	b := newBench(t)
	b.fleet()
	for name, c := range map[string]struct {
		filter                  PatchFilter
		hosts, current, unknown int
		updates                 int
	}{
		"group":           {PatchFilter{Group: "db"}, 2, 1, 0, 1},
		"host":            {PatchFilter{Host: "web1"}, 1, 0, 0, 2},
		"host in group":   {PatchFilter{Host: "web1", Group: "db"}, 0, 0, 0, 0},
		"unknown host":    {PatchFilter{Host: "mute1"}, 1, 0, 1, 0},
		"group of nobody": {PatchFilter{Group: "x"}, 0, 0, 0, 0},
	} {
		got, err := b.PatchStatus(b.Context(), c.filter, noon)
		b.must(err)
		if got.Hosts != c.hosts || got.Current != c.current || len(got.Unknown) != c.unknown || len(got.Updates) != c.updates {
			t.Errorf("%s: PatchStatus = %+v, want %+v", name, got, c)
		}
	}
}

func TestPatchAdvisoriesAndSLAs(t *testing.T) {
	b := newBench(t)
	b.fleet()
	affects := func(release, fixed string) []patch.Affected {
		return []patch.Affected{{Origin: "Debian", Release: release, Package: "openssl", Fixed: fixed}}
	}
	b.must(b.Store.PutAdvisories(b.Context(), []patch.Advisory{
		{ID: "DSA-1", Severity: "high", Published: noon.AddDate(0, 0, -3), Affected: affects("bookworm", "2")},
		{ID: "DSA-2", Severity: "high", Published: noon, Affected: affects("bookworm", "1.5")},
		{ID: "DSA-3", Severity: "critical", Published: noon, Affected: affects("bookworm", "3")},
		{ID: "DSA-4", Severity: "low", Published: noon, Affected: affects("bookworm", "1")},
	}, noon))
	list, err := b.PatchAdvisories(b.Context(), PatchFilter{}, false, 10)
	b.must(err)
	got := map[string][]string{}
	for _, a := range list {
		got[a.ID] = a.Hosts.Names()
	}
	lack := []string{"db2", "web1", "web2"}
	if diff := cmp.Diff(map[string][]string{"DSA-1": lack, "DSA-2": lack}, got); diff != "" {
		t.Errorf("advisories (-want +got):\n%s", diff)
	}
	all, err := b.PatchAdvisories(b.Context(), PatchFilter{}, true, 10)
	b.must(err)
	if len(all) != 4 || all[0].Hosts.Len() == 0 || all[3].Hosts.Len() != 0 {
		t.Errorf("all advisories = %+v", all)
	}
	slas, err := b.PatchSLAs(b.Context(), PatchFilter{}, noon)
	b.must(err)
	want := []PatchSLA{{Name: "standard", Anchor: patch.Published, Open: 4, Overdue: 2, Entries: []PatchSLADue{
		{Advisory: "DSA-1", Severity: "high", Due: noon.AddDate(0, 0, -2), Overdue: true, Packages: []string{"openssl"}, Hosts: HostsNamed("web1", "web2")},
		{Advisory: "DSA-2", Severity: "high", Due: noon.AddDate(0, 0, 1), Packages: []string{"openssl"}, Hosts: HostsNamed("web1", "web2")},
	}}}
	if diff := cmp.Diff(want, slas); diff != "" {
		t.Errorf("SLAs (-want +got):\n%s", diff)
	}
}

package views

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/kpi"
	"plumb/server/store"
)

var kpiStart = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func kpiStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func kpiHost(t testing.TB, s *store.Store, name string) inventory.HostID {
	t.Helper()
	token := store.Token{ID: "t-" + name, Hash: "hash-" + name, Created: kpiStart, Expires: kpiStart.Add(time.Hour)}
	id := inventory.HostID("id-" + name)
	h := store.Host{Host: inventory.Host{ID: id, Name: name}, Key: "SHA256:" + name}
	for _, err := range []error{s.CreateToken(t.Context(), token), s.CreateHost(t.Context(), h, token.Hash, kpiStart)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// kpiStep is a report, n minutes after the start, of a run that mended what had drifted.
func kpiStep(n int) store.Step {
	at := kpiStart.Add(time.Duration(n) * time.Minute)
	return store.Step{
		NewInterval: true,
		Report:      policies.Report{Epoch: "e", Seq: uint64(n)},
		Host: store.Host{Release: 1, Commit: "c1", Facts: "f", Catalog: "c", Result: fmt.Sprint("r", n), Since: at, Ran: at, Found: policies.Repaired,
			Counts: map[policies.Status]int{policies.Compliant: 299, policies.Repaired: 1}},
		Events: []store.Event{{Seq: uint64(n), At: at, Kind: store.EventRepaired, Address: fmt.Sprintf("policy.p.file.f%d", n%7), Cause: policies.Corrective,
			Status: policies.Repaired, Changes: []policies.Change{{Attribute: "mode", Before: "0644", After: "0600"}}, Release: 1, Commit: "c1"}},
	}
}

func kpiReport(t testing.TB, s *store.Store, id inventory.HostID, upTo int) {
	t.Helper()
	kpiReports(t, s, id, upTo, 1)
}

// kpiReports are so many reports, minutes apart.
func kpiReports(t testing.TB, s *store.Store, id inventory.HostID, reports, apart int) {
	t.Helper()
	var steps []store.Step
	for n := 1; n <= reports; n++ {
		steps = append(steps, kpiStep(n*apart))
	}
	now := kpiStart.Add(time.Duration(reports*apart) * time.Minute)
	if err := s.Seen(t.Context(), id, store.Heartbeat{}, now); err != nil {
		t.Fatal(err)
	}
	if err := s.Accept(t.Context(), id, "", 0, steps, now); err != nil {
		t.Fatal(err)
	}
}

func kpiQuery(minutes int) KPIFilter {
	end := kpiStart.Add(time.Duration(minutes) * time.Minute)
	return KPIFilter{Query: kpi.Query{From: kpiStart, To: end, AsOf: end}}
}

// TestKPIsFromTheStore has two hosts with three reports each, a release and a rollout that halted and went on,
// a patch cycle that is through, and reads them as the formulas need them.
func TestKPIsFromTheStore(t *testing.T) {
	s, ctx := kpiStore(t), t.Context()
	a, b := kpiHost(t, s, "a"), kpiHost(t, s, "b")
	for _, err := range []error{
		s.AddRelease(ctx, store.Release{Number: 1, Commit: "c1", Committed: kpiStart.Add(-time.Minute), Made: kpiStart.Add(time.Second)}),
		s.PutRollouts(ctx, store.Rollout{Release: 1, State: `{"plan":{"name":"config"},"history":[
			{"at":"2026-11-01T12:00:01Z","ring":"all","what":"rolling"},{"at":"2026-11-01T12:00:02Z","ring":"all","what":"halted"},
			{"at":"2026-11-01T12:00:03Z","ring":"all","what":"rolling"},{"at":"2026-11-01T12:00:30Z","what":"done"}]}`}),
		s.SaveCycle(ctx, store.Cycle{Rollout: "security", Number: 1, Set: "s", Made: kpiStart, State: `{"plan":{"name":"security"},"history":[
			{"at":"2026-11-01T12:01:00Z","ring":"all","what":"rolling"},{"at":"2026-11-01T12:02:00Z","what":"done"}]}`}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	kpiReport(t, s, a, 3)
	kpiReport(t, s, b, 3)
	f, err := Reader{Store: s}.KPIs(ctx, kpiQuery(4))
	if err != nil {
		t.Fatal(err)
	}
	want := []kpi.Record{
		{ID: "security/1", Kind: kpi.Cycle, Made: kpiStart, Outcome: kpi.Succeeded, Why: "each host that could be reached converged",
			Closed: kpiStart.Add(2 * time.Minute)},
		{ID: "1", Kind: kpi.Release, Made: kpiStart.Add(time.Second), Outcome: kpi.Failed, Why: "halted on its way, 1 in all, though it came through",
			Closed: kpiStart.Add(time.Minute), Targeted: 2, Converged: 2},
	}
	if diff := cmp.Diff(want, f.List); diff != "" {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
	// Each host was mended at minutes 1, 2 and 3: of the first one nothing is known before. The
	// host last called at minute 3, so that 300 resources are in order from 1 to 3: 2·300 minutes each.
	if d := f.Drift; d.Episodes != 6 || d.Detect.N != 4 || *d.Detect.Max != 60 || d.InOrder != 2*2*300*60 {
		t.Errorf("drift = %+v", d)
	}
	one := kpiQuery(4)
	one.Host = "a"
	if f, err = (Reader{Store: s}).KPIs(ctx, one); err != nil || f.Hosts != 1 || f.Drift.Episodes != 3 {
		t.Errorf("of one host: %d hosts, %d episodes, %v", f.Hosts, f.Drift.Episodes, err)
	}
	one = kpiQuery(4)
	one.Group = "web" // no host has reported its groups
	if f, err = (Reader{Store: s}).KPIs(ctx, one); err != nil || f.Hosts != 0 {
		t.Errorf("of a group that nobody is known to be in: %d hosts, %v", f.Hosts, err)
	}
}

// TestStandingOf holds what counts as sound against the words of all statuses.
func TestStandingOf(t *testing.T) {
	for column, c := range map[string]struct {
		status string
		want   standing
	}{
		`{}`:                               {"not_applicable", standing{sound: true}}, // a catalog without resources
		`{"compliant":2,"repaired":1}`:     {"repaired", standing{sound: true, inOrder: 3}},
		`{"compliant":2,"noncompliant":1}`: {"noncompliant", standing{sound: true, inOrder: 2}},
		`{"compliant":2,"pending":1}`:      {"pending", standing{waits: true, inOrder: 2}},
		`{"compliant":2,"error":1}`:        {"error", standing{inOrder: 2}},
		`{"compliant":2,"unknown":1}`:      {"unknown", standing{inOrder: 2}},
		`{"compliant":2,"skipped":1}`:      {"skipped", standing{inOrder: 2}},
		`{"compliant":2}`:                  {"stale", standing{inOrder: 2}},
	} {
		got, err := standingOf(c.status, column)
		if err != nil || got != c.want {
			t.Errorf("standingOf(%s, %s) = %+v, %v, want %+v", c.status, column, got, err, c.want)
		}
	}
	if got, err := standingOf("error", `{}`); err != nil || got.sound { // it did not compile
		t.Errorf("standingOf(error, {}) = %+v, %v, want unsound", got, err)
	}
	if _, err := standingOf("compliant", `[]`); err == nil {
		t.Error("standingOf took a list for counts")
	}
}

const kpiDay = 24 * 60 // minutes

// BenchmarkKPIs asks about 2,000 hosts with 100 events and 100 intervals each, one a day: for all days, and
// for the last ten.
func BenchmarkKPIs(b *testing.B) {
	s := kpiStore(b)
	for i := range 2_000 {
		kpiReports(b, s, kpiHost(b, s, fmt.Sprintf("web%05d", i)), 100, kpiDay)
	}
	for _, days := range []int{100, 10} {
		b.Run(fmt.Sprint("days=", days), func(b *testing.B) {
			q := kpiQuery(100*kpiDay + 1)
			q.From = q.To.AddDate(0, 0, -days)
			for b.Loop() {
				f, err := Reader{Store: s}.KPIs(context.Background(), q)
				if err != nil || f.Drift.Episodes != 2_000*days {
					b.Fatal(f.Drift.Episodes, err)
				}
			}
		})
	}
}

// TestKPIsOfALatePeriod has a host that was well before the period, one whose drift before it is open, and one
// of which the rows of the period do not tell since when it can have drifted.
func TestKPIsOfALatePeriod(t *testing.T) {
	s, r := kpiStore(t), Reader{}
	r.Store = s
	open := kpiStep(6 * kpiDay)
	open.Events[0].Kind = store.EventOpened
	closed := kpiStep(14 * kpiDay)
	closed.Events[0].Address, closed.Events[0].Kind = open.Events[0].Address, store.EventClosed
	for name, steps := range map[string][]store.Step{
		"well":  {kpiStep(kpiDay), kpiStep(2 * kpiDay), kpiStep(11 * kpiDay), kpiStep(12 * kpiDay)},
		"open":  {kpiStep(kpiDay), open, closed},
		"first": {kpiStep(kpiDay), kpiStep(13 * kpiDay)},
	} {
		id := kpiHost(t, s, name)
		for _, err := range []error{s.Accept(t.Context(), id, "", 0, steps, kpiStart), s.Seen(t.Context(), id, store.Heartbeat{}, kpiStart.AddDate(0, 0, 20))} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	q := kpiQuery(20 * kpiDay)
	q.From = kpiStart.AddDate(0, 0, 10)
	hosts, err := r.kpiHosts(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	some, err := r.compute(t.Context(), q, nil, hosts, kpi.Since(q.Query, nil))
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.compute(t.Context(), q, nil, hosts, time.Time{})
	if diff := cmp.Diff(all, some); diff != "" || err != nil {
		t.Errorf("figures (-of all rows +of those that count): %v\n%s", err, diff)
	}
	if d := some.Drift; d.Episodes != 3 || d.Mended != 4 || *d.Repair.Max != (8*24*time.Hour).Seconds() || *d.Detect.Max != (12*24*time.Hour).Seconds() {
		t.Errorf("drift = %+v", d)
	}
}

// TestPastOfNewcomers has a host come between the list of hosts and their past.
func TestPastOfNewcomers(t *testing.T) {
	s := kpiStore(t)
	kpiReport(t, s, kpiHost(t, s, "a"), 2)
	kpiReport(t, s, kpiHost(t, s, "c"), 2)
	hosts, err := Reader{Store: s}.kpiHosts(t.Context(), KPIFilter{})
	if err != nil {
		t.Fatal(err)
	}
	kpiReport(t, s, kpiHost(t, s, "b"), 2)
	p := &past{store: s, ctx: t.Context(), whole: true}
	rows := map[string]int{}
	for h := range p.hosts(hosts) {
		rows[h.Name] = len(h.Events) + len(h.Intervals)
	}
	if diff := cmp.Diff(map[string]int{"a": 6, "c": 6}, rows); diff != "" || p.err != nil {
		t.Errorf("rows by host (-want +got): %v\n%s", p.err, diff)
	}
}

// TestKPIsOfAGroup takes the groups from the newest catalogs; one host has none that is known.
func TestKPIsOfAGroup(t *testing.T) {
	b := newBench(t)
	b.host("web1", nil, webTerms(), noon)
	b.host("db1", nil, &patch.Terms{Groups: []string{"db"}}, noon)
	b.host("new1", nil, nil, noon)
	for group, want := range map[string]int{"": 3, "db": 1, webTerms().Groups[0]: 1, "nobody": 0} {
		f, err := b.KPIs(b.Context(), KPIFilter{Query: kpi.Query{To: noon.Add(time.Hour), AsOf: noon.Add(time.Hour)}, Group: group})
		if err != nil || f.Hosts != want {
			t.Errorf("hosts of group %q = %d, %v, want %d", group, f.Hosts, err, want)
		}
	}
}

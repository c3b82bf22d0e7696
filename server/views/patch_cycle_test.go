package views

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
	"plumb/server/kpi"
	"plumb/server/rollout"
	"plumb/server/store"
)

func setItem(name, version string) patch.Item {
	return patch.ItemOf(offer(name, version))
}

// osPlan has two rings; the second is only open at the weekend.
func osPlan() policies.Rollout {
	return policies.Rollout{Name: "os", Carries: "patch_baseline.fast", Rings: []policies.Ring{
		{Name: "canary", Group: "canary", Gate: policies.Gate{Converged: 100, Soak: 3600, MinHosts: 1}},
		{Name: "early", Group: "web", Windows: []string{"weekend"}, Gate: policies.Gate{Converged: 100, Soak: 3600, MinHosts: 1}},
	}}
}

// cycle stores a cycle of os that carries the items, its rings in these phases.
func (b bench) cycle(number uint64, made time.Time, items []patch.Item, change func(*rollout.State)) rollout.State {
	b.Helper()
	plan := osPlan()
	set := patch.Set{Rollout: "os", Baseline: "fast", Items: items}.Normal()
	s := rollout.State{Rollout: "os", Release: number, Set: b.object(store.KindSet, set), Made: made, Plan: &plan, History: []rollout.Entry{{At: made, What: "begun"}},
		Rings: []rollout.Ring{{Name: "canary", Phase: rollout.Rolling, Since: made}, {Name: "early", Phase: rollout.Waiting, Since: made}}}
	if change != nil {
		change(&s)
	}
	raw, err := json.Marshal(s)
	b.must(err)
	b.must(b.Store.SaveCycle(b.Context(), store.Cycle{Rollout: "os", Number: number, Set: s.Set, Made: made, State: string(raw), Updated: made}))
	return s
}

func TestPatchSets(t *testing.T) {
	b := newBench(t)
	b.cycle(1, noon, []patch.Item{setItem("openssl", "1"), setItem("bash", "1"), setItem("curl", "1")}, func(s *rollout.State) { s.Done = noon })
	second := b.cycle(2, noon.Add(time.Hour), []patch.Item{setItem("openssl", "2"), setItem("bash", "1"), setItem("zlib", "1")}, func(s *rollout.State) {
		s.History[0].Who, s.History[0].Why = "alice", "now"
	})
	b.must(b.Store.PutAnswers(b.Context(), second.Set, map[string][]string{"openssl": {"DSA-1", "DSA-2"}}))
	b.must(b.Store.PutAdvisories(b.Context(), []patch.Advisory{{ID: "DSA-2", Severity: "critical", CVEs: []string{}, Exploited: true}}, noon))
	list, err := b.PatchSets(b.Context(), "", 20)
	b.must(err)
	want := []PatchSet{
		{Rollout: "os", Cycle: 2, Set: second.Set, Made: noon.Add(time.Hour), By: "alice", Why: "now", Phase: "rolling", Packages: 3, Added: 2, Removed: 1},
		{Rollout: "os", Cycle: 1, Set: list[1].Set, Made: noon, Phase: "done", Packages: 3, Added: 3},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("PatchSets (-want +got):\n%s", diff)
	}
	if one, err := b.PatchSets(b.Context(), "os", 1); err != nil || len(one) != 1 || one[0].Added != 2 {
		t.Errorf("PatchSets of one = %+v, %v; it still has to know the one before", one, err)
	}
	v, err := b.PatchSet(b.Context(), "os", 0)
	b.must(err)
	items := []PatchSetItem{
		{Item: setItem("bash", "1"), Advisories: []string{}},
		{Item: setItem("openssl", "2"), New: true, From: "1", Advisories: []string{"DSA-1", "DSA-2"}},
		{Item: setItem("zlib", "1"), New: true, Advisories: []string{}}}
	answers := []PatchSetAnswer{{ID: "DSA-2", Severity: "critical", Exploited: true, Packages: []string{"openssl"}}, {ID: "DSA-1", Severity: "unknown", Packages: []string{"openssl"}}}
	if diff := cmp.Diff(PatchSetDetail{PatchSet: want[0], Baseline: "fast", Items: items, Gone: []patch.Item{setItem("curl", "1")}, Answers: answers}, v); diff != "" {
		t.Errorf("PatchSet (-want +got):\n%s", diff)
	}
	for _, unknown := range []uint64{3, 9} {
		if _, err := b.PatchSet(b.Context(), "os", unknown); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("PatchSet(%d) = %v, want ErrNotFound", unknown, err)
		}
	}
}

func TestPatchNexts(t *testing.T) {
	floating := calendar.Window{Name: "weekend", RRule: "FREQ=WEEKLY;BYDAY=SU", Start: "22:00", Duration: 4 * 3600}
	fixed := floating
	fixed.Timezone = "Europe/Berlin"
	phases := func(first, second rollout.Phase) func(*rollout.State) {
		return func(s *rollout.State) { s.Rings[0].Phase, s.Rings[1].Phase = first, second }
	}
	done := func(s *rollout.State) {
		phases(rollout.Passed, rollout.Passed)(s)
		s.Done = noon
	}
	tuesday := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	soaking := func(s *rollout.State) {
		phases(rollout.Soaking, rollout.Waiting)(s)
		s.Plan.Rings[0].Gate.Soak = int(tuesday.Sub(noon).Seconds()) + 60
		s.Rings[0].Soaked = time.Minute
	}
	for name, c := range map[string]struct {
		window calendar.Window
		change func(*rollout.State)
		want   string
	}{
		"first ring":          {floating, nil, "1 package on 1 host, now, ring canary"},
		"host time":           {floating, phases(rollout.Passed, rollout.Rolling), "2 packages on 2 hosts, Sunday 22:00 host time, ring early"},
		"zone":                {fixed, phases(rollout.Passed, rollout.Rolling), "2 packages on 2 hosts, Sunday 21:00 UTC, ring early"},
		"soak":                {floating, soaking, "2 packages on 2 hosts, 2026-11-29 22:00 host time, ring early; soak of ring canary ends Tuesday 10:00 UTC"},
		"approval":            {floating, func(s *rollout.State) { soaking(s); s.Rings[0].Soaked = 99 * time.Hour }, "2 packages on 2 hosts, after ring canary, ring early; ring canary waits for a word"},
		"unknown window":      {calendar.Window{Name: "other"}, phases(rollout.Passed, rollout.Rolling), "2 packages on 2 hosts, no window is to be seen, ring early"},
		"emergency":           {floating, func(s *rollout.State) { s.Emergency = true }, "emergency: 1 package on 1 host, now, ring canary"},
		"deferral":            {floating, func(s *rollout.State) { s.Plan.Rings[0].Deferral, s.Rings[0].Phase = 2*86400, rollout.Waiting }, "1 package on 1 host, Monday 12:00 UTC, ring canary"},
		"halted":              {floating, phases(rollout.Halted, rollout.Waiting), "cycle 1 is halted in ring canary (2 hosts failed): it waits for a person to resume, promote or roll back"},
		"rolled back":         {floating, phases(rollout.RolledBack, rollout.Waiting), "cycle 1 was rolled back in ring canary: the next one begins when something else is approved, or with `plumb patch set new`"},
		"paused":              {floating, func(s *rollout.State) { s.Paused = &rollout.Act{Who: "alice", Why: "a fair"} }, "cycle 1 is paused by alice: a fair"},
		"frozen":              {floating, func(s *rollout.State) { s.Frozen = true }, "cycle 1 is held back by a freeze of the whole server"},
		"through, hosts lack": {floating, done, "cycle 1 is through all rings, 2 packages on 3 hosts still to come; bash is next, Sunday 12:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			canary, web := webTerms(), webTerms()
			canary.Groups = []string{"canary"}
			b.host("a", []inventory.Offer{offer("openssl", "2")}, canary, noon.AddDate(0, 0, -9))
			b.host("b", []inventory.Offer{offer("openssl", "2"), offer("bash", "2")}, web, noon.AddDate(0, 0, -9))
			b.host("c", []inventory.Offer{offer("bash", "3"), offer("tar", "2")}, web, noon)
			b.host("d", []inventory.Offer{}, web, noon)
			s := b.cycle(1, noon, []patch.Item{setItem("openssl", "2"), setItem("bash", "2")}, c.change)
			show := func(context.Context, string) (rollout.Picture, error) {
				return rollout.Picture{State: s, Tallies: map[string]rollout.Tally{"canary": {Failed: 2}}, Waits: map[string]string{"canary": "a word"}}, nil
			}
			got, err := b.PatchNexts(b.Context(), PatchPlans{Rollouts: []policies.Rollout{*s.Plan}, Show: show, Plans: Plans{Windows: []calendar.Window{c.window}}}, noon)
			b.must(err)
			if len(got) != 1 || got[0].Sentence != c.want {
				t.Errorf("PatchNexts = %+v, want %q", got, c.want)
			}
		})
	}
}

func TestPatchNextBeforeTheFirstCycle(t *testing.T) {
	b := newBench(t)
	b.fleet()
	show := func(context.Context, string) (rollout.Picture, error) { return rollout.Picture{}, store.ErrNotFound }
	got, err := b.PatchNexts(b.Context(), PatchPlans{Rollouts: []policies.Rollout{osPlan()}, Show: show}, noon)
	b.must(err)
	want := []PatchNext{{Rollout: "os", Phase: "none", Sentence: "no cycle yet: nothing is approved; bash is next, Sunday 12:00 UTC"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("PatchNexts (-want +got):\n%s", diff)
	}
}

func TestPatchReboots(t *testing.T) {
	b := newBench(t)
	b.fleet()
	pending := func(name string, since time.Time, reasons ...string) {
		h, err := b.Store.HostByName(b.Context(), name)
		b.must(err)
		row := store.PatchHost{Rollout: "os", Ring: "early", Reboot: len(reasons) > 0, Since: since, Detail: policies.Patched{Reboot: reasons}}
		step := store.Step{Report: policies.Report{Epoch: h.Epoch, Seq: h.Seq + 1}, Host: h, PatchHosts: []store.PatchHost{row}}
		b.must(b.Store.Accept(b.Context(), h.ID, h.Epoch, h.Seq, []store.Step{step}, noon))
	}
	pending("web1", noon.Add(time.Hour), "linux-image-amd64")
	pending("mute1", noon, "libc6")
	pending("db1", noon)
	got, err := b.PatchReboots(b.Context(), PatchFilter{})
	b.must(err)
	want := []PatchReboot{{Host: "mute1", Rollout: "os", Ring: "early", Since: noon, Reasons: []string{"libc6"}},
		{Host: "web1", Rollout: "os", Ring: "early", Since: noon.Add(time.Hour), Reasons: []string{"linux-image-amd64"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("PatchReboots (-want +got):\n%s", diff)
	}
	if got, err = b.PatchReboots(b.Context(), PatchFilter{Group: "web"}); err != nil || len(got) != 1 || got[0].Host != "web1" {
		t.Errorf("PatchReboots of a group = %+v, %v", got, err)
	}
}

// Two hosts, three advisories, and all that can become of an exposure.
func TestPatchExposure(t *testing.T) {
	b := newBench(t)
	terms := &patch.Terms{Groups: []string{"web"}, SLAs: []patch.SLA{{Name: "standard", Anchor: patch.Published, Within: map[string]int{"high": 10 * 86400}}}}
	b.host("web1", []inventory.Offer{}, terms, noon)
	b.host("web2", []inventory.Offer{}, terms, noon)
	b.host("db1", []inventory.Offer{}, &patch.Terms{Groups: []string{"db"}}, noon)
	advisory := func(id, severity string, days int) patch.Advisory {
		return patch.Advisory{ID: id, Severity: severity, CVEs: []string{}, Published: noon.AddDate(0, 0, -days), Affected: []patch.Affected{}}
	}
	b.must(b.Store.PutAdvisories(b.Context(), []patch.Advisory{advisory("A", "high", 20), advisory("B", "high", 4), advisory("C", "low", 50)}, noon))
	set := func(daysAgo int, host string, names ...string) {
		b.must(b.Store.SetExposed(b.Context(), map[inventory.HostID][]string{inventory.HostID("id-" + host): names}, noon.AddDate(0, 0, -daysAgo)))
	}
	for _, host := range []string{"web1", "web2", "db1"} {
		set(19, host, "A", "C")
	}
	set(15, "web1")      // A: 5 days, in time
	set(6, "web1", "A")  // again
	set(5, "web1")       // 1 day, in time
	set(4, "web2", "A")  // C ends: no SLA is about it
	set(3, "web2", "B")  // A: 17 days, late; B lasts 4 days and is not due yet
	set(3, "web1", "B")  // the same
	set(200, "db1", "A") // another SLA's host
	got, err := b.PatchSLAs(b.Context(), PatchFilter{}, noon)
	b.must(err)
	p50, p90, share := 4.0, 17.0, 66.7
	want := PatchExposure{Lasting: 2, Ended: 3, P50: &p50, P90: &p90, InTime: &share}
	if len(got) != 1 {
		t.Fatalf("PatchSLAs = %+v, want one", got)
	}
	if diff := cmp.Diff(want, got[0].Exposure); diff != "" {
		t.Errorf("exposure (-want +got):\n%s", diff)
	}
	kpis := func(daysAgo int) PatchExposure {
		t.Helper()
		asOf := noon.AddDate(0, 0, -daysAgo)
		f, err := b.KPIs(b.Context(), KPIFilter{Query: kpi.Query{From: asOf.AddDate(0, 0, -30), To: asOf, AsOf: asOf}})
		b.must(err)
		if len(f.SLAs) != 1 || f.SLAs[0].Name != "standard" {
			t.Fatalf("SLAs of the figures = %+v, want one", f.SLAs)
		}
		return f.SLAs[0].PatchExposure
	}
	if diff := cmp.Diff(want, kpis(0)); diff != "" {
		t.Errorf("the figures say something else (-patch sla +kpi):\n%s", diff)
	}
	// Five days ago: those of web1 had ended after 5 days and after 1, in time; that of web2 lasts for
	// 15 days and is late. What ended or began later was not known.
	p50, p90 = 5.0, 15.0
	if diff := cmp.Diff(PatchExposure{Lasting: 1, Ended: 2, Overdue: 1, P50: &p50, P90: &p90, InTime: &share}, kpis(5)); diff != "" {
		t.Errorf("figures as of five days ago (-want +got):\n%s", diff)
	}
	later, err := b.PatchSLAs(b.Context(), PatchFilter{Host: "web2"}, noon.AddDate(0, 0, 100))
	b.must(err)
	if e := later[0].Exposure; e.Ended != 0 || e.Lasting != 1 || e.Overdue != 1 || *e.InTime != 0 || *e.P90 != 104 {
		t.Errorf("exposure 100 days later = %+v, want one late that lasts, and nothing that ended long ago", e)
	}
}

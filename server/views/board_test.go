package views

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
)

// glance tells of what a test wants to be so.
type glance struct {
	glimpses  []rollout.Glimpse
	standings []rollout.Standing
}

func (g glance) Glimpses() []rollout.Glimpse { return g.glimpses }

func (g glance) Standings(id rollout.ID, _ string) ([]rollout.Standing, error) {
	if id.Number != 4 {
		return nil, store.ErrNotFound
	}
	return g.standings, nil
}

func passing(number uint64, phases ...rollout.Phase) rollout.Picture {
	plan := &policies.Rollout{Name: "os", Carries: "patch_baseline.fast"}
	s := rollout.State{Rollout: "os", Release: number, Plan: plan, Made: noon}
	for i, phase := range phases {
		name := []string{"canary", "early", "broad"}[i]
		plan.Rings = append(plan.Rings, policies.Ring{Name: name, Group: "g" + name, Windows: []string{"noon", "lost"}[:i],
			Gate: policies.Gate{Converged: 95, MinHosts: i + 1, Soak: 4320 * 60 * i, Approval: i == 1, Query: []string{"", "", "up"}[i]}})
		s.Rings = append(s.Rings, rollout.Ring{Name: name, Phase: phase})
		s.History = append(s.History, rollout.Entry{Ring: name, What: string(phase), Why: "because", Who: "alice"})
	}
	return rollout.Picture{State: s}
}

func TestBoards(t *testing.T) {
	newest := passing(4, rollout.Passed, rollout.Halted, rollout.Waiting)
	newest.Tallies = map[string]rollout.Tally{"canary": {Members: 2, Given: 2, Converged: 2}, "early": {Members: 5, Given: 3, Failed: 3}, "broad": {Members: 9}}
	g := glance{glimpses: []rollout.Glimpse{{Name: "os", Seen: noon, Book: []rollout.Picture{newest, passing(3, rollout.Passed, rollout.Rolling, rollout.Waiting), passing(2, rollout.Passed, rollout.Passed, rollout.Passed)},
		Windows: map[string]calendar.Window{"noon": {Name: "noon", Cron: "0 12 * * 1", Duration: 3600, Timezone: "UTC"}}}}}
	boards, err := Reader{}.Boards(t.Context(), g, noon)
	if err != nil || len(boards) != 1 {
		t.Fatalf("Boards = %+v, %v", boards, err)
	}
	b := boards[0]
	if b.Baseline != "fast" || b.Newest.Phase != "halted" || b.Moving {
		t.Errorf("Board = %s of %q, moving %v, want one that is halted", b.Newest.Phase, b.Baseline, b.Moving)
	}
	type column struct {
		Hosts   int
		Gate    []string
		Cards   []uint64
		Opens   int
		Lost    []string
		Stopped bool
	}
	var got []column
	for _, c := range b.Columns {
		one := column{Hosts: c.Hosts, Gate: c.Gate, Opens: len(c.Openings), Lost: c.Lost}
		for _, card := range c.Cards {
			one.Cards = append(one.Cards, card.Change.Cycle)
			one.Stopped = one.Stopped || card.Why != nil && card.Why.Who == "alice"
		}
		got = append(got, one)
	}
	want := []column{
		{2, []string{"95 % of hosts converged"}, []uint64{4}, 0, nil, false},
		{5, []string{"95 % of hosts converged, at least 2", "3 days of soak", "the approval of a person"}, []uint64{4}, 1, nil, true},
		{9, []string{"95 % of hosts converged, at least 3", "6 days of soak", "a query that answers well"}, []uint64{4, 2}, 1, []string{"lost"}, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if ahead := b.Columns[1].Cards[0].Ahead(); ahead != 2 {
		t.Errorf("Ahead = %d, want 2", ahead)
	}
}

func TestMoving(t *testing.T) {
	for name, c := range map[string]struct {
		phases []rollout.Phase
		change func(*rollout.State)
		want   bool
	}{
		"rolling":                {[]rollout.Phase{rollout.Rolling}, nil, true},
		"soaking":                {[]rollout.Phase{rollout.Passed, rollout.Soaking}, nil, true},
		"waiting for a deferral": {[]rollout.Phase{rollout.Waiting}, nil, false},
		"paused":                 {[]rollout.Phase{rollout.Rolling}, func(s *rollout.State) { s.Paused = &rollout.Act{} }, false},
		"done":                   {[]rollout.Phase{rollout.Passed}, func(s *rollout.State) { s.Done = noon }, false},
	} {
		p := passing(1, c.phases...)
		if c.change != nil {
			c.change(&p.State)
		}
		if got := moving(RolloutOf(p)); got != c.want {
			t.Errorf("%s: moving = %v, want %v", name, got, c.want)
		}
	}
}

func TestRingHosts(t *testing.T) {
	g := glance{standings: []rollout.Standing{
		{Name: "a", Given: true, Outcome: rollout.Converged}, {Name: "b", Given: true, Outcome: rollout.Failed, Silent: true},
		{Name: "c", Given: true}, {Name: "d", Closed: true, Opens: noon}, {Name: "e", Closed: true}}}
	list, counts, err := Reader{}.RingHosts(g, "os/4", "early", "", "", 9)
	want := []RingHost{{"a", "converged", ""}, {"b", "failed", "it is silent"}, {"c", "waiting", ""}, {"d", "ahead", "it may change again 2026-11-21 12:00 UTC"}, {"e", "ahead", "it may not change now"}}
	if diff := cmp.Diff(want, list); diff != "" || err != nil {
		t.Errorf("RingHosts: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(map[string]int{"converged": 1, "failed": 1, "waiting": 1, "ahead": 2}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if some, _, _ := (Reader{}).RingHosts(g, "os/4", "early", "failed", "", 9); len(some) != 1 || some[0].Name != "b" {
		t.Errorf("RingHosts that failed = %+v", some)
	}
	for _, id := range []string{"os/5", "/", ""} {
		if _, _, err := (Reader{}).RingHosts(g, id, "early", "", "", 9); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("RingHosts of %q = %v, want ErrNotFound", id, err)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 3*time.Hour + 12*time.Minute + 9*time.Second: "3 h 12 min", 24 * time.Hour: "24 h",
		47*time.Hour + time.Second: "47 h", 50 * time.Hour: "2 days 2 h", time.Hour + time.Second: "1 h"} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestAdvisoryRows(t *testing.T) {
	b := newBench(t)
	b.fleet()
	affects := func(fixed string) []patch.Affected {
		return []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: "openssl", Fixed: fixed}}
	}
	b.must(b.Store.PutAdvisories(b.Context(), []patch.Advisory{
		{ID: "DSA-1", Severity: "high", Published: noon.AddDate(0, 0, -3), Affected: affects("2")},
		{ID: "DSA-2", Severity: "high", Published: noon, Affected: affects("1.5")},
		{ID: "DSA-3", Severity: "critical", Published: noon, Affected: affects("3")},
	}, noon))
	rows, err := b.AdvisoryRows(b.Context(), noon)
	b.must(err)
	type row struct {
		ID          string
		Hosts, Late int
		Due         time.Time
	}
	var got []row
	for _, r := range rows {
		one := row{ID: r.ID, Hosts: r.Hosts, Late: r.Late}
		if r.Due != nil {
			one.Due = *r.Due
		}
		got = append(got, one)
	}
	want := []row{{"DSA-2", 3, 0, noon.AddDate(0, 0, 1)}, {"DSA-1", 3, 2, noon.AddDate(0, 0, -2)}, {"DSA-3", 0, 0, time.Time{}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	lacking := rows[1].Lacking()
	if diff := cmp.Diff([]Lacking{{"db2", []string{"openssl 2"}}, {"web1", []string{"openssl 2"}}, {"web2", []string{"openssl 2"}}}, lacking); diff != "" {
		t.Errorf("Lacking (-want +got):\n%s", diff)
	}
}

func TestHostPatches(t *testing.T) {
	b := newBench(t)
	b.fleet()
	h, err := b.Store.HostByName(b.Context(), "web1")
	b.must(err)
	row := store.PatchHost{Rollout: "os", Ring: "early", Cycle: 4, Status: policies.Pending, Phase: policies.PhaseReboot, Reboot: true, Since: noon,
		Detail: policies.Patched{Cycle: 4, Reboot: []string{"libc6"}}}
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: 2}, Host: h, PatchHosts: []store.PatchHost{row}}
	b.must(b.Store.Accept(b.Context(), inventory.HostID("id-web1"), "e", 1, []store.Step{step}, noon))
	got, err := b.HostPatches(b.Context(), "web1")
	b.must(err)
	want := []HostPatches{{Rollout: "os", Ring: "early", Cycle: 4, Status: policies.Pending, Phase: policies.PhaseReboot, Reboot: true, Since: noon, Detail: row.Detail}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("HostPatches (-want +got):\n%s", diff)
	}
	if none, err := b.HostPatches(b.Context(), "web2"); err != nil || none != nil {
		t.Errorf("HostPatches of a host without = %+v, %v", none, err)
	}
}

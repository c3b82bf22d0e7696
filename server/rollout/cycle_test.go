package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/server/store"
)

func patches(change func(*policies.Rollout)) policies.Rollout {
	p := plan(change)
	p.Name, p.Carries = "security", "patch_baseline.security"
	return p
}

// fleet makes two canary hosts and two broad ones that run release 1.
func (v *server) fleet() {
	v.t.Helper()
	v.release(1)
	for name, ring := range map[string]string{"c1": "canary", "c2": "canary", "b1": "broad", "b2": "broad"} {
		v.enrol(name, ring)
		v.run(name, policies.Compliant, policies.Enforce)
	}
	v.later()
}

// NewestCycle returns the newest cycle of a rollout, and false before the first.
func (v *server) NewestCycle(ctx context.Context, rollout string) (State, bool, error) {
	row, err := v.store.NewestCycle(ctx, rollout)
	if errors.Is(err, store.ErrNotFound) {
		return State{}, false, nil
	}
	if err != nil {
		return State{}, false, err
	}
	s, err := ReadCycle(row)
	return s, err == nil, err
}

func (v *server) later() { v.now = v.now.Add(time.Second) }

func (v *server) begin(set string, change func(*policies.Rollout)) uint64 {
	v.t.Helper()
	v.later()
	n, err := v.BeginCycle(v.t.Context(), Cycle{Plan: patches(change), Bundle: v.put(store.KindBundle, "bundle 1"), Set: set})
	v.ok(err)
	return n
}

// patched lets a host call, and report how it is with the cycle that it was granted.
func (v *server) patched(name string, status policies.Status, phase string, others ...policies.Status) {
	v.t.Helper()
	ctx, id := v.t.Context(), inventory.HostID(name)
	old, err := v.store.Host(ctx, id)
	v.ok(err)
	row := store.PatchHost{Rollout: "security", Status: status, Phase: phase, Since: v.now}
	if grants := v.Grants(old); len(grants) > 0 {
		row.Cycle, row.Set = grants[0].Cycle, grants[0].Set
	}
	result := policies.Result{Resources: []policies.ResourceResult{{Address: "rollout.security", Status: status, Mode: policies.Enforce}}}
	counts := map[policies.Status]int{status: 1}
	list := []policies.Status{status}
	for _, one := range others {
		result.Resources = append(result.Resources, policies.ResourceResult{Address: "policy.p.file.a", Status: one, Mode: policies.Enforce})
		counts[one]++
		list = append(list, one)
	}
	raw, err := json.Marshal(result)
	v.ok(err)
	v.ok(v.store.Seen(ctx, id, store.Heartbeat{}, v.now))
	v.seq[id]++
	v.ok(v.store.Accept(ctx, id, old.Epoch, old.Seq, []store.Step{{NewInterval: true, Report: policies.Report{Epoch: "e", Seq: v.seq[id]}, PatchHosts: []store.PatchHost{row}, Host: store.Host{
		Release: v.assigned(name), Facts: old.Facts, Catalog: "c", Result: v.put(store.KindResult, string(raw)),
		Since: v.now, Ran: v.now, Found: policies.Worst(list...), Counts: counts}}}, v.now))
	v.later()
}

func (v *server) done(names ...string) {
	v.t.Helper()
	for _, name := range names {
		v.patched(name, policies.Repaired, policies.PhaseDone)
	}
}

// granted wants the hosts to hold these cycles, as "1", or "1 undo"; empty for none.
func (v *server) granted(want map[string]string) {
	v.t.Helper()
	got := map[string]string{}
	for name := range want {
		h, err := v.store.Host(v.t.Context(), inventory.HostID(name))
		v.ok(err)
		for _, g := range v.Grants(h) {
			got[name] = ID{Number: g.Cycle}.String()
			if g.Undo {
				got[name] += " undo"
			}
		}
		if got[name] == "" {
			got[name] = ""
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		v.t.Fatalf("granted cycles differ (-want +got):\n%s", diff)
	}
}

func (v *server) ring(name string) (Ring, Picture) {
	v.t.Helper()
	p, err := v.Show(v.t.Context(), ID{Rollout: "security"})
	v.ok(err)
	for _, r := range p.Rings {
		if r.Name == name {
			return r, p
		}
	}
	v.t.Fatalf("there is no ring %s", name)
	return Ring{}, p
}

func (v *server) soak() {
	v.t.Helper()
	v.step()
	for range 3 { // a server that dies in between may count none of one of these
		v.now = v.now.Add(45 * time.Second)
		v.step()
	}
}

// TestCycleRestarts plays a cycle with a server that dies at each of its moments: the end is the
// same, and no host gets anything sooner.
func TestCycleRestarts(t *testing.T) {
	script := []func(*server){
		func(v *server) { v.fleet() },
		func(v *server) { v.begin("s1", nil) },
		func(v *server) { v.granted(map[string]string{"c1": "1", "c2": "1", "b1": "", "b2": ""}) },
		func(v *server) { v.done("c1"); v.patched("c2", policies.Pending, policies.PhaseReboot) },
		func(v *server) { v.soak() },
		func(v *server) { v.granted(map[string]string{"c1": "1", "c2": "1", "b1": "", "b2": ""}) },
		func(v *server) { v.done("c2") },
		func(v *server) { v.step(); v.now = v.now.Add(40 * time.Second); v.step() },
		func(v *server) { v.granted(map[string]string{"b1": ""}) },
		func(v *server) { v.soak() },
		func(v *server) { v.granted(map[string]string{"b1": "1", "b2": "1"}) },
		func(v *server) { v.done("b1"); v.patched("b2", policies.Compliant, policies.PhaseIdle); v.step() },
	}
	end := func(crash int) []string {
		v := newServer(t)
		for i, part := range script {
			if part(v); i == crash || crash == len(script) {
				v.restart()
				v.step()
			}
		}
		v.enrol("late", "broad")
		v.granted(map[string]string{"c1": "1", "b1": "1", "late": "1"})
		s, ok, err := v.NewestCycle(t.Context(), "security")
		if err != nil || !ok || s.Done.IsZero() || !s.Over() || s.Set != "s1" {
			t.Errorf("killed at moment %d: NewestCycle = %+v, %v, %v; want it done", crash, s, ok, err)
		}
		var events []string
		for _, e := range s.History {
			events = append(events, e.Ring+" "+e.What)
		}
		return events
	}
	straight := end(-1)
	for crash := range len(script) + 1 {
		if diff := cmp.Diff(straight, end(crash)); diff != "" {
			t.Errorf("killed at moment %d, it went another way (-straight +killed):\n%s", crash, diff)
		}
	}
}

func TestCycleHalts(t *testing.T) {
	for name, c := range map[string]struct {
		report func(v *server)
		want   Phase
	}{
		"its resource is in error":     {func(v *server) { v.patched("c1", policies.Failed, policies.PhaseInstall) }, Halted},
		"the host went back by itself": {func(v *server) { v.patched("c1", policies.Noncompliant, policies.PhaseRolledBack) }, Halted},
		"another resource breaks":      {func(v *server) { v.patched("c1", policies.Repaired, policies.PhaseDone, policies.Failed) }, Halted},
		"another one, not begun":       {func(v *server) { v.patched("c1", policies.Pending, policies.PhaseIdle, policies.Failed) }, Rolling},
		"it broke before it began": {func(v *server) {
			v.patched("c1", policies.Pending, policies.PhaseIdle, policies.Failed)
			v.step()
			v.patched("c1", policies.Repaired, policies.PhaseDone, policies.Failed)
			v.done("c2")
		}, Soaking},
		"it waits for a reboot": {func(v *server) { v.patched("c1", policies.Pending, policies.PhaseReboot); v.done("c2") }, Rolling},
		"nothing concerns it":   {func(v *server) { v.patched("c1", policies.Compliant, policies.PhaseIdle); v.done("c2") }, Soaking},
		"installed, not verified": {func(v *server) {
			v.patched("c1", policies.Compliant, policies.PhaseVerify)
			v.done("c2")
		}, Rolling},
	} {
		t.Run(name, func(t *testing.T) {
			v := newServer(t)
			v.fleet()
			v.begin("s1", nil)
			c.report(v)
			if r, p := v.ring("canary"); r.Phase != c.want {
				t.Errorf("the ring is %+v and failed on %v, want it %s", r, p.Failed, c.want)
			}
		})
	}
}

// An error of the cycle before excuses none of the next one.
func TestCycleFailsAgain(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("s1", nil)
	v.patched("c1", policies.Failed, policies.PhaseInstall)
	v.begin("s2", nil)
	if r, _ := v.ring("canary"); r.Phase != Rolling {
		t.Fatalf("the second cycle begins with %+v", r)
	}
	v.patched("c1", policies.Failed, policies.PhaseInstall)
	if r, _ := v.ring("canary"); r.Phase != Halted {
		t.Errorf("the second cycle failed too, and its ring is %+v", r)
	}
}

func TestCycleTakesOver(t *testing.T) {
	v := newServer(t)
	v.fleet()
	if n := v.begin("s1", nil); n != 1 {
		t.Errorf("the first cycle has the number %d", n)
	}
	v.done("c1", "c2")
	v.soak()
	v.done("b1", "b2")
	v.step()
	v.begin("s2", func(p *policies.Rollout) { p.Rings[0].MaxUnavailable = &policies.Share{Count: 1} })
	v.granted(map[string]string{"c1": "2", "c2": "1", "b1": "1"})
	if n := v.begin("s3", func(p *policies.Rollout) { p.Rings[0].Deferral = 3600 }); n != 3 {
		t.Errorf("the third cycle has the number %d", n)
	}
	v.granted(map[string]string{"c1": "1", "c2": "1", "b1": "1"}) // c1 had not begun with the second
	p, err := v.Show(t.Context(), ID{Rollout: "security", Number: 2})
	if err != nil || p.Superseded != 3 || !p.Over() {
		t.Errorf("cycle 2 is %+v, %v, want it superseded by 3", p.State, err)
	}
	if _, err := v.Do(t.Context(), ID{Rollout: "security", Number: 2}, Pause, "", ada); err == nil || err.Error() != "cycle 3 of security took the place of cycle 2 of security" {
		t.Errorf("Pause of a cycle that was superseded: %v", err)
	}
	list, err := v.List(t.Context(), 3)
	if err != nil || len(list) != 3 || list[0].ID().String() != "security/3" {
		t.Errorf("List = %v, %v", list, err)
	}
	if _, err := v.Show(t.Context(), ID{Rollout: "security", Number: 9}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Show of a cycle that is not there: %v", err)
	}
}

// A halt, and a person, also stop the hosts that were given the cycle and have not begun.
func TestWhoHasNotBegunStops(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("s1", nil)
	v.granted(map[string]string{"c1": "1", "c2": "1"})
	_, err := v.Do(t.Context(), ID{Rollout: "security"}, Pause, "", ada)
	v.ok(err)
	v.granted(map[string]string{"c1": "", "c2": ""})
	_, err = v.Do(t.Context(), ID{Rollout: "security"}, Resume, "", ada)
	v.ok(err)
	v.granted(map[string]string{"c1": "1", "c2": "1"})
	v.patched("c2", policies.Pending, policies.PhaseDownload)
	v.patched("c1", policies.Failed, policies.PhaseRolledBack)
	if r, _ := v.ring("canary"); r.Phase != Halted {
		t.Fatalf("the ring is %+v", r)
	}
	v.granted(map[string]string{"c1": "1", "c2": ""})
	_, err = v.Do(t.Context(), ID{Rollout: "security"}, Resume, "", ada)
	v.ok(err)
	v.granted(map[string]string{"c1": "1", "c2": "1"})
	v.patched("c2", policies.Pending, policies.PhaseInstall)
	_, err = v.Do(t.Context(), ID{Rollout: "security"}, Pause, "", ada)
	v.ok(err)
	v.granted(map[string]string{"c2": "1"})
}

func TestCycleRollback(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("s1", nil)
	v.done("c1")
	if _, err := v.Do(t.Context(), ID{Rollout: "security"}, Rollback, "", ada); err != nil {
		t.Fatal(err)
	}
	v.granted(map[string]string{"c1": "1 undo", "c2": "1 undo", "b1": ""})
	v.restart()
	v.step()
	v.granted(map[string]string{"c1": "1 undo", "b1": ""})
	if s, _, err := v.NewestCycle(t.Context(), "security"); err != nil || !s.Over() || s.Active() == false {
		t.Errorf("NewestCycle = %+v, %v, want it over", s, err)
	}
	v.begin("s2", nil)
	v.granted(map[string]string{"c1": "2", "c2": "2", "b1": ""})
}

// How patching fares neither holds a release up nor harms it.
func TestPatchingIsNoMatterOfReleases(t *testing.T) {
	for _, status := range []policies.Status{policies.Pending, policies.Failed, policies.Noncompliant} {
		v := newServer(t)
		v.fleet()
		v.begin("s1", nil)
		v.release(2, plan(nil))
		for _, name := range []string{"c1", "c2"} {
			v.later()
			v.patched(name, status, policies.PhaseInstall, policies.Compliant)
		}
		v.step()
		p, err := v.Show(t.Context(), ID{Number: 2})
		if err != nil || p.Rings[0].Phase != Soaking {
			t.Errorf("with patches %s the release's ring is %+v, %v; want it to soak", status, p.Rings[0], err)
		}
	}
}

func TestBeginCycleRefuses(t *testing.T) {
	v := newServer(t)
	good := Cycle{Plan: patches(nil), Bundle: "b", Set: "s"}
	for name, spoil := range map[string]func(*Cycle){
		"releases": func(c *Cycle) { c.Plan.Carries = policies.CarriesReleases },
		"no name":  func(c *Cycle) { c.Plan.Name = "" },
		"no rings": func(c *Cycle) { c.Plan.Rings = nil },
		"no set":   func(c *Cycle) { c.Set = "" },
		"nobody":   func(c *Cycle) { c.By = &Act{Who: "ada"} },
	} {
		c := good
		spoil(&c)
		if n, err := v.BeginCycle(t.Context(), c); err == nil {
			t.Errorf("%s: BeginCycle = %d", name, n)
		}
	}
	if _, ok, err := v.NewestCycle(t.Context(), "security"); ok || err != nil {
		t.Errorf("NewestCycle before the first = %v, %v", ok, err)
	}
}

// Hosts of a ring to which the baseline does not apply are no members: they could never converge.
func TestCycleConcernsHostsWithItsResource(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.without["c2"] = true
	v.begin("s1", nil)
	v.granted(map[string]string{"c1": "1", "c2": ""})
	v.done("c1")
	v.soak()
	v.done("b1", "b2")
	v.step()
	v.granted(map[string]string{"c1": "1", "c2": "", "b1": "1"})
}

func TestOffered(t *testing.T) {
	v := newServer(t)
	v.fleet()
	began := v.now.Add(time.Second)
	v.begin("s1", nil)
	v.done("c1", "c2")
	v.soak()
	want := func(name string, offered time.Time) {
		t.Helper()
		h, err := v.store.Host(t.Context(), inventory.HostID(name))
		v.ok(err)
		if got := v.Grants(h); len(got) != 1 || !got[0].Offered.Equal(offered) || got[0].Set != "s1" || got[0].Rollout != "security" {
			t.Errorf("Grants(%s) = %+v, want it offered at %s", name, got, offered)
		}
	}
	want("c1", began)
	broad, _ := v.ring("broad")
	want("b1", broad.Offered)
	v.done("b1", "b2")
	v.step()
	want("c1", began)
	v.now = v.now.Add(240 * time.Hour)
	v.enrol("new", "canary")
	want("new", v.now)
	v.restart()
	v.ok(v.Open(t.Context()))
	want("c1", broad.Offered) // nobody knows the rings yet
	v.step()
	want("c1", began)
}

// night is open from 22:00 to 24:00 on each host's own clock.
func night() calendar.Window {
	return calendar.Window{Name: "night", Cron: "0 22 * * *", Duration: 2 * 3600, Timezone: calendar.HostZone}
}

func TestRingWindows(t *testing.T) {
	v := newServer(t) // it is noon in Greenwich
	v.windows = []calendar.Window{night()}
	v.zones = map[string]string{"c1": "Asia/Tokyo", "c2": "Europe/Berlin"} // 21:00 and 13:00
	v.fleet()
	v.begin("s1", func(p *policies.Rollout) {
		p.Rings[0].Windows, p.Rings[0].Deadline = []string{"night"}, 24*3600
	})
	v.granted(map[string]string{"c1": "", "c2": ""})
	if _, p := v.ring("canary"); !strings.Contains(p.Waits["canary"], "2 may not change now, the first again 2026-11-21T13:00:00Z") {
		t.Errorf("the ring waits for %q", p.Waits["canary"])
	}
	v.now = start.Add(61 * time.Minute)
	v.step()
	v.granted(map[string]string{"c1": "1", "c2": ""})
	v.now = start.Add(4 * time.Hour)
	v.step()
	v.granted(map[string]string{"c1": "1", "c2": ""})
	v.now = start.Add(25 * time.Hour) // past the deadline; 14:00 in Berlin
	v.step()
	v.granted(map[string]string{"c1": "1", "c2": "1"})
}

// A window that nobody declares is never open: it must not be taken for none.
func TestUnknownWindowIsClosed(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("s1", func(p *policies.Rollout) { p.Rings[0].Windows = []string{"night"} })
	v.granted(map[string]string{"c1": ""})
}

func TestReleasesHeedRingWindows(t *testing.T) {
	v := newServer(t)
	v.windows = []calendar.Window{night()}
	v.fleet()
	v.release(2, plan(func(p *policies.Rollout) { p.Rings[0].Windows, p.Rings[0].Deadline = []string{"night"}, 60 }))
	v.now = start.Add(9 * time.Hour)
	v.step()
	v.want(map[string]uint64{"c1": 1})
	v.now = start.Add(10 * time.Hour)
	v.step()
	v.want(map[string]uint64{"c1": 2})
}

func TestFreezeBlocks(t *testing.T) {
	freeze := calendar.Freeze{Name: "year_end", From: start, Until: start.Add(time.Hour), Allow: []string{"emergency"}}
	v := newServer(t)
	v.freezes = []calendar.Freeze{freeze}
	v.fleet()
	v.begin("s1", func(p *policies.Rollout) { p.Rings[0].Deadline = 60 })
	v.now = start.Add(30 * time.Minute) // long past the deadline
	v.step()
	v.granted(map[string]string{"c1": ""})
	c := Cycle{Plan: patches(func(p *policies.Rollout) {
		p.Rings[0].Deferral, p.Rings[0].Gate.Soak, p.Emergency = 3600, 3600, &policies.Emergency{Soak: 30}
	}), Bundle: v.put(store.KindBundle, "bundle 1"), Set: "s2", Emergency: true, By: &ada}
	_, err := v.BeginCycle(t.Context(), c)
	v.ok(err)
	v.granted(map[string]string{"c1": "2", "c2": "2", "b1": ""})
	h, err := v.store.Host(t.Context(), "c1")
	v.ok(err)
	if g := v.Grants(h); !g[0].Emergency {
		t.Errorf("the grant %+v does not say that it is an emergency", g[0])
	}
	v.done("c1", "c2")
	v.step()
	v.now = v.now.Add(20 * time.Second)
	v.step()
	v.granted(map[string]string{"b1": ""})
	v.now = v.now.Add(20 * time.Second)
	v.step()
	v.granted(map[string]string{"b1": "2"})
}

// A cluster of three gives up one host at a time: across rings, after the cycle is done, and
// while the cycle before is under way on one of them.
func TestCycleCluster(t *testing.T) {
	v := newServer(t)
	v.release(1)
	for _, name := range []string{"c1", "b1", "b2"} {
		v.enrolIn(name, map[string]string{"c": "canary", "b": "broad"}[name[:1]], "db")
		v.run(name, policies.Compliant, policies.Enforce)
	}
	clustered := func(p *policies.Rollout) {
		p.Cluster = &policies.Cluster{Label: "cluster", MaxUnavailable: policies.Share{Count: 1}}
		p.Rings[0].Gate = policies.Gate{Converged: 0, MinHosts: 0}
		p.Rings[1].Gate = policies.Gate{Converged: 0, MinHosts: 0}
	}
	v.begin("s1", clustered)
	v.step()
	v.granted(map[string]string{"c1": "1", "b1": "", "b2": ""})
	if s, _, _ := v.NewestCycle(t.Context(), "security"); s.Done.IsZero() {
		t.Fatalf("gates that ask for nothing have not passed: %+v", s.Rings)
	}
	v.done("c1")
	v.step()
	v.granted(map[string]string{"c1": "1", "b1": "1", "b2": ""})
	v.patched("b1", policies.Pending, policies.PhaseReboot)
	v.restart()
	v.step()
	v.granted(map[string]string{"c1": "1", "b1": "1", "b2": ""})
	v.begin("s2", clustered) // b1 is about to reboot, so nobody else may begin
	v.granted(map[string]string{"c1": "1", "b1": "2", "b2": ""})
	v.done("b1")
	v.step()
	v.granted(map[string]string{"c1": "2", "b1": "2", "b2": ""})
	v.done("c1")
	v.step()
	v.granted(map[string]string{"c1": "2", "b1": "2", "b2": "2"})
}

func TestGrantsBeforeAnything(t *testing.T) {
	v := newServer(t)
	if got := v.Grants(store.Host{}); len(got) != 0 {
		t.Errorf("Grants = %v before anything is known", got)
	}
	var _ []protocol.PatchGrant = v.Grants(store.Host{})
}

func TestParseID(t *testing.T) {
	for text, want := range map[string]ID{"7": {Number: 7}, "newest": {}, "security": {Rollout: "security"}, "security/newest": {Rollout: "security"}, "security/3": {Rollout: "security", Number: 3}} {
		if got, err := ParseID(text); got != want || err != nil {
			t.Errorf("ParseID(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "/", "/3", "security/", "security/0", "security/x", "security/3/4", "3/4", "99999999999999999999"} {
		if got, err := ParseID(text); err == nil {
			t.Errorf("ParseID(%q) = %+v, want an error", text, got)
		}
	}
}

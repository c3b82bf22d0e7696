package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/compiler"
	"plumb/server/store"
)

// byLabel puts hosts into the group that their label "ring" names.
type byLabel struct{ v *server }

func (b byLabel) Compile(_ context.Context, req compiler.Request) (compiler.Response, error) {
	res := compiler.Response{Windows: b.v.windows}
	if b.v.dies {
		return res, compiler.ErrDied
	}
	for _, in := range req.Hosts {
		b.v.asked++
		catalog := policies.Catalog{Freezes: b.v.freezes, Resources: []policies.Resource{{Address: "rollout.security", Kind: "patch", NotApplicable: b.v.without[in.Host.Name]}}}
		raw, err := json.Marshal(catalog)
		if err != nil {
			return res, err
		}
		res.Hosts = append(res.Hosts, compiler.Compiled{Groups: []string{in.Host.Labels["ring"]}, Catalog: raw})
	}
	return res, nil
}

// server is a store with a driver that can be started anew, and hosts that report to it.
type server struct {
	t     *testing.T
	store *store.Store
	*Driver
	now   time.Time
	seq   map[inventory.HostID]uint64
	asked int
	dies  bool

	// What the policy says: windows and freezes for all hosts, and hosts without patches. The
	// zones are those of the hosts.
	windows []calendar.Window
	freezes []calendar.Freeze
	without map[string]bool
	zones   map[string]string
	asker   Asker
}

func newServer(t *testing.T) *server {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	v := &server{t: t, store: s, now: start, seq: map[inventory.HostID]uint64{}, without: map[string]bool{}}
	v.restart()
	return v
}

// restart is a crash: what was only in memory is gone.
func (v *server) restart() {
	v.Driver = &Driver{Store: v.store, Compiler: byLabel{v}, Asker: v.asker, Now: func() time.Time { return v.now }, Log: slog.New(slog.DiscardHandler)}
}

func (v *server) ok(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *server) put(kind, text string) string {
	digest := inventory.Digest([]byte(text))
	v.ok(v.store.PutObject(v.t.Context(), store.Ref{Kind: kind, Digest: digest}, []byte(text), v.now))
	return digest
}

// release makes release n as the desk does: it is planned before it is stored.
func (v *server) release(n uint64, rollouts ...policies.Rollout) {
	v.t.Helper()
	r := store.Release{Number: n, Commit: "c", Tag: "t", Bundle: v.put(store.KindBundle, fmt.Sprint("bundle ", n)), RollbackTo: n - 1, Made: v.now}
	v.ok(v.Plan(v.t.Context(), r, rollouts))
	v.ok(v.store.AddRelease(v.t.Context(), r))
	v.step()
}

func (v *server) step() {
	v.t.Helper()
	v.ok(v.Step(v.t.Context()))
}

func (v *server) enrol(name, ring string) {
	v.t.Helper()
	v.enrolIn(name, ring, "")
}

func (v *server) enrolIn(name, ring, cluster string) {
	v.t.Helper()
	ctx := v.t.Context()
	v.ok(v.store.CreateToken(ctx, store.Token{ID: name, Hash: name, Created: v.now, Expires: v.now.Add(time.Hour)}))
	h := store.Host{Host: inventory.Host{ID: inventory.HostID(name), Name: name, Labels: map[string]string{"ring": ring, "cluster": cluster}}, Key: name}
	v.ok(v.store.CreateHost(ctx, h, name, v.now))
}

func (v *server) assigned(name string) uint64 {
	v.t.Helper()
	h, err := v.store.Host(v.t.Context(), inventory.HostID(name))
	v.ok(err)
	return v.Assign(h, store.Release{})
}

// run lets a host call, run what it is given, and report the worst status of its resources.
func (v *server) run(name string, found policies.Status, mode policies.Mode) {
	v.t.Helper()
	ctx, id := v.t.Context(), inventory.HostID(name)
	n := v.assigned(name)
	v.ok(v.store.Seen(ctx, id, store.Heartbeat{}, v.now))
	raw, err := json.Marshal(policies.Result{Resources: []policies.ResourceResult{{Address: "a", Status: found, Mode: mode}}})
	v.ok(err)
	old, err := v.store.Host(ctx, id)
	v.ok(err)
	v.seq[id]++
	v.ok(v.store.Accept(ctx, id, old.Epoch, old.Seq, []store.Step{{NewInterval: true, Report: policies.Report{Epoch: "e", Seq: v.seq[id]}, Host: store.Host{
		Release: n, Facts: v.put(store.KindFacts, fmt.Sprintf(`{"timezone":%q}`, v.zones[name])), Catalog: "c", Result: v.put(store.KindResult, string(raw)),
		Since: v.now, Ran: v.now, Found: found, Counts: map[policies.Status]int{found: 1}}}}, v.now))
}

func (v *server) want(assigned map[string]uint64) {
	v.t.Helper()
	got := map[string]uint64{}
	for name := range assigned {
		got[name] = v.assigned(name)
	}
	if diff := cmp.Diff(assigned, got); diff != "" {
		v.t.Fatalf("assigned releases differ (-want +got):\n%s", diff)
	}
}

// TestRestartAtEveryTransition plays a rollout once straight through, and once for each of its
// moments with a server that dies there: the end is the same, and so is every moment before.
func TestRestartAtEveryTransition(t *testing.T) {
	script := []func(*server){
		func(v *server) { v.release(1) },
		func(v *server) {
			v.enrol("c1", "canary")
			v.enrol("b1", "broad")
			v.run("c1", policies.Compliant, policies.Enforce)
			v.run("b1", policies.Compliant, policies.Enforce)
		},
		func(v *server) { v.release(2, plan(nil)) },
		func(v *server) { v.want(map[string]uint64{"c1": 2, "b1": 1}) },
		func(v *server) { v.now = v.now.Add(time.Second); v.run("c1", policies.Repaired, policies.Enforce) },
		func(v *server) { v.step() },
		func(v *server) { v.now = v.now.Add(40 * time.Second); v.step() },
		func(v *server) { v.want(map[string]uint64{"c1": 2, "b1": 1}) },
		func(v *server) {
			for range 3 { // a server that dies in between may count none of one of these
				v.now = v.now.Add(45 * time.Second)
				v.step()
			}
		},
		func(v *server) { v.want(map[string]uint64{"c1": 2, "b1": 2}) },
		func(v *server) { v.now = v.now.Add(time.Second); v.run("b1", policies.Compliant, policies.Enforce) },
		func(v *server) { v.step() },
		func(v *server) { v.want(map[string]uint64{"c1": 2, "b1": 2, "new": 2}) },
	}
	end := func(crash int) []Phase {
		v := newServer(t)
		v.enrol("new", "")
		for i, part := range script {
			if part(v); i == crash || crash == len(script) {
				v.restart()
				v.step()
			}
		}
		p, err := v.Show(t.Context(), ID{Number: 2})
		v.ok(err)
		if p.Done.IsZero() {
			t.Errorf("killed at moment %d: it is not done: %+v", crash, p.Rings)
		}
		var phases []Phase
		for _, e := range p.History {
			phases = append(phases, Phase(e.Ring+" "+e.What))
		}
		return phases
	}
	straight := end(-1)
	for crash := range len(script) + 1 {
		if diff := cmp.Diff(straight, end(crash)); diff != "" {
			t.Errorf("killed at moment %d, it went another way (-straight +killed):\n%s", crash, diff)
		}
	}
}

func TestDowntimeIsNoSoak(t *testing.T) {
	v := newServer(t)
	v.release(1)
	v.enrol("c1", "canary")
	v.run("c1", policies.Compliant, policies.Enforce)
	v.release(2, plan(nil))
	v.now = v.now.Add(time.Second)
	v.run("c1", policies.Compliant, policies.Enforce)
	v.step()
	for range 100 {
		v.now = v.now.Add(time.Hour)
		v.restart()
		v.step()
	}
	p, err := v.Show(t.Context(), ID{Number: 2})
	v.ok(err)
	if r := p.Rings[0]; r.Phase != Soaking || r.Soaked != 0 || p.Waits["canary"] != "1m0s more of soak" {
		t.Errorf("after 100 hours with the server down the ring is %+v and waits for %q", r, p.Waits["canary"])
	}
}

func TestAssign(t *testing.T) {
	v := newServer(t)
	v.enrol("c1", "canary")
	v.enrol("b1", "broad")
	v.want(map[string]uint64{"c1": 0, "b1": 0})
	v.release(1)
	v.want(map[string]uint64{"c1": 1, "b1": 1})
	v.run("c1", policies.Compliant, policies.Enforce)
	v.run("b1", policies.Compliant, policies.Enforce)
	v.release(2, plan(nil))
	v.enrol("new", "canary")
	v.want(map[string]uint64{"c1": 2, "b1": 1, "new": 1})
	v.now = v.now.Add(time.Second)
	v.run("c1", policies.Failed, policies.Enforce)
	v.step()

	// A newer release takes over. Who got the halted one and is not reached yet keeps it.
	halting := plan(func(p *policies.Rollout) { p.Rings[0].Deferral = 3600 })
	v.release(3, halting)
	v.want(map[string]uint64{"c1": 2, "b1": 1, "new": 1})
	p, err := v.Show(t.Context(), ID{Number: 2})
	v.ok(err)
	if p.Superseded != 3 {
		t.Errorf("release 2 is %+v, want it superseded by 3", p.State)
	}
	// And one without a rollout is for all of them.
	v.release(4)
	v.want(map[string]uint64{"c1": 4, "b1": 4, "new": 4})
	if p, err = v.Show(t.Context(), ID{Number: 3}); err != nil || p.Superseded != 4 {
		t.Errorf("release 3 is %+v, %v, want it superseded by 4", p.State, err)
	}
	list, err := v.List(t.Context(), 10)
	if err != nil || len(list) != 4 || list[0].Release != 4 {
		t.Errorf("List = %d rollouts, %v", len(list), err)
	}
}

func TestRollbackHeedsTheFloor(t *testing.T) {
	v := newServer(t)
	v.release(1)
	v.enrol("c1", "canary")
	v.run("c1", policies.Compliant, policies.Enforce)
	v.release(2, plan(nil))
	v.now = v.now.Add(time.Second)
	v.run("c1", policies.Failed, policies.Enforce)
	if _, err := v.Do(t.Context(), ID{Number: 2}, Rollback, "", ada); err != nil {
		t.Fatal(err)
	}
	v.want(map[string]uint64{"c1": 1})
	v.ok(v.store.Seen(t.Context(), "c1", store.Heartbeat{Floor: 2}, v.now))
	v.want(map[string]uint64{"c1": 2})
}

func TestNoncompliantInAuditConverges(t *testing.T) {
	for mode, want := range map[policies.Mode]Phase{policies.Audit: Soaking, policies.Enforce: Rolling} {
		v := newServer(t)
		v.release(1)
		v.enrol("c1", "canary")
		v.run("c1", policies.Compliant, policies.Enforce)
		v.release(2, plan(nil))
		v.now = v.now.Add(time.Second)
		v.run("c1", policies.Noncompliant, mode)
		p, err := v.Show(t.Context(), ID{Number: 2})
		if err != nil || p.Rings[0].Phase != want {
			t.Errorf("%s: the ring is %+v, %v; want %s", mode, p.Rings[0], err, want)
		}
	}
}

func TestFreezeHoldsAcrossRestarts(t *testing.T) {
	v := newServer(t)
	v.release(1)
	v.enrol("c1", "canary")
	v.run("c1", policies.Compliant, policies.Enforce)
	if err := v.Freeze(t.Context(), Act{At: start, Who: "ada"}); err == nil {
		t.Error("a freeze without a reason was taken")
	}
	v.ok(v.Freeze(t.Context(), ada))
	if err := v.Freeze(t.Context(), ada); err == nil {
		t.Error("a second freeze was taken")
	}
	v.release(2, plan(nil))
	v.restart()
	v.step()
	if !v.Frozen() {
		t.Error("the freeze did not survive a restart")
	}
	v.want(map[string]uint64{"c1": 1})
	v.ok(v.Unfreeze(t.Context(), ada))
	if v.Frozen() {
		t.Error("the freeze did not end")
	}
	v.want(map[string]uint64{"c1": 2})
	if err := v.Unfreeze(t.Context(), ada); err == nil {
		t.Error("what is not frozen was unfrozen")
	}
}

// A planned release whose storing failed is no release: the server may have died in between.
func TestPlanWithoutRelease(t *testing.T) {
	v := newServer(t)
	v.enrol("c1", "canary")
	v.release(1)
	v.ok(v.Plan(t.Context(), store.Release{Number: 2, Made: v.now}, []policies.Rollout{plan(nil)}))
	v.restart()
	v.step()
	v.want(map[string]uint64{"c1": 1})
	v.release(2)
	v.want(map[string]uint64{"c1": 2})
}

// A release that a Plumb without rollouts made has no plan, and is for all.
func TestReleaseOfAnOlderPlumb(t *testing.T) {
	v := newServer(t)
	v.enrol("c1", "canary")
	v.ok(v.store.AddRelease(t.Context(), store.Release{Number: 1, Bundle: "b", Made: v.now}))
	v.step()
	v.want(map[string]uint64{"c1": 1})
}

func TestGroupsAreAskedForOnce(t *testing.T) {
	v := newServer(t)
	v.release(1)
	for i := range 5 {
		v.enrol(fmt.Sprint("c", i), "canary")
		v.run(fmt.Sprint("c", i), policies.Compliant, policies.Enforce)
	}
	v.release(2, plan(nil))
	for range 10 {
		v.step()
	}
	if v.asked != 5 {
		t.Errorf("compiled for %d hosts, want 5", v.asked)
	}
}

// Where the groups of hosts cannot be found out nobody gets anything new, and a freeze still counts.
func TestCompilerDies(t *testing.T) {
	v := newServer(t)
	v.release(1)
	v.enrol("c1", "canary")
	v.run("c1", policies.Compliant, policies.Enforce)
	v.dies = true
	r := store.Release{Number: 2, Bundle: v.put(store.KindBundle, "2"), RollbackTo: 1, Made: v.now}
	v.ok(v.Plan(t.Context(), r, []policies.Rollout{plan(nil)}))
	v.ok(v.store.AddRelease(t.Context(), r))
	if err := v.Step(t.Context()); !errors.Is(err, compiler.ErrDied) {
		t.Errorf("Step = %v, want it to tell that the compiler died", err)
	}
	v.want(map[string]uint64{"c1": 1})
	v.ok(v.Freeze(t.Context(), ada))
	if !v.Frozen() {
		t.Error("the freeze is not in force")
	}
	if _, err := v.Do(t.Context(), ID{Number: 2}, Pause, "", ada); err != nil {
		t.Errorf("Pause = %v", err)
	}
	v.restart()
	v.ok(v.Open(t.Context()))
	if !v.Frozen() {
		t.Error("the freeze is not in force after a restart")
	}
	v.want(map[string]uint64{"c1": 1})
}

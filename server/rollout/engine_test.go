package rollout

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// start is when the tests take place.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is a fleet of a test: hosts named c0… in canary and b0… in broad, which run release 1.
type world struct {
	t     *testing.T
	state State
	hosts map[inventory.HostID]Host
	rings Members
	now   time.Time
}

func plan(change func(*policies.Rollout)) policies.Rollout {
	p := policies.Rollout{Name: "r", Carries: policies.CarriesReleases, Rings: []policies.Ring{
		{Name: "canary", Group: "canary", Gate: policies.Gate{Converged: 100, Soak: 60, MinHosts: 1}},
		{Name: "broad", Group: "broad", Gate: policies.Gate{Converged: 100, MinHosts: 1}},
	}}
	if change != nil {
		change(&p)
	}
	return p
}

func newWorld(t *testing.T, canary, broad int, change func(*policies.Rollout)) *world {
	w := &world{t: t, hosts: map[inventory.HostID]Host{}, rings: Members{}, now: start}
	w.state = New(store.Release{Number: 2, RollbackTo: 1, Made: start}, []policies.Rollout{plan(change)})
	for ring, n := range map[string]int{"canary": canary, "broad": broad} {
		for i := range n {
			id := inventory.HostID(fmt.Sprintf("%c%d", ring[0], i))
			w.rings[ring] = append(w.rings[ring], id)
			w.hosts[id] = Host{Release: 1, Passing: true, LastSeen: start, Base: 1}
		}
	}
	return w
}

// step takes the rollout on after a while, as a server would that is started anew each time.
func (w *world) step(after time.Duration) []Decision {
	w.t.Helper()
	w.now = w.now.Add(after)
	next, decisions := Decide(w.state, w.rings, w.hosts, w.now)
	again, _ := Decide(w.state, w.rings, w.hosts, w.now)
	if diff := cmp.Diff(next, again); diff != "" {
		w.t.Fatalf("asked again, Decide says something else:\n%s", diff)
	}
	w.state = reload(w.t, next)
	return decisions
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}

// reload is what is left of a state after a crash.
func reload(t fataler, s State) State {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out State
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// report lets a host call now, and say how it is.
func (w *world) report(id inventory.HostID, change func(*Host)) {
	h := w.hosts[id]
	h.LastSeen, h.Silent = w.now, false
	if n := w.state.Wants(id); n > 0 {
		h.Release = n
	}
	if change != nil {
		change(&h)
	}
	w.hosts[id] = h
}

func (w *world) all(ring string, change func(*Host)) {
	w.now = w.now.Add(time.Second)
	for _, id := range w.rings[ring] {
		w.report(id, change)
	}
}

func (w *world) phases(canary, broad Phase) {
	w.t.Helper()
	if got, want := [2]Phase{w.state.Rings[0].Phase, w.state.Rings[1].Phase}, [2]Phase{canary, broad}; got != want {
		w.t.Fatalf("phases = %v, want %v; history %+v", got, want, w.state.History)
	}
}

func (w *world) given(want int) {
	w.t.Helper()
	if len(w.state.Hosts) != want {
		w.t.Fatalf("%d hosts were given the release, want %d", len(w.state.Hosts), want)
	}
}

func broken(h *Host)  { h.Broken, h.Passing = true, false }
func refused(h *Host) { h.Release, h.Problem = 1, "quarantined" }
func silent(h *Host)  { h.Silent = true }
func waits(h *Host)   { h.Release = 1 }
func measured(h *Host) {
	h.Passing = false
}

var ada = Act{At: start, Who: "ada", Why: "because"}

func must(t testing.TB) func(State, error) State {
	return func(s State, err error) State {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func count(n int) *int { return &n }

func TestDecide(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*policies.Rollout)
		play   func(*world)
		canary Phase
		broad  Phase
		given  int
	}{
		"canary begins": {nil, func(w *world) { w.step(0) }, Rolling, Waiting, 3},
		"deferral is waited for": {func(p *policies.Rollout) { p.Rings[0].Deferral = 3600 },
			func(w *world) { w.step(3599 * time.Second) }, Waiting, Waiting, 0},
		"deferral is over": {func(p *policies.Rollout) { p.Rings[0].Deferral = 3600 },
			func(w *world) { w.step(time.Hour) }, Rolling, Waiting, 3},
		"nothing is known": {nil, func(w *world) { w.step(0); w.step(time.Hour) }, Rolling, Waiting, 3},
		"converged soaks":  {nil, func(w *world) { w.step(0); w.all("canary", nil); w.step(time.Second) }, Soaking, Waiting, 3},
		"soaked passes": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.step(time.Second)
			w.step(59 * time.Second)
			w.phases(Soaking, Waiting)
			w.step(time.Second)
		}, Passed, Rolling, 8},
		"a jump of the clock is no soak": {func(p *policies.Rollout) { p.Rings[0].Gate.Soak = 24 * 3600 }, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.step(time.Second)
			w.step(48 * time.Hour)
			w.step(-48 * time.Hour)
			w.step(time.Second)
		}, Soaking, Waiting, 3},
		"all pass": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.step(time.Second)
			w.step(time.Minute)
			w.all("broad", nil)
			w.step(time.Second)
		}, Passed, Passed, 0},
		"an error halts": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.report("c1", broken)
			w.step(time.Second)
		}, Halted, Waiting, 3},
		"an error that is not new is neither": {nil, func(w *world) {
			w.hosts["c1"] = Host{Release: 1, Broken: true, LastSeen: start, Base: 1}
			w.step(0)
			w.all("canary", nil)
			w.step(time.Hour)
		}, Rolling, Waiting, 3},
		"a quarantine halts": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.report("c1", refused)
			w.step(time.Second)
		}, Halted, Waiting, 3},
		"an old problem is neither": {nil, func(w *world) {
			w.hosts["c1"] = Host{Release: 1, Problem: "quarantined", LastSeen: start, Base: 1}
			w.step(0)
			w.all("canary", nil)
			w.report("c1", refused)
			w.step(time.Hour)
		}, Rolling, Waiting, 3},
		"silence since it took it halts": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.report("c1", silent)
			w.step(time.Second)
		}, Halted, Waiting, 3},
		"silence before that takes it back": {nil, func(w *world) {
			w.step(0)
			h := w.hosts["c1"]
			h.Silent = true
			w.hosts["c1"] = h
			w.step(time.Minute)
		}, Rolling, Waiting, 2},
		"the silent are not passed over": {nil, func(w *world) {
			w.hosts["c1"] = Host{Release: 1, Silent: true, LastSeen: start, Base: 1}
			w.step(0)
			w.report("c0", nil)
			w.report("c2", nil)
			w.step(time.Hour)
		}, Rolling, Waiting, 2},
		"a host that only measured shows nothing": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.report("c1", measured)
			w.step(time.Hour)
		}, Rolling, Waiting, 3},
		"a host that waits shows nothing": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.report("c1", waits)
			w.step(time.Hour)
		}, Rolling, Waiting, 3},
		"an error while it soaks halts": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.step(time.Second)
			w.report("c1", broken)
			w.step(time.Minute)
		}, Halted, Waiting, 3},
		"doubt while it soaks stops the soak": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.step(time.Second)
			w.report("c1", measured)
			w.step(time.Minute)
		}, Rolling, Waiting, 3},
		"a failure begins the soak anew": {func(p *policies.Rollout) { p.Budget = &policies.Budget{Count: count(3), MinSample: 1} }, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.step(time.Second)
			w.step(50 * time.Second)
			w.report("c1", broken)
			w.step(time.Second)
			w.report("c1", func(h *Host) { h.Broken, h.Passing = false, true })
			w.step(time.Second)
			w.step(59 * time.Second)
		}, Soaking, Waiting, 3},
		"the budget bears one": {func(p *policies.Rollout) {
			p.Budget, p.Rings[0].Gate.Converged = &policies.Budget{Count: count(1), MinSample: 1}, 60
		}, func(w *world) {
			w.step(0)
			w.report("c0", broken)
			w.report("c1", nil)
			w.step(time.Second)
			w.report("c2", nil)
			w.step(time.Second)
		}, Soaking, Waiting, 3},
		"a budget makes waves": {func(p *policies.Rollout) { p.Budget = &policies.Budget{Count: count(1), MinSample: 1} },
			func(w *world) { w.step(0) }, Rolling, Waiting, 2},
		"two of the first wave fail": {func(p *policies.Rollout) { p.Budget = &policies.Budget{Count: count(1), MinSample: 1} },
			func(w *world) { w.step(0); w.all("canary", broken); w.step(time.Second) }, Halted, Waiting, 2},
		"max_unavailable": {func(p *policies.Rollout) { p.Rings[0].MaxUnavailable = &policies.Share{Percent: 34} },
			func(w *world) { w.step(0); w.step(time.Hour) }, Rolling, Waiting, 1},
		"max_unavailable goes on": {func(p *policies.Rollout) { p.Rings[0].MaxUnavailable = &policies.Share{Count: 1} },
			func(w *world) { w.step(0); w.report("c0", nil); w.step(time.Second) }, Rolling, Waiting, 2},
		"approval is waited for": {func(p *policies.Rollout) { p.Rings[0].Gate.Approval = true }, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.step(time.Second)
			w.step(time.Minute)
			w.step(time.Minute)
		}, Soaking, Waiting, 3},
		"an early approval skips no soak": {func(p *policies.Rollout) { p.Rings[0].Gate.Approval = true }, func(w *world) {
			w.step(0)
			w.state = must(w.t)(w.state.Promote("canary", ada))
			w.all("canary", nil)
			w.step(time.Second)
			w.phases(Soaking, Waiting)
			w.step(time.Minute)
		}, Passed, Rolling, 8},
		"an empty ring does not pass": {nil, func(w *world) { delete(w.rings, "canary"); w.step(0); w.step(time.Hour) }, Rolling, Waiting, 0},
		"unless it may": {func(p *policies.Rollout) { p.Rings[0].Gate.MinHosts, p.Rings[0].Gate.Soak = 0, 0 },
			func(w *world) { delete(w.rings, "canary"); w.step(0) }, Passed, Rolling, 5},
		"a freeze": {nil, func(w *world) { w.state.Frozen = true; w.step(0) }, Eligible, Waiting, 0},
		"a pause in the middle": {func(p *policies.Rollout) { p.Rings[0].MaxUnavailable = &policies.Share{Count: 1} }, func(w *world) {
			w.step(0)
			w.state = must(w.t)(w.state.Pause(ada))
			w.report("c0", nil)
			w.step(time.Hour)
		}, Rolling, Waiting, 1},
		"harm is seen in a pause": {nil, func(w *world) {
			w.step(0)
			w.state = must(w.t)(w.state.Pause(ada))
			w.report("c0", broken)
			w.step(time.Hour)
		}, Halted, Waiting, 3},
		"a halt is sticky": {nil, func(w *world) {
			w.step(0)
			w.all("canary", broken)
			w.step(time.Second)
			w.all("canary", func(h *Host) { h.Broken, h.Passing = false, true })
			w.step(time.Hour)
		}, Halted, Waiting, 3},
		"a halt is lifted": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.report("c0", broken)
			w.step(time.Second)
			w.state = must(w.t)(w.state.Resume(ada, w.rings, w.hosts))
			w.step(time.Second)
		}, Rolling, Waiting, 3},
		"and halts again for another host": {nil, func(w *world) {
			w.step(0)
			w.all("canary", nil)
			w.report("c0", broken)
			w.step(time.Second)
			w.state = must(w.t)(w.state.Resume(ada, w.rings, w.hosts))
			w.report("c1", broken)
			w.step(time.Second)
		}, Halted, Waiting, 3},
		"a person lets a ring pass": {nil, func(w *world) {
			w.step(0)
			w.state = must(w.t)(w.state.Promote("canary", ada))
			w.step(time.Second)
		}, Passed, Rolling, 8},
		"passed stays passed": {nil, func(w *world) {
			w.step(0)
			w.state = must(w.t)(w.state.Promote("canary", ada))
			w.all("canary", broken)
			w.step(time.Second)
		}, Passed, Rolling, 8},
		"a revoked host is forgotten": {nil, func(w *world) {
			w.step(0)
			w.all("canary", broken)
			delete(w.hosts, "c0")
			w.rings["canary"] = w.rings["canary"][1:]
			w.step(time.Second)
		}, Halted, Waiting, 2},
		"a host that runs it already is counted": {nil, func(w *world) {
			w.hosts["b0"] = Host{Release: 2, Passing: true, LastSeen: start, Base: 1}
			w.step(0)
		}, Rolling, Waiting, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, 5, c.change)
			c.play(w)
			w.phases(c.canary, c.broad)
			w.given(c.given)
		})
	}
}

func TestRollback(t *testing.T) {
	w := newWorld(t, 3, 5, nil)
	w.hosts["c2"] = Host{LastSeen: start} // a new host, which ran nothing before
	w.step(0)
	w.all("canary", broken)
	w.step(time.Second)
	w.state = must(t)(w.state.Rollback("", ada))
	w.phases(RolledBack, Waiting)
	w.step(time.Hour)
	w.phases(RolledBack, Waiting)
	for id, want := range map[inventory.HostID]uint64{"c0": 1, "c2": 2, "b0": 0} {
		if got := w.state.Wants(id); got != want {
			t.Errorf("Wants(%s) = %d, want %d", id, got, want)
		}
	}
	w.state.RollbackTo = 2
	if got := w.state.Wants("c0"); got != 2 {
		t.Errorf("Wants(c0) = %d, want 2: the release may not be taken back", got)
	}
}

func TestActsThatAreRefused(t *testing.T) {
	fresh := newWorld(t, 3, 5, nil)
	fresh.step(0)
	halted := newWorld(t, 3, 5, nil)
	halted.step(0)
	halted.all("canary", broken)
	halted.step(time.Second)
	superseded, done := fresh.state, fresh.state
	superseded.Superseded, done.Done = 3, start
	nobody, silentPerson := Act{Why: "x"}, Act{Who: "ada", Why: " "}
	for name, c := range map[string]struct {
		do   func() (State, error)
		want string
	}{
		"no name":           {func() (State, error) { return fresh.state.Pause(nobody) }, "the act needs the name of a person"},
		"no reason":         {func() (State, error) { return fresh.state.Promote("canary", silentPerson) }, "the act needs a reason"},
		"nothing to resume": {func() (State, error) { return fresh.state.Resume(ada, nil, nil) }, "release 2 is neither paused nor halted"},
		"halt unnamed":      {func() (State, error) { return halted.state.Resume(nobody, nil, nil) }, "the act needs the name of a person"},
		"out of order":      {func() (State, error) { return halted.state.Promote("broad", ada) }, "the ring broad waits for the ring canary, which is halted"},
		"unknown ring":      {func() (State, error) { return fresh.state.Promote("x", ada) }, "the ring x waits for the ring canary, which is rolling"},
		"roll back unknown": {func() (State, error) { return fresh.state.Rollback("x", ada) }, `the rollout of release 2 has no ring "x"`},
		"roll back waiting": {func() (State, error) { return fresh.state.Rollback("broad", ada) }, "there is nothing to roll back in release 2"},
		"superseded":        {func() (State, error) { return superseded.Pause(ada) }, "release 3 took the place of release 2"},
		"done":              {func() (State, error) { return done.Rollback("", ada) }, "release 2 has passed all of its rings"},
		"no rollout":        {func() (State, error) { return New(store.Release{Number: 2}, nil).Pause(ada) }, "release 2 has no rollout: all hosts got it at once"},
	} {
		if _, err := c.do(); err == nil || err.Error() != c.want {
			t.Errorf("%s: error = %v, want %q", name, err, c.want)
		}
	}
}

func TestBudget(t *testing.T) {
	percent := func(f float64) *float64 { return &f }
	for name, c := range map[string]struct {
		budget   *policies.Budget
		tally    Tally
		exceeded bool
	}{
		"none, fine":             {nil, Tally{Members: 9, Converged: 9}, false},
		"none, one":              {nil, Tally{Members: 9, Failed: 1}, true},
		"count, at it":           {&policies.Budget{Count: count(2)}, Tally{Members: 9, Failed: 2}, false},
		"count, past it":         {&policies.Budget{Count: count(2)}, Tally{Members: 9, Failed: 3}, true},
		"percent, few known":     {&policies.Budget{Percent: percent(5), MinSample: 10}, Tally{Members: 100, Converged: 8, Failed: 1}, false},
		"percent, enough known":  {&policies.Budget{Percent: percent(5), MinSample: 10}, Tally{Members: 100, Converged: 9, Failed: 1}, true},
		"percent, at it":         {&policies.Budget{Percent: percent(5), MinSample: 10}, Tally{Members: 100, Converged: 19, Failed: 1}, false},
		"percent, a small ring":  {&policies.Budget{Percent: percent(5), MinSample: 10}, Tally{Members: 3, Converged: 2, Failed: 1}, true},
		"both, the count is due": {&policies.Budget{Percent: percent(50), Count: count(0), MinSample: 10}, Tally{Members: 100, Failed: 1}, true},
	} {
		if got := exceeded(c.budget, c.tally); got != c.exceeded {
			t.Errorf("%s: exceeded = %v, want %v", name, got, c.exceeded)
		}
	}
}

func TestLook(t *testing.T) {
	counts := func(list ...policies.Status) store.Host {
		h := store.Host{Found: policies.Worst(list...), Counts: map[policies.Status]int{}, Release: 2}
		h.Status = h.Found
		for _, s := range list {
			h.Counts[s]++
		}
		return h
	}
	audited, lying, old := counts(policies.Compliant), counts(policies.Compliant), counts(policies.Compliant)
	audited.Audit, lying.Mismatch, old.Status = true, true, policies.Stale
	for name, c := range map[string]struct {
		host                    store.Host
		open                    bool
		passing, broken, silent bool
	}{
		"compliant":               {counts(policies.Compliant, policies.NotApplicable, policies.Waived, policies.Repaired), false, true, false, false},
		"nothing to do":           {counts(policies.NotApplicable), false, true, false, false},
		"noncompliant in audit":   {counts(policies.Compliant, policies.Noncompliant), false, true, false, false},
		"noncompliant in enforce": {counts(policies.Compliant, policies.Noncompliant), true, false, false, false},
		"missing under it":        {counts(policies.Missing, policies.Noncompliant), false, false, false, false},
		"error":                   {counts(policies.Compliant, policies.Failed), false, false, true, false},
		"skipped":                 {counts(policies.Compliant, policies.Skipped), false, false, true, false},
		"did not compile":         {store.Host{Found: policies.Failed}, false, false, true, false},
		"pending":                 {counts(policies.Compliant, policies.Pending), false, false, false, false},
		"unknown":                 {counts(policies.Unknown), false, false, false, false},
		"unexpected":              {counts(policies.Unexpected), false, false, false, false},
		"forced audit":            {audited, false, false, false, false},
		"another catalog":         {lying, false, false, false, false},
		"stale":                   {old, false, true, false, true},
		"never reported":          {store.Host{Found: policies.Unknown}, false, false, false, false},
	} {
		got := Look(c.host, Verdict{Found: c.host.Found, Counts: c.host.Counts, Open: c.open}, 1)
		if got.Passing != c.passing || got.Broken != c.broken || got.Silent != c.silent {
			t.Errorf("%s: Look = %+v", name, got)
		}
	}
}

func TestStrays(t *testing.T) {
	p := plan(nil)
	p.Source = policies.Position{File: "r.hcl", Line: 7}
	for name, c := range map[string]struct {
		groups map[string][]string
		want   []string
	}{
		"fine":     {map[string][]string{"a": {"canary"}, "b": {"broad", "else"}}, nil},
		"no hosts": {map[string][]string{}, nil},
		"none":     {map[string][]string{"a": {"canary"}, "b": {"broad"}, "c": {}, "d": nil}, []string{"error: Host in no ring: c, d are in no ring"}},
		"two":      {map[string][]string{"a": {"canary", "broad"}, "b": {"broad"}}, []string{"error: Host in two rings: a is in the rings canary and broad"}},
		"empty":    {map[string][]string{"b": {"broad"}}, []string{`warning: Ring without hosts: No host is in the ring "canary"`}},
	} {
		problems := Strays(p, c.groups)
		if len(problems) != len(c.want) {
			t.Errorf("%s: Strays = %v, want %v", name, problems, c.want)
			continue
		}
		for i, one := range problems {
			got := one.Severity + ": " + one.Summary + ": " + one.Detail
			if len(got) < len(c.want[i]) || got[:len(c.want[i])] != c.want[i] || one.File != "r.hcl" || one.Line != 7 {
				t.Errorf("%s: %s at %s:%d, want %s", name, got, one.File, one.Line, c.want[i])
			}
		}
	}
}

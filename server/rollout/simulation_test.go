package rollout

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

var (
	seedFlag      = flag.Uint64("seed", 0, "run only the history of this seed")
	hostsFlag     = flag.Int("hosts", 0, "with so many hosts in each history")
	historiesFlag = flag.Uint64("histories", 0, "play so many histories")
)

// seeded is a history by its seed, with the fleet's size.
type seeded struct {
	seed  uint64
	hosts int
}

// campaign plays the histories that found a mistake at some time, and then many by seeds from the
// first on. PLUMB_SOAK=1 plays 1,000 with 10,000 hosts each.
func campaign(t *testing.T, once []seeded, first uint64, hosts int, seeds uint64, play func(t *testing.T, seed uint64, hosts int)) {
	if os.Getenv("PLUMB_SOAK") != "" {
		hosts, seeds = 10_000, 1000
	}
	hosts, seeds = cmp.Or(*hostsFlag, hosts), cmp.Or(*historiesFlag, seeds)
	if *seedFlag != 0 {
		play(t, *seedFlag, hosts)
		return
	}
	for _, one := range once {
		t.Run(fmt.Sprintf("once/%d", one.seed), func(t *testing.T) { play(t, one.seed, one.hosts) })
	}
	for part := range uint64(4) {
		t.Run(fmt.Sprintf("part%d", part), func(t *testing.T) {
			t.Parallel()
			for seed := part; seed < seeds && !t.Failed(); seed += 4 {
				play(t, first+seed, hosts)
			}
		})
	}
}

// failedOnce are seeds that found a mistake at some time, with the fleet's size.
var failedOnce = []seeded{
	{1601, 10_000}, // a clock that was set back hid that a host had called, and its place was given away
}

// Histories of failures, liars, silence, jumps of the clock, crashes and people, by seed. What
// must hold is watched from outside, by what truly happened and not by what the engine thinks.
// PLUMB_SOAK=1 plays 1,000 of them with 10,000 hosts each.
func TestSimulation(t *testing.T) {
	campaign(t, failedOnce, 1000, 200, 60, play)
}

// machine is one simulated host as it truly is.
type machine struct {
	id      inventory.HostID
	ring    int
	runs    uint64
	harmed  bool // the release did harm to it
	fragile bool // the release will
	asleep  bool // it does not call
	liar    bool // it reports what it likes
	slow    bool // it takes the release and shows nothing for a while
	behind  int  // steps until a slow one shows
}

// history is one simulated rollout.
type history struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	plan  policies.Rollout
	fleet []machine
	hosts map[inventory.HostID]Host
	rings Members

	state   State         // what is stored
	clock   time.Time     // of the server; it may jump
	watched time.Duration // since the state was stored, by a clock that does not jump
	calm    bool          // nobody does anything wild any more

	soaked   []time.Duration // for how long each ring truly held, since it failed last
	promoted map[string]bool // rings that a person let pass
	lifted   bool            // a person lifted a halt
}

func play(t *testing.T, seed uint64, hosts int) {
	h := newHistory(t, seed, hosts)
	defer func() {
		if t.Failed() {
			t.Logf("seed %d with %d hosts; plan %+v budget %+v; history %+v", seed, hosts, h.plan.Rings, h.plan.Budget, h.state.History)
		}
	}()
	for range 60 {
		h.wildness()
		h.step()
		if t.Failed() {
			return
		}
	}
	h.end()
}

func newHistory(t *testing.T, seed uint64, hosts int) *history {
	h := &history{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), clock: start, hosts: map[inventory.HostID]Host{}, rings: Members{}, promoted: map[string]bool{}}
	h.plan = policies.Rollout{Name: "sim", Carries: policies.CarriesReleases, Budget: h.budget()}
	for i := range 1 + h.rng.IntN(4) {
		h.plan.Rings = append(h.plan.Rings, h.ring(i))
	}
	h.soaked = make([]time.Duration, len(h.plan.Rings))
	h.state = New(store.Release{Number: 2, RollbackTo: 1, Made: start}, []policies.Rollout{h.plan})
	harm := []float64{0, 0, 0.001, 0.02, 0.3, 1}[h.rng.IntN(6)]
	lies := []float64{0, 0, 0.01, 0.1}[h.rng.IntN(4)]
	for i := range hosts {
		m := machine{id: inventory.HostID(fmt.Sprintf("h%05d", i)), runs: 1, ring: h.place(i, hosts), fragile: h.rng.Float64() < harm, liar: h.rng.Float64() < lies,
			slow: h.rng.Float64() < 0.05}
		h.fleet = append(h.fleet, m)
		name := h.plan.Rings[m.ring].Name
		h.rings[name] = append(h.rings[name], m.id)
		h.hosts[m.id] = Host{Release: 1, Passing: true, LastSeen: start, Base: 1, Broken: h.rng.Float64() < 0.01}
	}
	return h
}

// place makes rings that grow: the first has a twentieth of the fleet.
func (h *history) place(i, hosts int) int {
	if n := len(h.plan.Rings); n > 1 && i >= hosts/20 {
		return 1 + i%(n-1)
	}
	return 0
}

func (h *history) budget() *policies.Budget {
	if h.rng.IntN(3) == 0 {
		return nil
	}
	b := &policies.Budget{MinSample: 1 + h.rng.IntN(20)}
	if h.rng.IntN(2) == 0 {
		b.Count = count(h.rng.IntN(6))
	}
	if b.Count == nil || h.rng.IntN(2) == 0 {
		percent := float64(h.rng.IntN(10))
		b.Percent = &percent
	}
	return b
}

func (h *history) ring(i int) policies.Ring {
	r := policies.Ring{Name: fmt.Sprintf("ring%d", i), Gate: policies.Gate{Converged: []float64{100, 98, 90, 50}[h.rng.IntN(4)], MinHosts: 1,
		Soak: []int{0, 30, 120, 600}[h.rng.IntN(4)], Approval: h.rng.IntN(6) == 0}}
	if h.rng.IntN(4) == 0 {
		r.Deferral = h.rng.IntN(600)
	}
	switch h.rng.IntN(3) {
	case 0:
		r.MaxUnavailable = &policies.Share{Count: 1 + h.rng.IntN(50)}
	case 1:
		r.MaxUnavailable = &policies.Share{Percent: float64(1 + h.rng.IntN(50))}
	}
	return r
}

// wildness is what the world does between two steps.
func (h *history) wildness() {
	for i := range h.fleet {
		m := &h.fleet[i]
		if h.rng.IntN(400) == 0 {
			m.asleep = !m.asleep
		}
		h.machine(m)
	}
	h.people()
	if h.rng.IntN(10) == 0 {
		h.clock = h.clock.Add(time.Duration(h.rng.IntN(14400)-7200) * time.Second)
	}
}

// machine lets one host live for a while: it calls, gets what is published, runs and reports.
func (h *history) machine(m *machine) {
	seen := h.hosts[m.id]
	switch {
	case m.asleep:
		seen.Silent = true
	case h.rng.IntN(4) == 0: // not its turn
		return
	case m.liar && !h.calm:
		seen = Host{Release: uint64(h.rng.IntN(3)), Passing: h.rng.IntN(2) == 0, Broken: h.rng.IntN(8) == 0, LastSeen: h.clock, Base: 1}
		if h.rng.IntN(8) == 0 {
			seen.Problem = fmt.Sprint(h.rng.IntN(3))
		}
		if h.state.Wants(m.id) == 2 {
			m.runs = 2
		}
	default:
		seen = h.honest(m, seen)
	}
	h.hosts[m.id] = seen
}

func (h *history) honest(m *machine, seen Host) Host {
	seen.LastSeen, seen.Silent = h.clock, false
	if n := h.state.Wants(m.id); n > 0 && n != m.runs {
		if m.runs = n; m.slow {
			m.behind = h.rng.IntN(6)
		}
		m.harmed = m.harmed || n == 2 && m.fragile
	}
	if m.behind > 0 {
		m.behind--
		return seen
	}
	seen.Release, seen.Passing, seen.Broken, seen.Problem = m.runs, true, false, ""
	if m.runs == 2 && m.fragile {
		seen.Passing, seen.Broken = false, true
		if len(m.id)%2 == 0 { // some put themselves back
			seen.Release, seen.Problem = 1, "quarantined"
		}
	}
	return seen
}

// people do things, each with a name and a reason.
func (h *history) people() {
	act := Act{At: h.clock, Who: "ada", Why: "chance"}
	switch h.rng.IntN(60) {
	case 0:
		h.did(h.state.Pause(act))
	case 1, 2, 3:
		h.resume(act)
	case 4:
		h.promote(act)
	case 5:
		h.state.Frozen = !h.state.Frozen
	}
	if h.rng.IntN(400) == 0 {
		h.did(h.state.Rollback("", act))
	}
}

func (h *history) did(s State, err error) {
	if err == nil {
		h.state = s
	}
}

func (h *history) resume(act Act) {
	s, err := h.state.Resume(act, h.rings, h.hosts)
	if err == nil {
		h.state, h.lifted = s, true
	}
}

func (h *history) promote(act Act) {
	for _, r := range h.state.Rings {
		if r.Phase == Passed {
			continue
		}
		s, err := h.state.Promote(r.Name, act)
		if err != nil {
			return
		}
		if h.state = s; s.ring(r.Name).Phase == Passed {
			h.promoted[r.Name] = true
		}
		return
	}
}

// step is one step of the server, which may die before or after it stored what it decided.
func (h *history) step() {
	passed := time.Duration(5+h.rng.IntN(40)) * time.Second
	h.clock = h.clock.Add(passed)
	h.watched += passed
	h.observe(passed)
	before := h.state
	state := before
	state.Ticked = h.clock.Add(-h.watched)
	next, _ := Decide(state, h.rings, h.hosts, h.clock)
	switch h.rng.IntN(20) {
	case 0: // killed before it was stored
		h.watched = 0
		return
	case 1: // killed after
		next = reload(h.t, next)
	}
	h.check(before, next)
	h.state, h.watched = next, 0
}

// observe keeps the soaks, by what the rings look like before the step.
func (h *history) observe(passed time.Duration) {
	for i, r := range h.state.Rings {
		t := h.state.Survey(r, h.rings[r.Name], h.hosts)
		if !h.state.Done.IsZero() || r.Phase == Passed {
			continue
		}
		if holds := float64(t.Converged)*100 >= h.plan.Rings[i].Gate.Converged*float64(t.Members) && t.Converged > 0; holds {
			h.soaked[i] += passed
		} else if t.Failed > 0 {
			h.soaked[i] = 0
		}
	}
}

// check holds a step against what must never happen.
func (h *history) check(before, after State) {
	for i, r := range after.Rings {
		old := before.Rings[i]
		if old.Phase == Passed && r.Phase != Passed {
			h.t.Errorf("%s had passed and is %s", r.Name, r.Phase)
		}
		if (old.Phase == Halted || old.Phase == RolledBack) && r.Phase != old.Phase {
			h.t.Errorf("%s was %s and is %s, and nobody lifted it", r.Name, old.Phase, r.Phase)
		}
		if old.Phase != Passed && r.Phase == Passed {
			h.checkPass(i, before)
		}
	}
	if after.Active() {
		h.checkGrants(before, after)
	}
}

func (h *history) checkPass(i int, before State) {
	plan, r := h.plan.Rings[i], before.Rings[i]
	before = before.clone()
	for _, id := range h.rings[r.Name] { // who says that it runs the release is counted in this very step
		if _, given := before.Hosts[id]; !given && h.hosts[id].Release == 2 {
			before.Hosts[id] = Grant{}
		}
	}
	t := before.Survey(r, h.rings[r.Name], h.hosts)
	if before.Held() {
		h.t.Errorf("%s passed in a pause or a freeze", r.Name)
	}
	if need := time.Duration(plan.Gate.Soak) * time.Second; h.soaked[i] < need {
		h.t.Errorf("%s passed after %s of soak, %s was asked for", r.Name, h.soaked[i], need)
	}
	if float64(t.Converged)*100 < plan.Gate.Converged*float64(t.Members) {
		h.t.Errorf("%s passed with %d of %d converged", r.Name, t.Converged, t.Members)
	}
	if plan.Gate.Approval && r.Approved == nil {
		h.t.Errorf("%s passed without approval", r.Name)
	}
	if h.overBudget(t) {
		h.t.Errorf("%s passed with %d failures", r.Name, t.Failed)
	}
	sound := 0 // or said so
	for _, m := range h.fleet {
		if m.ring == i && (m.runs == 2 && !m.fragile || m.liar) {
			sound++
		}
	}
	if t.Converged > sound {
		h.t.Errorf("%s passed with %d converged, and only %d are", r.Name, t.Converged, sound)
	}
}

// overBudget is the budget in other words than the engine's.
func (h *history) overBudget(t Tally) bool {
	b := h.plan.Budget
	if b == nil {
		return t.Failed > 0
	}
	known := t.Failed + t.Converged
	over := b.Count != nil && t.Failed > *b.Count
	if b.Percent != nil && (known >= b.MinSample || known == t.Members) && known > 0 {
		over = over || float64(t.Failed)/float64(known)*100 > *b.Percent
	}
	return over
}

// checkGrants looks at who newly got the release.
func (h *history) checkGrants(before, after State) {
	fresh := make([]int, len(h.plan.Rings))
	for i := range h.fleet {
		m := &h.fleet[i]
		if _, had := before.Hosts[m.id]; had {
			continue
		}
		if _, has := after.Hosts[m.id]; has && h.hosts[m.id].Release != 2 { // who runs it already is only counted
			fresh[m.ring]++
		}
	}
	for i, n := range fresh {
		if n > 0 {
			h.checkRing(i, n, before, after)
		}
	}
}

func (h *history) checkRing(i, fresh int, before, after State) {
	r, plan := after.Rings[i], h.plan.Rings[i]
	for _, earlier := range after.Rings[:i] {
		if earlier.Phase != Passed {
			h.t.Errorf("%s got the release while %s was %s", r.Name, earlier.Name, earlier.Phase)
		}
	}
	t := after.Survey(before.Rings[i], h.rings[r.Name], h.hosts)
	if before.Held() || r.Phase == Halted || r.Phase == RolledBack {
		h.t.Errorf("%d hosts of %s got the release, though it is %s (held: %v)", fresh, r.Name, r.Phase, before.Held())
	}
	if h.overBudget(t) {
		h.t.Errorf("%d hosts of %s got the release after %d failures", fresh, r.Name, t.Failed)
	}
	if m := plan.MaxUnavailable; m != nil && t.Waiting+t.Failed > m.Of(t.Members) {
		h.t.Errorf("%s has %d hosts under way and %d failed, %d are the most", r.Name, t.Waiting, t.Failed, m.Of(t.Members))
	}
	if b := h.plan.Budget; b != nil && b.Count != nil && t.Waiting > *b.Count+1 && t.Waiting > t.Converged {
		h.t.Errorf("%s has %d hosts under way, with a budget of %d and %d converged", r.Name, t.Waiting, *b.Count, t.Converged)
	}
}

// end lets the world calm down, and wants the rollout to come to an end: done, halted or rolled
// back, or waiting for what it can name, from which a person's word leads to the end.
func (h *history) end() {
	h.calm = true
	for i := range h.fleet {
		h.fleet[i].asleep = false
	}
	h.state.Frozen = false
	h.did(h.state.Resume(Act{At: h.clock, Who: "ada", Why: "the end"}, h.rings, h.hosts))
	h.checkHarm()
	goes := h.settle()
	for range 4 * len(h.plan.Rings) {
		if !h.state.Active() || goes || h.t.Failed() {
			return
		}
		h.waiting()
		act := Act{At: h.clock, Who: "ada", Why: "the end"}
		if slices.ContainsFunc(h.state.Rings, func(r Ring) bool { return r.Phase == RolledBack }) {
			return
		}
		h.promote(act)
		goes = h.settle()
	}
	if h.state.Active() && !goes {
		h.t.Errorf("it does not end: %+v", h.state.Rings)
	}
}

// settle goes on until nothing changes any more. A large ring with a small max_unavailable takes
// longer than anybody wants to watch: it is enough then that it still goes on.
func (h *history) settle() (goes bool) {
	quiet := 0
	for range 2000 {
		noted, given := len(h.state.History), len(h.state.Hosts)
		for i := range h.fleet {
			h.machine(&h.fleet[i])
		}
		h.step()
		if quiet++; noted != len(h.state.History) || given != len(h.state.Hosts) {
			quiet = 0
		}
		if !h.state.Active() || quiet > 40 || h.t.Failed() {
			return false
		}
	}
	return true
}

// waiting wants every ring that is not through to say what it waits for, and a ring of honest,
// sound hosts to wait for a person's word at the most.
func (h *history) waiting() {
	for i, r := range h.state.Rings {
		if r.Phase == Passed || r.Phase == RolledBack {
			continue
		}
		t := h.state.Survey(r, h.rings[r.Name], h.hosts)
		if h.state.waits(i, t) == "" {
			h.t.Errorf("%s is %s and does not say what it waits for", r.Name, r.Phase)
		}
		sound := !slices.ContainsFunc(h.fleet, func(m machine) bool { return m.ring == i && (m.fragile || m.liar) })
		if sound && t.Members > 0 && r.Phase == Rolling && (i == 0 || h.state.Rings[i-1].Phase == Passed) {
			h.t.Errorf("%s is sound and does not converge: %+v", r.Name, t)
		}
		return
	}
}

// checkHarm bounds what a release did that harms every host it reaches, when nobody let a ring
// pass or lifted a halt: only the first ring is harmed, and by what its budget and its pace allow.
func (h *history) checkHarm() {
	harmed := make([]int, len(h.plan.Rings))
	for _, m := range h.fleet {
		if !m.fragile || m.liar {
			return
		}
		if m.harmed {
			harmed[m.ring]++
		}
	}
	if len(h.promoted) > 0 || h.lifted {
		return
	}
	most := len(h.rings["ring0"])
	if m := h.plan.Rings[0].MaxUnavailable; m != nil {
		most = min(most, m.Of(most))
	}
	if b := h.plan.Budget; b != nil && b.Count != nil {
		most = min(most, *b.Count+1)
	}
	if harmed[0] > most {
		h.t.Errorf("%d hosts were harmed, %d are the most", harmed[0], most)
	}
	for i, n := range harmed[1:] {
		if n > 0 {
			h.t.Errorf("%d hosts of ring%d were harmed, behind a ring that never passed", n, i+1)
		}
	}
}

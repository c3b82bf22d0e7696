package rollout

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/server/store"
)

// sankOnce are seeds of voyages that found a mistake at some time, with the fleet's size.
var sankOnce = []seeded{
	{5007, 100},  // hosts in no cluster took the places of those in one, again and again
	{5048, 100},  // a ring that a person let pass before it began had no time from which its deadline counts
	{5025, 1000}, // a person let the last ring pass in a pause, which nobody could end any more
	{5127, 1000}, // not the engine's: a ring that is done had as many failures as may be away, and gave no more
	{5284, 1000}, // a host began with an older cycle that was done, while the newer one took another of its cluster away
	{5563, 1000}, // a host that an older cycle had broken counted as serving once it held a newer one
	{5960, 1000}, // when a cycle was done, the share that failed became one of hosts in clusters only
}

// Patch cycles, one after the other, in histories by seed: windows in several zones, deferral,
// deadlines, freezes, clusters, emergencies, reboots that leave hosts pending, hosts that go back
// by themselves, liars, silence, clocks that jump, crashes and people. What must hold is watched
// from outside, as in TestSimulation. PLUMB_SOAK=1 plays 1,000 with 10,000 hosts each.
func TestVoyages(t *testing.T) {
	campaign(t, sankOnce, 5000, 60, 12, sail)
}

// boat is one simulated host as it truly is.
type boat struct {
	store.Host
	ring    int
	zone    string
	freezes bool // it is in the group that the freeze is for
	fragile bool // the cycle will do harm to it
	breaks  bool // harm shows as an error; else it goes back by itself
	liar    bool
	asleep  bool
	slow    int // calls that its reboot takes at the most

	granted protocol.PatchGrant // by its newest lease; of cycle 0 when there is none
	frozen  bool                // as that lease says

	cycle  uint64 // that it works on, or has done
	phase  string
	status policies.Status
	behind int
	away   bool            // it cannot serve
	harmed uint64          // the newest cycle that did harm to it
	broken bool            // something else on it is in error
	told   store.PatchHost // what it reported last
	wrecks bool            // what it reported last: something else is in error
}

// voyage is a fleet with its cycles. Of the history it takes the plan, the rings and the checks.
type voyage struct {
	*history
	boats   []boat
	older   []State
	windows map[string]calendar.Window
	freeze  calendar.Freeze
	sun     time.Time // what time it truly is
	offered map[string]time.Time
	// eligible is when each ring no longer waited.
	eligible map[string]time.Time
	harm     float64
	zones    map[string]*time.Location
	shone    map[string]bool
	hours    *hours
}

func sail(t *testing.T, seed uint64, hosts int) {
	v := newVoyage(t, seed, hosts)
	defer func() {
		if t.Failed() {
			t.Logf("seed %d with %d hosts; cycle %d, plan %+v budget %+v cluster %+v emergency %v; history %+v", seed, hosts, v.state.Release,
				v.plan.Rings, v.plan.Budget, v.plan.Cluster, v.state.Emergency, v.state.History)
		}
	}()
	for range 80 {
		v.wildness()
		v.step()
		if t.Failed() {
			return
		}
	}
	v.end()
}

var voyageZones = []string{"UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"}

func newVoyage(t *testing.T, seed uint64, hosts int) *voyage {
	h := &history{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 2)), clock: start, hosts: map[inventory.HostID]Host{}, rings: Members{}, promoted: map[string]bool{}}
	v := &voyage{history: h, sun: start, offered: map[string]time.Time{}, zones: map[string]*time.Location{}}
	v.windows = map[string]calendar.Window{
		"third":  {Name: "third", Cron: "0 */3 * * *", Duration: 3600, Cutoff: 600},
		"second": {Name: "second", Cron: "30 1-23/2 * * *", Duration: 3600, Timezone: "UTC", Classes: []string{calendar.Package}},
	}
	v.freeze = calendar.Freeze{Name: "f", From: start.Add(time.Hour), Until: start.Add(time.Duration(1+h.rng.IntN(6)) * time.Hour).Add(time.Hour)}
	if h.rng.IntN(2) == 0 {
		v.freeze.Allow = []string{"emergency"}
	}
	h.plan = policies.Rollout{Name: "sim", Carries: "patch_baseline.b", Budget: h.budget()}
	for i := range 1 + h.rng.IntN(4) {
		h.plan.Rings = append(h.plan.Rings, v.ring(i))
	}
	if h.rng.IntN(2) == 0 {
		h.plan.Cluster = &policies.Cluster{Label: "cluster", MaxUnavailable: policies.Share{Count: 1 + h.rng.IntN(2)}}
	}
	if h.rng.IntN(2) == 0 {
		h.plan.Emergency = &policies.Emergency{Soak: []int{0, 60}[h.rng.IntN(2)]}
	}
	v.harm = []float64{0, 0, 0.01, 0.3, 1}[h.rng.IntN(5)]
	lies := []float64{0, 0, 0.01, 0.1}[h.rng.IntN(4)]
	for i := range hosts {
		v.boats = append(v.boats, v.boat(i, hosts, lies))
	}
	for i := range v.boats {
		name := h.plan.Rings[v.boats[i].ring].Name
		h.rings[name] = append(h.rings[name], v.boats[i].ID)
	}
	v.begin(false)
	return v
}

func (v *voyage) boat(i, hosts int, lies float64) boat {
	b := boat{ring: v.place(i, hosts), zone: voyageZones[v.rng.IntN(len(voyageZones))], freezes: v.rng.IntN(4) == 0, liar: v.rng.Float64() < lies,
		slow: v.rng.IntN(5), breaks: v.rng.IntN(2) == 0, phase: policies.PhaseIdle, broken: v.rng.Float64() < 0.01}
	b.ID, b.LastSeen, b.Labels = inventory.HostID(fmt.Sprintf("h%05d", i)), start, map[string]string{}
	if v.rng.IntN(2) == 0 {
		b.Labels["cluster"] = fmt.Sprint("c", v.rng.IntN(1+hosts/10))
	}
	return b
}

func (v *voyage) ring(i int) policies.Ring {
	r := v.history.ring(i)
	r.Windows = [][]string{nil, nil, {"third"}, {"second"}, {"third", "second"}}[v.rng.IntN(5)]
	if v.rng.IntN(3) == 0 {
		r.Deadline = 60 * v.rng.IntN(300)
	}
	if v.rng.IntN(4) == 0 {
		r.Gate.Query = "up"
	}
	return r
}

// begin begins another cycle, as the driver does.
func (v *voyage) begin(emergency bool) {
	number := v.state.Release + 1
	if v.state.Release > 0 {
		v.older = append([]State{v.state}, v.older[:min(len(v.older), maxCycles)]...)
	}
	c := Cycle{Plan: v.plan, Bundle: "b", Set: fmt.Sprint("set", number), Emergency: emergency}
	v.state = c.state(number, v.clock)
	takeOver(v.book(), v.clock)
	for i := range v.older {
		if v.older[i].Active() {
			v.older[i].Superseded = number
		}
	}
	v.soaked, v.promoted, v.lifted, v.offered = make([]time.Duration, len(v.plan.Rings)), map[string]bool{}, false, map[string]time.Time{}
	v.eligible = map[string]time.Time{}
	for i := range v.boats {
		v.boats[i].fragile = v.rng.Float64() < v.harm
	}
}

func (v *voyage) book() []State { return append([]State{v.state}, v.older...) }

// wildness is what the world does between two steps.
func (v *voyage) wildness() {
	for i := range v.boats {
		if v.rng.IntN(400) == 0 {
			v.boats[i].asleep = !v.boats[i].asleep
		}
		v.live(&v.boats[i])
	}
	v.people()
	for i := range v.state.Rings {
		v.state.Rings[i].Asked = []*Answer{nil, {Good: true}, {}, {Problem: "down"}}[v.rng.IntN(4)]
	}
	switch {
	case v.rng.IntN(100) == 0:
		v.begin(true)
	case v.state.Over() && v.rng.IntN(10) == 0:
		v.begin(v.rng.IntN(4) == 0)
	}
	if v.rng.IntN(10) == 0 {
		v.clock = v.clock.Add(time.Duration(v.rng.IntN(14400)-7200) * time.Second)
	}
}

// live lets one host live for a while: it calls, gets what is published, acts and reports.
func (v *voyage) live(b *boat) {
	b.Status = policies.Compliant
	switch {
	case b.asleep:
		b.Status = policies.Stale
		return
	case !v.calm && v.rng.IntN(4) == 0: // not its turn to call; it goes on by the lease that it has
		v.take(b)
		return
	}
	b.LastSeen = v.clock
	if b.liar && !v.calm {
		b.told = store.PatchHost{Cycle: v.state.Release + uint64(v.rng.IntN(3)) - 1, Status: policies.Statuses[v.rng.IntN(len(policies.Statuses))],
			Phase: []string{policies.PhaseIdle, policies.PhaseDone, policies.PhaseInstall, policies.PhaseRolledBack}[v.rng.IntN(4)]}
		b.wrecks = v.rng.IntN(8) == 0
		return
	}
	if b.broken = b.broken || v.rng.IntN(5000) == 0; v.calm {
		b.broken = false
	}
	v.lease(b)
	v.take(b)
	b.told, b.wrecks = store.PatchHost{Cycle: b.cycle, Status: b.status, Phase: b.phase}, b.broken
}

// lease lets a host hold what it is granted now.
func (v *voyage) lease(b *boat) {
	b.granted, b.frozen = protocol.PatchGrant{}, v.state.Frozen
	for i := range 1 + len(v.older) { // as v.book, which costs too much for each host
		s := &v.state
		if i > 0 {
			s = &v.older[i-1]
		}
		if s.reaches(b.Host) && !s.stops(b.Host, v.hosts[b.ID], i > 0) {
			b.granted = s.grant(b.Host, v.plan.Rings[b.ring].Name)
			v.checkLease(b, s)
			return
		}
	}
}

// take does what a lease says, as an agent would.
func (v *voyage) take(b *boat) {
	g := b.granted
	if g.Undo {
		b.cycle, b.phase, b.status, b.away = g.Cycle, policies.PhaseRolledBack, policies.Noncompliant, false
		return
	}
	switch {
	case b.phase == policies.PhaseReboot && (b.cycle == g.Cycle || g.Cycle == 0): // it ends what it began
		v.reboot(b)
	case g.Cycle == 0 || b.cycle == g.Cycle && b.phase != policies.PhaseIdle:
		return // done, failed, or back again
	case b.frozen || !v.open(b, g.Emergency, v.sun, v.late(b, g.Offered, v.sun)):
		b.cycle, b.status, b.phase = g.Cycle, policies.Pending, policies.PhaseIdle // who is away stays so
	default:
		v.install(b, g.Cycle)
	}
}

func (v *voyage) reboot(b *boat) {
	if b.behind--; b.behind <= 0 {
		b.phase, b.status, b.away = policies.PhaseDone, policies.Repaired, false
	}
}

func (v *voyage) install(b *boat, cycle uint64) {
	b.cycle, b.away = cycle, b.breaks && b.fragile || !b.fragile && b.slow > 1
	switch {
	case b.fragile && b.breaks:
		b.phase, b.status, b.harmed = policies.PhaseInstall, policies.Failed, cycle
	case b.fragile:
		b.phase, b.status, b.harmed = policies.PhaseRolledBack, policies.Noncompliant, cycle
	case b.slow > 1:
		b.phase, b.status, b.behind = policies.PhaseReboot, policies.Pending, b.slow
	default:
		b.phase, b.status = policies.PhaseDone, policies.Repaired
	}
	v.checkCluster(b)
}

func (v *voyage) late(b *boat, offered, now time.Time) bool {
	deadline := v.plan.Rings[b.ring].Deadline
	return deadline > 0 && !offered.IsZero() && !now.Before(offered.Add(time.Duration(deadline)*time.Second))
}

// open tells in other words than the engine's whether a host may change.
func (v *voyage) open(b *boat, emergency bool, now time.Time, late bool) bool {
	if b.freezes && !now.Before(v.freeze.From) && now.Before(v.freeze.Until) && (!emergency || len(v.freeze.Allow) == 0) {
		return false
	}
	names := v.plan.Rings[b.ring].Windows
	if late || len(names) == 0 {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool { return v.shines(name, b.zone, now) })
}

// shines tells whether a window is open in a zone. Hosts share the answers of one instant.
func (v *voyage) shines(window, zone string, now time.Time) bool {
	if v.shone == nil || len(v.shone) > 1000 {
		v.shone = map[string]bool{}
	}
	key := fmt.Sprint(window, zone, now.UnixNano())
	if open, known := v.shone[key]; known {
		return open
	}
	if v.zones[zone] == nil {
		at, err := time.LoadLocation(zone)
		if err != nil {
			v.t.Fatal(err)
		}
		v.zones[zone] = at
	}
	o, under := v.windows[window].At(now, v.zones[zone])
	v.shone[key] = under && o.Open(now)
	return v.shone[key]
}

// step is one step of the server, which may die before or after it stored what it decided.
func (v *voyage) step() {
	passed := time.Duration(5+v.rng.IntN(50)) * time.Second
	if v.calm || v.rng.IntN(4) == 0 {
		passed = time.Duration(5+v.rng.IntN(25)) * time.Minute
	}
	v.clock, v.sun = v.clock.Add(passed), v.sun.Add(passed)
	v.watched += passed
	v.look()
	v.observe(min(passed, longestStep))
	before := v.state
	state := before
	state.Ticked = v.clock.Add(-v.watched)
	next, _ := Decide(state, v.rings, v.hosts, v.clock)
	switch v.rng.IntN(20) {
	case 0: // killed before it was stored
		v.watched = 0
		return
	case 1: // killed after
		next = reload(v.t, next)
	}
	v.note(before, next)
	v.checkStep(before, next)
	v.state, v.watched = next, 0
}

// look is what the driver makes of the hosts.
func (v *voyage) look() {
	if v.hours == nil || v.hours.of != v.state.ID() {
		v.hours = hoursOf(v.state, v.windows, v.clock)
	}
	v.hours.at(v.clock)
	for i := range v.boats {
		b := &v.boats[i]
		verdict := Verdict{}
		if b.wrecks {
			verdict.Counts = map[policies.Status]int{policies.Failed: 1}
		}
		one := LookCycle(b.Host, b.told, verdict)
		p := placement{zone: b.zone}
		if b.freezes {
			p.freezes = []calendar.Freeze{v.freeze}
		}
		v.hours.shut(v.state, v.plan.Rings[b.ring].Name, &p, b.ID, &one)
		one.Busy, one.Unsure = busy(v.older, b.Host, b.told)
		if v.plan.Cluster != nil {
			one.Cluster = b.Labels["cluster"]
		}
		v.hosts[b.ID] = one
	}
}

// note remembers when each ring was first open to its hosts.
func (v *voyage) note(before, after State) {
	for i, r := range after.Rings {
		begun := i == 0 || before.Rings[i-1].Phase == Passed || after.Rings[i-1].Phase == Passed
		if _, known := v.offered[r.Name]; !known && begun && slices.Contains([]Phase{Rolling, Soaking, Passed, Halted}, r.Phase) {
			v.offered[r.Name] = v.clock
		}
	}
}

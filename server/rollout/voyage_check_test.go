package rollout

import (
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// checkStep holds a step against what must never happen.
func (v *voyage) checkStep(before, after State) {
	for i, r := range after.Rings {
		old := before.Rings[i]
		if slices.Contains([]Phase{Passed, Halted, RolledBack}, old.Phase) && r.Phase != old.Phase {
			v.t.Errorf("%s was %s and is %s, and nobody did that", r.Name, old.Phase, r.Phase)
		}
		if old.Phase != Passed && r.Phase == Passed {
			v.checkPass(i, before)
		}
		if old.Phase == Waiting && r.Phase != Waiting {
			v.eligible[r.Name] = v.clock
		}
	}
	fresh := make([]int, len(v.plan.Rings))
	for i := range v.boats {
		b := &v.boats[i]
		_, had := before.Hosts[b.ID]
		_, has := after.Hosts[b.ID]
		if has && !had && v.hosts[b.ID].Release != after.Release { // who has it already is only counted
			fresh[b.ring]++
			v.checkGrant(b, after)
		}
	}
	for i, n := range fresh {
		if n > 0 {
			v.checkRing(i, n, before, after)
		}
	}
}

// checkGrant looks at one host that newly got the cycle.
func (v *voyage) checkGrant(b *boat, s State) {
	if !v.open(b, s.Emergency, v.clock, v.late(b, v.offered[v.plan.Rings[b.ring].Name], v.clock)) {
		v.t.Errorf("%s of ring%d in %s got it at %s, when it may not change", b.ID, b.ring, b.zone, v.clock)
	}
	deferral := time.Duration(v.plan.Rings[b.ring].Deferral) * time.Second
	name := v.plan.Rings[b.ring].Name // its deferral counts up to when it was eligible: the clock may be set back later
	if !s.Emergency && !v.promoted[name] && v.eligible[name].Before(s.Made.Add(deferral)) {
		v.t.Errorf("%s got it, eligible %s after the cycle began, before its deferral of %s", b.ID, v.eligible[name].Sub(s.Made), deferral)
	}
}

func (v *voyage) checkRing(i, fresh int, before, after State) {
	r, plan := after.Rings[i], v.plan.Rings[i]
	for _, earlier := range after.Rings[:i] {
		if earlier.Phase != Passed {
			v.t.Errorf("%s got it while %s was %s", r.Name, earlier.Name, earlier.Phase)
		}
	}
	t := after.Survey(before.Rings[i], v.rings[r.Name], v.hosts)
	if after.Hosts == nil || before.Held() || r.Phase == Halted || r.Phase == RolledBack || v.overBudget(t) {
		v.t.Errorf("%d hosts of %s got it, though it is %s (held: %v) with %d failures", fresh, r.Name, r.Phase, before.Held(), t.Failed)
	}
	if m := plan.MaxUnavailable; m != nil && t.Waiting+t.Failed > m.Of(t.Members) {
		v.t.Errorf("%s has %d hosts under way and %d failed, %d are the most", r.Name, t.Waiting, t.Failed, m.Of(t.Members))
	}
	if b := v.plan.Budget; b != nil && b.Count != nil && t.Waiting > *b.Count+1 && t.Waiting > t.Converged {
		v.t.Errorf("%s has %d hosts under way, with a budget of %d and %d converged", r.Name, t.Waiting, *b.Count, t.Converged)
	}
}

func (v *voyage) checkPass(i int, before State) {
	plan, r := v.plan.Rings[i], before.Rings[i]
	need := time.Duration(plan.Gate.Soak) * time.Second
	if before.Emergency && v.plan.Emergency != nil {
		need = time.Duration(v.plan.Emergency.Soak) * time.Second
	}
	if v.soaked[i] < need {
		v.t.Errorf("%s passed after %s of soak, %s was asked for", r.Name, v.soaked[i], need)
	}
	if before.Held() || plan.Gate.Approval && r.Approved == nil || plan.Gate.Query != "" && (r.Asked == nil || !r.Asked.Good) {
		v.t.Errorf("%s passed with held %v, approval %v, answer %+v", r.Name, before.Held(), r.Approved, r.Asked)
	}
	reached := 0 // by what truly happened, or by who says so
	for j := range v.boats {
		if b := &v.boats[j]; b.ring == i && (b.cycle == before.Release && b.phase == policies.PhaseDone || b.liar) {
			reached++
		}
	}
	if float64(reached)*100 < plan.Gate.Converged*float64(len(v.rings[r.Name])) {
		v.t.Errorf("%s passed with %d of %d hosts that have it", r.Name, reached, len(v.rings[r.Name]))
	}
}

// checkLease wants nobody to begin with a cycle that is held back, that halted in its ring, or that
// is older than the newest; but one that is done is for all that are in no cluster.
func (v *voyage) checkLease(b *boat, s *State) {
	begun := b.cycle == s.Release && b.phase != policies.PhaseIdle || b.told.Cycle == s.Release && b.told.Phase != policies.PhaseIdle
	if begun || b.liar {
		return
	}
	older, phase := s.Release != v.state.Release, s.Rings[b.ring].Phase
	free := !s.Done.IsZero() && (v.plan.Cluster == nil || b.Labels["cluster"] == "")
	if !free && (older || s.Paused != nil || phase == Halted) {
		v.t.Errorf("%s of ring%d has not begun with cycle %d and may (older: %v, paused: %v, %s)", b.ID, b.ring, s.Release, older, s.Paused != nil, phase)
	}
}

// checkCluster counts, when a host begins, how many of its cluster cannot serve by then. A host
// whose failure a person forgave is that person's care, and so is one that has lied.
func (v *voyage) checkCluster(b *boat) {
	name := b.Labels["cluster"]
	if v.plan.Cluster == nil || name == "" || !b.away {
		return
	}
	size, away := 0, 0
	for i := range v.boats {
		one := &v.boats[i]
		if one.Labels["cluster"] != name {
			continue
		}
		if size++; one.liar {
			return
		}
		if one.away && !v.forgiven(one.ID) {
			away++
		}
	}
	if most := v.plan.Cluster.MaxUnavailable.Of(size); away > most {
		v.t.Errorf("%d of %d hosts of the cluster %s are away, %d are the most (%s began cycle %d)", away, size, name, most, b.ID, b.cycle)
	}
}

func (v *voyage) forgiven(id inventory.HostID) bool {
	for _, s := range v.book() {
		for _, r := range s.Rings {
			if slices.Contains(r.Forgiven, id) {
				return true
			}
		}
	}
	return false
}

// end lets the world calm down, and wants the cycle to come to an end, as history.end does. Then
// each host of a cluster of sound ones has it, too.
func (v *voyage) end() {
	v.checkHarm()
	v.calm = true
	for i := range v.boats {
		v.boats[i].asleep = false
	}
	v.state.Frozen = false
	act := Act{At: v.clock, Who: "ada", Why: "the end"}
	v.did(v.state.Resume(act, v.rings, v.hosts))
	goes := v.settle()
	for range 4 * len(v.plan.Rings) {
		if !v.state.Active() || goes || v.t.Failed() {
			break
		}
		v.waiting()
		if slices.ContainsFunc(v.state.Rings, func(r Ring) bool { return r.Phase == RolledBack }) {
			return
		}
		v.promote(act)
		goes = v.settle()
	}
	if v.state.Active() && !goes {
		v.t.Errorf("it does not end: %+v", v.state.Rings)
	}
	if !v.state.Active() && !goes {
		v.checkAll()
	}
}

// settle goes on until nothing changes any more.
func (v *voyage) settle() (goes bool) {
	quiet := 0
	for range 1500 {
		noted, given, done := len(v.state.History), len(v.state.Hosts), v.reached()
		for i := range v.boats {
			v.live(&v.boats[i])
		}
		for i := range v.state.Rings {
			v.state.Rings[i].Asked = &Answer{Good: true}
		}
		v.step()
		if quiet++; noted != len(v.state.History) || given != len(v.state.Hosts) || done != v.reached() {
			quiet = 0
		}
		if quiet > 60 || v.t.Failed() {
			return false
		}
	}
	return true
}

func (v *voyage) reached() (n int) {
	for i := range v.boats {
		if b := &v.boats[i]; b.cycle == v.state.Release && b.phase == policies.PhaseDone {
			n++
		}
	}
	return n
}

// waiting wants every ring that is not through to say what it waits for, and a ring of sound
// hosts, whose clusters are sound, to wait for a person's word at the most.
func (v *voyage) waiting() {
	for i, r := range v.state.Rings {
		if r.Phase == Passed || r.Phase == RolledBack {
			continue
		}
		t := v.state.Survey(r, v.rings[r.Name], v.hosts)
		if v.state.waits(i, t) == "" {
			v.t.Errorf("%s is %s and does not say what it waits for", r.Name, r.Phase)
		}
		bad := v.badClusters()
		sound := !slices.ContainsFunc(v.boats, func(b boat) bool { return b.ring == i && (b.fragile || b.liar || bad[b.Labels["cluster"]]) })
		if sound && t.Members > 0 && r.Phase == Rolling && (i == 0 || v.state.Rings[i-1].Phase == Passed) {
			v.t.Errorf("%s is sound and does not converge: %+v", r.Name, t)
		}
		return
	}
}

// badClusters are those with a host that is not sound, and may be away for good.
func (v *voyage) badClusters() map[string]bool {
	bad := map[string]bool{}
	for i := range v.boats {
		if b := &v.boats[i]; v.plan.Cluster != nil && b.Labels["cluster"] != "" && (b.fragile || b.liar) {
			bad[b.Labels["cluster"]] = true
		}
	}
	return bad
}

// checkAll wants each sound host to have a cycle that is done.
func (v *voyage) checkAll() {
	if v.overBudgetAnywhere() {
		return // a ring that people let pass gives no more
	}
	bad, full := v.badClusters(), v.fullRings()
	for i := range v.boats {
		b := &v.boats[i]
		if b.fragile || b.liar || bad[b.Labels["cluster"]] || full[b.ring] || b.cycle == v.state.Release && b.phase == policies.PhaseDone {
			continue
		}
		v.t.Errorf("cycle %d is done, and %s of ring%d (cluster %q) is %s with cycle %d", v.state.Release, b.ID, b.ring, b.Labels["cluster"], b.phase, b.cycle)
	}
}

// fullRings are those in which as many hosts failed as may be away at a time.
func (v *voyage) fullRings() map[int]bool {
	full := map[int]bool{}
	for i, r := range v.state.Rings {
		t := v.state.Survey(r, v.rings[r.Name], v.hosts)
		m := v.plan.Rings[i].MaxUnavailable
		full[i] = m != nil && t.Failed >= m.Of(t.Members)
	}
	return full
}

func (v *voyage) overBudgetAnywhere() bool {
	return slices.ContainsFunc(v.state.Rings, func(r Ring) bool {
		return v.overBudget(v.state.Survey(r, v.rings[r.Name], v.hosts))
	})
}

// checkHarm bounds what a cycle did that harms every host it reaches, when nobody let a ring pass
// or lifted a halt: only the first ring is harmed, by what its budget and its pace allow.
func (v *voyage) checkHarm() {
	harmed := make([]int, len(v.plan.Rings))
	for i := range v.boats {
		b := &v.boats[i]
		if !b.fragile || b.liar {
			return
		}
		if b.harmed == v.state.Release {
			harmed[b.ring]++
		}
	}
	if len(v.promoted) > 0 || v.lifted {
		return
	}
	most := len(v.rings["ring0"])
	if m := v.plan.Rings[0].MaxUnavailable; m != nil {
		most = min(most, m.Of(most))
	}
	if b := v.plan.Budget; b != nil && b.Count != nil {
		most = min(most, *b.Count+1)
	}
	if harmed[0] > most {
		v.t.Errorf("%d hosts were harmed, %d are the most", harmed[0], most)
	}
	for i, n := range harmed[1:] {
		if n > 0 {
			v.t.Errorf("%d hosts of ring%d were harmed, behind a ring that never passed", n, i+1)
		}
	}
}

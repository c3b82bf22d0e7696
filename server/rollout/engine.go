package rollout

import (
	"fmt"
	"maps"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// longestStep is the most that one step adds to a soak. A soak is time in which the hosts were
// watched: neither a clock that jumps nor a server that was down makes it shorter.
const longestStep = time.Minute

// Decision is one thing that the engine decided, for the log.
type Decision struct {
	// Ring is the name of the ring. Host is empty for what concerns the whole ring.
	Ring string
	Host inventory.HostID
	// What is given, withdrawn, or the phase that began.
	What string
	Why  string
}

// Decide takes a rollout one step further: it returns the state to remember and what was
// decided. It changes none of what it is given, and asked again it decides the same.
func Decide(state State, members Members, hosts map[inventory.HostID]Host, now time.Time) (State, []Decision) {
	if !state.Active() && !state.trails() {
		return state, nil
	}
	e := &engine{State: state.around(), members: members, hosts: hosts, now: now}
	if e.Hosts == nil { // JSON leaves an empty one out
		e.Hosts, e.own = map[inventory.HostID]Grant{}, true
	}
	e.elapsed = min(max(now.Sub(state.Ticked), 0), longestStep)
	if state.Ticked.IsZero() {
		e.elapsed = 0
	}
	e.Ticked = now
	e.tidy()
	for i := range e.Rings {
		if e.ring(i); e.Rings[i].Phase != Passed {
			break
		}
	}
	e.thin()
	return e.State, e.decisions
}

type engine struct {
	State
	members   Members
	hosts     map[inventory.HostID]Host
	now       time.Time
	elapsed   time.Duration
	decisions []Decision
	// own is true once the grants are a copy: most steps change none, and there may be 100,000.
	own bool
	// clusters bounds what is given where the plan names clusters; nil before the first give.
	clusters *clusters
}

func (e *engine) say(ring string, host inventory.HostID, what, why string) {
	e.decisions = append(e.decisions, Decision{Ring: ring, Host: host, What: what, Why: why})
}

func (e *engine) move(r *Ring, to Phase, why string) {
	e.turn(r, to, Act{At: e.now, Why: why})
	e.say(r.Name, "", string(to), why)
}

func (e *engine) grant(id inventory.HostID, g Grant) {
	e.copy()
	e.Hosts[id] = g
}

func (e *engine) take(id inventory.HostID) {
	e.copy()
	delete(e.Hosts, id)
}

func (e *engine) copy() {
	if !e.own {
		e.Hosts, e.own = maps.Clone(e.Hosts), true
	}
}

// tidy forgets hosts that are gone, takes back what a host that is silent never fetched, and
// takes in hosts that run the release though nobody remembers to have given it.
func (e *engine) tidy() {
	for id, g := range e.Hosts {
		h, there := e.hosts[id]
		if !there {
			e.take(id)
		} else if h.Silent && h.LastSeen.Equal(g.Seen) && h.Release != e.Release && e.State.ring(g.Ring).Phase != RolledBack {
			e.take(id)
			e.say(g.Ring, id, "withdrawn", "it fell silent before it called")
		}
	}
	e.excuse()
	e.doubt()
	for _, r := range e.Rings {
		for _, id := range e.members[r.Name] {
			h := e.hosts[id]
			if _, given := e.Hosts[id]; !given && h.Release == e.Release && !e.public(h) {
				e.grant(id, Grant{Ring: r.Name, From: h.Base})
			}
		}
	}
}

// excuse remembers what broke on a host before a patch cycle changed anything there.
func (e *engine) excuse() {
	for id, g := range e.Hosts {
		h := e.hosts[id]
		if !h.Untouched || h.Broken == g.Broken {
			continue
		}
		g.Broken = h.Broken
		e.grant(id, g)
		e.say(g.Ring, id, "excused", "something else changed there before it began")
	}
}

// ring takes one ring further. All rings before it have passed.
func (e *engine) ring(i int) {
	plan, r := e.Plan.Rings[i], &e.Rings[i]
	if r.Phase == Waiting && !e.now.Before(e.Made.Add(e.Deferral(plan))) {
		e.move(r, Eligible, "")
	}
	if r.Phase == Eligible && !e.Held() {
		e.move(r, Rolling, "")
	}
	if r.Phase != Rolling && r.Phase != Soaking && r.Phase != Passed {
		return
	}
	if r.Offered.IsZero() { // also where a person let a ring pass that had not begun
		r.Offered = e.now
	}
	t := e.Survey(*r, e.members[r.Name], e.hosts)
	if exceeded(e.Plan.Budget, t) {
		if r.Phase != Passed {
			e.move(r, Halted, fmt.Sprintf("%d of %d hosts failed, which is more than the failure budget allows", t.Failed, t.Given))
		}
		return
	}
	e.give(plan, t)
	if r.Phase != Passed {
		e.gate(plan, r, t)
	}
}

// gate looks whether the ring has converged, for how long, and whether that is enough.
func (e *engine) gate(plan policies.Ring, r *Ring, t Tally) {
	if !converged(plan.Gate, t) {
		if t.Failed > 0 {
			r.Soaked = 0
		}
		if r.Phase == Soaking {
			e.move(r, Rolling, fmt.Sprintf("only %d of %d hosts have converged now", t.Converged, t.Members))
		}
		return
	}
	if r.Phase == Soaking {
		r.Soaked += e.elapsed
	} else {
		e.move(r, Soaking, fmt.Sprintf("%d of %d hosts have converged", t.Converged, t.Members))
	}
	agreed := (!plan.Gate.Approval || r.Approved != nil) && (plan.Gate.Query == "" || r.Asked != nil && r.Asked.Good)
	if r.Soaked >= e.Soak(plan) && agreed && !e.Held() {
		e.move(r, Passed, "")
	}
}

func converged(gate policies.Gate, t Tally) bool {
	return t.Converged >= gate.MinHosts && float64(t.Converged)*100 >= gate.Converged*float64(t.Members)
}

// give gives the release to as many more hosts as may be under way at a time.
func (e *engine) give(plan policies.Ring, t Tally) {
	if e.Held() {
		return
	}
	free := e.free(plan, t)
	for _, id := range e.members[plan.Name] {
		h := e.hosts[id]
		if _, given := e.Hosts[id]; given || h.Silent || h.Closed || e.public(h) {
			continue // one that is silent gets it when it calls again, one that is closed when it may change
		}
		if free <= 0 {
			return
		}
		if !e.spare(id, h) {
			continue
		}
		free--
		e.grant(id, Grant{Seen: h.LastSeen, Ring: plan.Name, From: h.Base, Problem: h.Problem, Broken: h.Broken, Away: e.busy(id, h)})
		e.say(plan.Name, id, "given", "")
	}
}

// free is how many more hosts may get the release now.
func (e *engine) free(plan policies.Ring, t Tally) int {
	free := t.Members
	if m := plan.MaxUnavailable; m != nil {
		free = min(free, m.Of(t.Members)-t.Waiting-t.Failed)
	}
	if b := e.Plan.Budget; b != nil {
		free = min(free, bearable(*b, t)-t.Waiting)
	}
	return free
}

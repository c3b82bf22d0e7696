// Package rollout takes a release, or a patch cycle, from ring to ring, watches it, and stops by
// itself when it does harm.
//
// [Decide] is the whole engine: a pure function of what is remembered, who is in which ring, how
// the hosts fare, and the time. The [Driver] feeds it, and stores what it decided before any
// host gets to know. What is not known never counts as passed.
package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// Phase is how far a ring is with a release.
type Phase string

// The phases of a ring. Passed stays passed, and only a person ends Halted.
const (
	Waiting    Phase = "waiting"     // for the ring before it, or for its deferral
	Eligible   Phase = "eligible"    // may begin, and is held back by a pause or a freeze
	Rolling    Phase = "rolling"     // its hosts get the release
	Soaking    Phase = "soaking"     // enough hosts have converged; time or a person's word is missing
	Passed     Phase = "passed"      // the next ring may begin
	Halted     Phase = "halted"      // too many hosts failed
	RolledBack Phase = "rolled_back" // its hosts got the release before again
)

// State is all that is remembered of one release, or of one patch cycle, on its way through the
// rings. It is plain JSON; a server that was killed goes on with what it stored last.
type State struct {
	// Rollout names the rollout of a patch cycle; it is empty for a release.
	Rollout string `json:"rollout,omitempty"`
	// Release is the number of the release, or of the cycle among those of its rollout.
	Release uint64 `json:"release"`
	// Set is the digest of the patch set that a cycle carries.
	Set string `json:"set,omitempty"`
	// Bundle says who is in which ring of a cycle, and when its hosts may change.
	Bundle string `json:"bundle,omitempty"`
	// Emergency is true for a cycle that waits for no deferral and soaks only as the block emergency says.
	Emergency bool `json:"emergency,omitempty"`
	// RollbackTo is the oldest release that may take its place again.
	RollbackTo uint64 `json:"rollback_to"`
	// Made is when the release was made, or the cycle began; deferrals count from it.
	Made time.Time `json:"made"`
	// Plan is the rollout block; nil gives the release to all hosts at once.
	Plan *policies.Rollout `json:"plan,omitempty"`
	// Rings are in the order of the plan.
	Rings []Ring `json:"rings"`
	// Hosts were given the release.
	Hosts map[inventory.HostID]Grant `json:"hosts,omitempty"`
	// Doubts are hosts that may have begun with an older cycle before it was taken back from them.
	// Only where there are clusters.
	Doubts map[inventory.HostID]Doubt `json:"doubts,omitempty"`
	// Paused is set while a person holds it back, Frozen while the whole server is.
	Paused *Act `json:"paused,omitempty"`
	Frozen bool `json:"frozen,omitempty"`
	// Done is when the last ring passed: from then on the release is for every host.
	Done time.Time `json:"done,omitzero"`
	// Superseded is the newer release or cycle that took over, 0 while none did.
	Superseded uint64 `json:"superseded,omitempty"`
	// Withdrawn is when and why policy ended a cycle that was under way.
	Withdrawn *Act `json:"withdrawn,omitempty"`
	// Ticked is when it was last decided upon.
	Ticked time.Time `json:"ticked,omitzero"`
	// History is what happened to the rings, the oldest first.
	History []Entry `json:"history"`
}

// Ring is how far one ring is.
type Ring struct {
	Name  string `json:"name"`
	Phase Phase  `json:"phase"`
	// Since is when the phase began.
	Since time.Time `json:"since"`
	// Offered is when its hosts could first be given it; a ring's deadline counts from it.
	Offered time.Time `json:"offered,omitzero"`
	// Soaked is for how long the gate's share of converged hosts was seen to hold.
	Soaked time.Duration `json:"soaked,omitempty"`
	// Approved is the person's word that the gate asks for.
	Approved *Act `json:"approved,omitempty"`
	// Asked is the newest answer to the gate's query; nil while there is none to go by.
	Asked *Answer `json:"asked,omitempty"`
	// Forgiven are hosts whose failure a person accepted when the halt was lifted.
	Forgiven []inventory.HostID `json:"forgiven,omitempty"`
}

// Grant is that a host was given the release.
type Grant struct {
	// Seen is when it had last called by then. That it called since is told by another time, not
	// by a later one: the server's clock may have been set back.
	Seen time.Time `json:"seen,omitzero"`
	// Ring is the name of its ring then.
	Ring string `json:"ring"`
	// From is what it was to run before, 0 for nothing.
	From uint64 `json:"from,omitempty"`
	// Problem and Broken are what was wrong with it already, so that the release is not blamed.
	Problem string `json:"problem,omitempty"`
	Broken  bool   `json:"broken,omitempty"`
	// Away is true when an older patch cycle had taken the host away and had not come to its end.
	Away bool `json:"away,omitempty"`
}

// Doubt is whether a host may be at work on an older cycle that was taken back from it.
type Doubt struct {
	// Told is true once each answer to it says that it may not begin; Called is when it had last
	// called by then.
	Told   bool      `json:"told,omitempty"`
	Called time.Time `json:"called,omitzero"`
	// Over is true once it has called after that, or had never got to know that it may begin.
	Over bool `json:"over,omitempty"`
}

// Answer is what came of a gate's query. Only a good one lets a ring pass.
type Answer struct {
	At   time.Time `json:"at"`
	Good bool      `json:"good"`
	// Problem says why there is no answer; empty when there is one.
	Problem string `json:"problem,omitempty"`
}

// Act is what a person decided.
type Act struct {
	At  time.Time `json:"at"`
	Who string    `json:"who"`
	Why string    `json:"why"`
}

// Entry is one thing that happened to a ring, or to the whole rollout when Ring is empty.
type Entry struct {
	At   time.Time `json:"at"`
	Ring string    `json:"ring,omitempty"`
	What string    `json:"what"`
	// Who is empty when the engine did it.
	Who string `json:"who,omitempty"`
	Why string `json:"why,omitempty"`
}

// maxHistory bounds the history; the oldest entries make room.
const maxHistory = 200

// New returns the state of a release that was just made. Of the rollouts the one that carries
// releases counts; without one the release is for everybody.
func New(r store.Release, rollouts []policies.Rollout) State {
	s := State{Release: r.Number, RollbackTo: r.RollbackTo, Made: r.Made, Rings: []Ring{}, History: []Entry{}}
	if s.Plan = Carrier(rollouts); s.Plan == nil {
		s.Done = r.Made
		return s
	}
	s.begin()
	return s
}

func (s *State) begin() {
	s.Hosts = map[inventory.HostID]Grant{}
	for _, ring := range s.Plan.Rings {
		s.Rings = append(s.Rings, Ring{Name: ring.Name, Phase: Waiting, Since: s.Made})
	}
}

// Carrier returns the rollout that carries releases, nil when there is none.
func Carrier(rollouts []policies.Rollout) *policies.Rollout {
	for i := range rollouts {
		if rollouts[i].Carries == policies.CarriesReleases && len(rollouts[i].Rings) > 0 {
			return &rollouts[i]
		}
	}
	return nil
}

// Active tells whether the engine still has something to decide.
func (s State) Active() bool { return !s.forAll() && s.Superseded == 0 && s.Withdrawn == nil }

// Over tells whether nothing more comes of it by itself: it is done, superseded, withdrawn or
// rolled back.
func (s State) Over() bool {
	return !s.Active() || slices.ContainsFunc(s.Rings, func(r Ring) bool { return r.Phase == RolledBack })
}

// trails tells whether the engine still gives out a cycle that is done: hosts of a cluster go on
// one after the other.
func (s State) trails() bool {
	return s.Rollout != "" && !s.Done.IsZero() && s.Superseded == 0 && s.Plan.Cluster != nil
}

// Title says in words what goes through the rings.
func (s State) Title() string {
	if s.Rollout == "" {
		return fmt.Sprintf("release %d", s.Release)
	}
	return fmt.Sprintf("cycle %d of %s", s.Release, s.Rollout)
}

// Deferral is how long after it was made a ring of the plan may begin.
func (s State) Deferral(r policies.Ring) time.Duration {
	if s.Emergency {
		return 0
	}
	return time.Duration(r.Deferral) * time.Second
}

// Soak is for how long a ring of the plan has to hold.
func (s State) Soak(r policies.Ring) time.Duration {
	if s.Emergency && s.Plan.Emergency != nil {
		return time.Duration(s.Plan.Emergency.Soak) * time.Second
	}
	return time.Duration(r.Gate.Soak) * time.Second
}

// forAll tells whether the release is for every host by now.
func (s State) forAll() bool { return s.Plan == nil || !s.Done.IsZero() }

// Held tells whether nothing new may happen now.
func (s State) Held() bool { return s.Paused != nil || s.Frozen }

// Wants returns the release that the rollout wants a host to run, 0 when it leaves that to the
// releases before.
func (s State) Wants(id inventory.HostID) uint64 {
	if s.forAll() {
		return s.Release
	}
	g, ok := s.Hosts[id]
	if !ok {
		return 0
	}
	if r := s.ring(g.Ring); r != nil && r.Phase == RolledBack && g.From > 0 && g.From >= s.RollbackTo {
		return g.From
	}
	return s.Release
}

func (s State) ring(name string) *Ring {
	if i := slices.IndexFunc(s.Rings, func(r Ring) bool { return r.Name == name }); i >= 0 {
		return &s.Rings[i]
	}
	return nil
}

// clone returns a copy that shares nothing that a person's act changes.
func (s State) clone() State {
	s = s.around()
	if s.Hosts = maps.Clone(s.Hosts); s.Hosts == nil { // JSON leaves an empty one out
		s.Hosts = map[inventory.HostID]Grant{}
	}
	return s
}

// around is a clone but for the grants.
func (s State) around() State {
	s.Rings, s.Doubts, s.History = slices.Clone(s.Rings), maps.Clone(s.Doubts), slices.Clip(s.History)
	return s
}

func (s *State) note(e Entry) {
	s.History = append(s.History, e)
	if more := len(s.History) - maxHistory; more > 0 {
		s.History = slices.Clone(s.History[more:])
	}
}

// turn moves a ring to another phase and notes it.
func (s *State) turn(r *Ring, to Phase, act Act) {
	r.Phase, r.Since = to, act.At
	s.note(Entry{At: act.At, Ring: r.Name, What: string(to), Who: act.Who, Why: act.Why})
	if !slices.ContainsFunc(s.Rings, func(r Ring) bool { return r.Phase != Passed }) {
		s.Done = act.At
		s.Paused = nil // who lets the last ring pass ends the pause: nobody can resume what is done
		if !s.trails() {
			s.Hosts = nil // it is for every host now
		}
		s.note(Entry{At: act.At, What: "done"})
	}
}

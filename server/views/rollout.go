package views

import (
	"context"
	"time"

	"plumb/policies"
	"plumb/server/rollout"
)

// Rollout is one release, or one patch cycle, on its way through the rings.
type Rollout struct {
	// ID is how the command line calls it: 7 for release 7, security/3 for a cycle.
	ID string `json:"id"`
	// Title says in words what it is: release 7, cycle 3 of security.
	Title string `json:"title"`
	// Release is 0 for a patch cycle, which has Cycle and Set, the digest of its patch set.
	Release   uint64 `json:"release"`
	Cycle     uint64 `json:"cycle,omitempty"`
	Set       string `json:"set,omitempty"`
	Emergency bool   `json:"emergency,omitempty"`
	// Name is that of the rollout block, empty when the release went to all hosts at once.
	Name string `json:"name,omitempty"`
	// Phase says how it stands: rolling, paused, halted, rolled_back, superseded or done.
	Phase string     `json:"phase"`
	Made  time.Time  `json:"made"`
	Done  *time.Time `json:"done,omitempty"`
	// Superseded is the release or the cycle that took its place.
	Superseded uint64 `json:"superseded,omitempty"`
	// Paused is who holds it back, and why.
	Paused *Decision `json:"paused,omitempty"`
	// Frozen is true while a freeze of the whole server holds it back.
	Frozen bool   `json:"frozen"`
	Rings  []Ring `json:"rings"`
	// Strays are hosts that are in no ring.
	Strays  []string       `json:"strays"`
	History []RolloutEvent `json:"history"`
	// Work is what hosts do for the patch cycle right now; only one that is asked for by itself has it.
	Work []PatchProgress `json:"work,omitempty"`
}

// Ring is how far one ring is.
type Ring struct {
	Name  string    `json:"name"`
	Group string    `json:"group"`
	Phase string    `json:"phase"`
	Since time.Time `json:"since"`
	// The counts are of its hosts; they are 0 when the rollout is over.
	rollout.Tally
	// Soak is what the gate asks for and Soaked what was seen of it, in seconds.
	Soak   int `json:"soak"`
	Soaked int `json:"soaked"`
	// Approval tells that the gate asks for a person's word; Approved is that word.
	Approval bool      `json:"approval"`
	Approved *Decision `json:"approved,omitempty"`
	// Windows are those in which its hosts may change; none stands for any time.
	Windows []string `json:"windows"`
	// Query is the gate's, and Asked what came of it last.
	Query string          `json:"query,omitempty"`
	Asked *rollout.Answer `json:"asked,omitempty"`
	// Waits says what it waits for, in words; empty when it waits for nothing.
	Waits string `json:"waits,omitempty"`
	// FailedHosts are those that failed, Lacking (ten at most) those that have not converged.
	FailedHosts []string `json:"failed_hosts"`
	Lacking     []string `json:"lacking"`
}

// Decision is what a person decided.
type Decision struct {
	At  time.Time `json:"at"`
	Who string    `json:"who"`
	Why string    `json:"why"`
}

// RolloutEvent is one thing that happened to a ring, or to the whole rollout.
type RolloutEvent struct {
	At   time.Time `json:"at"`
	Ring string    `json:"ring,omitempty"`
	What string    `json:"what"`
	Who  string    `json:"who,omitempty"`
	Why  string    `json:"why,omitempty"`
}

// Freeze says whether all change is stopped, and by whom.
type Freeze struct {
	Frozen bool      `json:"frozen"`
	By     *Decision `json:"by,omitempty"`
}

// FreezeOf is the view of a freeze; nil is none.
func FreezeOf(act *rollout.Act) Freeze { return Freeze{Frozen: act != nil, By: actOf(act)} }

func actOf(act *rollout.Act) *Decision {
	if act == nil {
		return nil
	}
	return &Decision{At: act.At.UTC(), Who: act.Who, Why: act.Why}
}

// RolloutList is the view of several rollouts, without what only a live one has.
func RolloutList(states []rollout.State) []Rollout {
	list := make([]Rollout, 0, len(states))
	for _, s := range states {
		list = append(list, RolloutOf(rollout.Picture{State: s}))
	}
	return list
}

// RolloutOf is the view of one rollout.
func RolloutOf(p rollout.Picture) Rollout {
	v := Rollout{ID: p.ID().String(), Title: p.Title(), Set: p.Set, Emergency: p.Emergency, Phase: rolloutPhase(p.State), Made: p.Made.UTC(), Done: stamp(p.Done), Superseded: p.Superseded,
		Paused: actOf(p.Paused), Frozen: p.Frozen && p.Active(), Rings: []Ring{}, Strays: list(p.Strays), History: []RolloutEvent{}}
	if v.Release = p.Release; p.Rollout != "" {
		v.Release, v.Cycle = 0, p.Release
	}
	for _, e := range p.History {
		v.History = append(v.History, RolloutEvent(e))
	}
	if p.Plan == nil {
		return v
	}
	v.Name = p.Plan.Name
	for i, r := range p.Rings {
		v.Rings = append(v.Rings, ringOf(p, p.Plan.Rings[i], r))
	}
	return v
}

func ringOf(p rollout.Picture, plan policies.Ring, r rollout.Ring) Ring {
	v := Ring{Name: r.Name, Group: plan.Group, Phase: string(r.Phase), Since: r.Since.UTC(), Tally: p.Tallies[r.Name],
		Soak: int(p.Soak(plan) / time.Second), Soaked: int(min(r.Soaked, p.Soak(plan)) / time.Second),
		Approval: plan.Gate.Approval, Approved: actOf(r.Approved), Waits: p.Waits[r.Name],
		Windows: list(plan.Windows), Query: plan.Gate.Query, Asked: r.Asked,
		FailedHosts: list(p.Failed[r.Name]), Lacking: list(p.Lacking[r.Name])}
	begun := r.Phase == rollout.Eligible || r.Phase == rollout.Rolling || r.Phase == rollout.Soaking
	if begun && p.Paused != nil && p.Active() {
		v.Phase = "paused"
	}
	return v
}

// rolloutPhase is the one word for the whole of it.
func rolloutPhase(s rollout.State) string {
	switch {
	case !s.Done.IsZero():
		return "done"
	case s.Superseded > 0:
		return "superseded"
	case s.Withdrawn != nil:
		return "withdrawn"
	}
	for _, r := range s.Rings {
		if r.Phase == rollout.Halted || r.Phase == rollout.RolledBack {
			return string(r.Phase)
		}
	}
	switch {
	case s.Paused != nil:
		return "paused"
	case s.Frozen:
		return "frozen"
	}
	return "rolling"
}

// RolloutBrief is a rollout in three words.
type RolloutBrief struct {
	Release uint64 `json:"release"`
	// Phase is as in Rollout, Ring the first ring that has not passed.
	Phase string `json:"phase"`
	Ring  string `json:"ring"`
}

// rolloutBrief returns how the newest release stands, nil when it is for all hosts.
func (r Reader) rolloutBrief(ctx context.Context, newest uint64) (*RolloutBrief, error) {
	rows, err := r.Store.Rollouts(ctx, 1, newest+1)
	if err != nil || len(rows) == 0 || rows[0].Release != newest {
		return nil, err
	}
	s, err := rollout.Read(rows[0])
	if err != nil || !s.Active() {
		return nil, err
	}
	brief := &RolloutBrief{Release: s.Release, Phase: rolloutPhase(s)}
	for _, ring := range s.Rings {
		if ring.Phase != rollout.Passed {
			brief.Ring = ring.Name
			break
		}
	}
	return brief, nil
}

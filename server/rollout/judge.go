package rollout

import (
	"time"

	"plumb/inventory"
)

// Host is what the engine knows of a host.
type Host struct {
	// Release is that of its newest report; for a patch cycle the cycle that the report was about.
	Release uint64
	// Passing is true when all that the report says is fine; see [Look] and [LookCycle].
	Passing bool
	// Broken is true when a resource ended in error, or was skipped because of one. Patching is
	// not among these resources.
	Broken bool
	// Harmed is true when the patch cycle itself failed, or the host went back by itself.
	Harmed bool
	// Untouched is true while the patch cycle has changed nothing on it.
	Untouched bool
	// Problem is a digest of why its newest run was refused, quarantined or not compiled.
	Problem string
	// Silent is true while it misses its check-ins; LastSeen is when it last called.
	Silent   bool
	LastSeen time.Time
	// Base is the release that it is to run without this rollout.
	Base uint64
	// Closed is true while it may not change: no window of its ring is open on its clock, or a
	// freeze holds. Opens is when it may, zero when that is not to be seen.
	Closed bool
	Opens  time.Time
	// Cluster is what the plan's label says of it, empty for none; Busy is true while an older
	// cycle may be under way on it. Unsure is true where it was given one and never said that
	// it began; Busy then tells whether it has called since.
	Cluster string
	Busy    bool
	Unsure  bool
}

// Outcome is how a release fares on a host.
type Outcome int

// The outcomes. Unknown is neither: a host that was not given the release, has not tried it, or waits.
const (
	Unknown Outcome = iota
	Converged
	Failed
)

// Judge is what counts as harm. A host that was given the release has failed
//
//   - when its newest run was refused, quarantined or did not compile, and that was of this
//     release or is news since the grant;
//   - when it runs the release and a resource is in error that was not so for any before;
//   - when the patch cycle itself failed on it;
//   - when it called since the grant and then fell silent.
//
// It has converged when it runs the release, calls, and its report passes.
func Judge(release uint64, g Grant, h Host) Outcome {
	switch {
	case h.Silent && !h.LastSeen.Equal(g.Seen):
		return Failed
	case h.Silent:
		return Unknown
	case h.Problem != "" && (h.Release == release || h.Problem != g.Problem):
		return Failed
	case h.Release != release:
		return Unknown
	case h.Harmed, h.Broken && !g.Broken && !h.Untouched:
		return Failed
	case h.Passing && h.Problem == "":
		return Converged
	}
	return Unknown
}

// Tally is how a ring fares.
type Tally struct {
	// Members counts its hosts, Given those that were given the release.
	Members int `json:"members"`
	Given   int `json:"given"`
	// Converged, Failed and Waiting are what became of those given; Waiting has no outcome yet.
	Converged int `json:"converged"`
	Failed    int `json:"failed"`
	Waiting   int `json:"waiting"`
	// Closed counts those that were not given it and may not change now; Opens is when the first
	// of them may.
	Closed int       `json:"closed"`
	Opens  time.Time `json:"opens,omitzero"`
	// Culprits are the hosts that failed and that nobody forgave, sorted.
	Culprits []inventory.HostID `json:"-"`
	// Unconverged are members that have not converged: at most ten of them, sorted.
	Unconverged []inventory.HostID `json:"-"`
}

// Members lists the hosts of each ring by the ring's name, sorted. A host is in one ring.
type Members map[string][]inventory.HostID

// granted returns how a host was given the change. Who has a cycle that is done without being given
// it is not remembered any more, and counts all the same: a share is one of all that have it.
func (s State) granted(id inventory.HostID, h Host) (Grant, bool) {
	g, given := s.Hosts[id]
	if !given && s.trails() && h.Cluster == "" && h.Release == s.Release {
		return Grant{Broken: h.Broken}, true
	}
	return g, given
}

// Survey counts how a ring's members fare.
func (s State) Survey(r Ring, members []inventory.HostID, hosts map[inventory.HostID]Host) Tally {
	t := Tally{Members: len(members)}
	forgiven := map[inventory.HostID]bool{}
	for _, id := range r.Forgiven {
		forgiven[id] = true
	}
	for _, id := range members {
		outcome := Unknown
		g, given := s.granted(id, hosts[id])
		if given {
			t.Given++
			outcome = Judge(s.Release, g, hosts[id])
		}
		switch {
		case outcome == Converged:
			t.Converged++
			continue
		case outcome == Failed && !forgiven[id]:
			t.Failed++
			t.Culprits = append(t.Culprits, id)
		case given && outcome == Unknown:
			t.Waiting++
		}
		if h := hosts[id]; !given && h.Closed && !h.Silent {
			t.shut(h)
		}
		if len(t.Unconverged) < 10 {
			t.Unconverged = append(t.Unconverged, id)
		}
	}
	return t
}

func (t *Tally) shut(h Host) {
	t.Closed++
	if t.Opens.IsZero() || !h.Opens.IsZero() && h.Opens.Before(t.Opens) {
		t.Opens = h.Opens
	}
}

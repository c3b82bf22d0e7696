package rollout

import (
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// Host is what the engine knows of a host.
type Host struct {
	// Release is that of its newest report.
	Release uint64
	// Passing is true when all that the report says is fine; see [Look].
	Passing bool
	// Broken is true when a resource ended in error, or was skipped because of one.
	Broken bool
	// Problem is a digest of why its newest run was refused, quarantined or not compiled.
	Problem string
	// Silent is true while it misses its check-ins; LastSeen is when it last called.
	Silent   bool
	LastSeen time.Time
	// Base is the release that it is to run without this rollout.
	Base uint64
}

// Look says what the engine makes of a host's newest report. It passes when each resource is
// compliant, repaired, waived or not applicable; one that is noncompliant may be among them when
// it is in audit mode, where being so is no failure. Open says that one in enforce mode is. A
// run that the host itself kept from changing anything, or whose catalog is not the one that the
// server compiled, has shown nothing: it neither passes nor fails.
func Look(h store.Host, open bool, base uint64) Host {
	out := Host{Release: h.Release, Silent: h.Status == policies.Stale, LastSeen: h.LastSeen, Base: base}
	out.Broken = h.Counts[policies.Failed]+h.Counts[policies.Skipped] > 0 || h.Found == policies.Failed
	if h.Problem != "" {
		out.Problem = inventory.Digest([]byte(h.Problem))[:16]
	}
	fine := []policies.Status{policies.Compliant, policies.Repaired, policies.Waived, policies.NotApplicable, policies.Noncompliant}
	out.Passing = slices.Contains(fine, h.Found) && !open && !h.Audit && !h.Mismatch
	for status, n := range h.Counts {
		out.Passing = out.Passing && (n == 0 || slices.Contains(fine, status))
	}
	return out
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
	case h.Broken && !g.Broken:
		return Failed
	case h.Passing && !h.Broken && h.Problem == "":
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
	// Culprits are the hosts that failed and that nobody forgave, sorted.
	Culprits []inventory.HostID `json:"-"`
	// Unconverged are members that have not converged: at most ten of them, sorted.
	Unconverged []inventory.HostID `json:"-"`
}

// Members lists the hosts of each ring by the ring's name, sorted. A host is in one ring.
type Members map[string][]inventory.HostID

// Survey counts how a ring's members fare.
func (s State) Survey(r Ring, members []inventory.HostID, hosts map[inventory.HostID]Host) Tally {
	t := Tally{Members: len(members)}
	forgiven := map[inventory.HostID]bool{}
	for _, id := range r.Forgiven {
		forgiven[id] = true
	}
	for _, id := range members {
		outcome := Unknown
		g, given := s.Hosts[id]
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
		if len(t.Unconverged) < 10 {
			t.Unconverged = append(t.Unconverged, id)
		}
	}
	return t
}

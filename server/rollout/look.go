package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// patchPrefix begins the addresses of resources that carry patch cycles. How these fare is for
// their own rollouts to judge, and says nothing about a release.
const patchPrefix = "rollout."

// Look says what the engine makes of a host's newest report. It passes when each resource is
// compliant, repaired, waived or not applicable; one that is noncompliant may be among them when
// it is in audit mode, where being so is no failure. A run that the host itself kept from
// changing anything, or whose catalog is not the one that the server compiled, has shown nothing:
// it neither passes nor fails.
func Look(h store.Host, v Verdict, base uint64) Host {
	out := Host{Release: h.Release, Silent: h.Status == policies.Stale, LastSeen: h.LastSeen, Base: base}
	out.Broken = v.Counts[policies.Failed]+v.Counts[policies.Skipped] > 0 || v.Found == policies.Failed
	if h.Problem != "" {
		out.Problem = inventory.Digest([]byte(h.Problem))[:16]
	}
	fine := []policies.Status{policies.Compliant, policies.Repaired, policies.Waived, policies.NotApplicable, policies.Noncompliant}
	out.Passing = slices.Contains(fine, v.Found) && !v.Open && !h.Audit && !h.Mismatch
	for status, n := range v.Counts {
		out.Passing = out.Passing && (n == 0 || slices.Contains(fine, status))
	}
	return out
}

// LookCycle says what the engine makes of a host for a patch cycle: the row is how it stands with
// the rollout, and the verdict is about all else on it. It passes when all of the cycle is in, or
// nothing of it concerns the host. One that waits for a window or a reboot does neither.
func LookCycle(h store.Host, row store.PatchHost, v Verdict) Host {
	return Host{
		Release: row.Cycle, Silent: h.Status == policies.Stale, LastSeen: h.LastSeen,
		Broken:    v.Counts[policies.Failed]+v.Counts[policies.Skipped] > 0,
		Harmed:    row.Status == policies.Failed || row.Phase == policies.PhaseRolledBack,
		Untouched: untouched(row.Phase),
		Passing:   row.Status.Passing() && (row.Phase == policies.PhaseDone || row.Phase == policies.PhaseIdle),
	}
}

// untouched tells whether a host in this phase of a cycle has changed nothing yet.
func untouched(phase string) bool {
	return slices.Contains([]string{"", policies.PhaseIdle, policies.PhasePreflight, policies.PhaseDownload}, phase)
}

// Verdict is what a host's newest result says, apart from patching.
type Verdict struct {
	// Found is the worst status and Counts has how many resources have each.
	Found  policies.Status
	Counts map[policies.Status]int
	// Open is true when something that is in enforce mode is noncompliant.
	Open bool
}

// verdicts remembers what results say, by their digest: equal hosts share them.
type verdicts struct {
	store *store.Store
	read  map[string]Verdict
}

// maxVerdicts bounds the memory; past it results are read anew.
const maxVerdicts = 50_000

// known returns what a host's newest result says, if nothing has to be read for it. A host that is fine is taken at
// its counts.
func (v *verdicts) known(h store.Host) (Verdict, bool) {
	if h.Result == "" || settled(h.Counts) {
		return Verdict{Found: h.Found, Counts: h.Counts}, true
	}
	read, ok := v.read[h.Result]
	return read, ok
}

// of returns what a host's newest result says.
func (v *verdicts) of(ctx context.Context, h store.Host) (Verdict, error) {
	if known, ok := v.known(h); ok {
		return known, nil
	}
	plain := Verdict{Found: h.Found, Counts: h.Counts}
	raw, err := v.store.Object(ctx, store.Ref{Kind: store.KindResult, Digest: h.Result})
	if errors.Is(err, store.ErrNotFound) {
		plain.Open = h.Counts[policies.Noncompliant] > 0
		return plain, nil
	}
	if err != nil {
		return plain, err
	}
	var result policies.Result
	if err := json.Unmarshal(raw, &result); err != nil {
		return plain, fmt.Errorf("cannot read the result %.12s: %w", h.Result, err)
	}
	if v.read == nil || len(v.read) > maxVerdicts {
		v.read = map[string]Verdict{}
	}
	v.read[h.Result] = judged(result, h)
	return v.read[h.Result], nil
}

// settled tells whether the counts alone say that all is well.
func settled(counts map[policies.Status]int) bool {
	for status, n := range counts {
		if n > 0 && !slices.Contains([]policies.Status{policies.Compliant, policies.Repaired, policies.Waived, policies.NotApplicable}, status) {
			return false
		}
	}
	return true
}

// judged leaves patching out of what a result says. What the server itself found, such as
// resources that are missing, stays.
func judged(result policies.Result, h store.Host) Verdict {
	v := Verdict{Found: h.Found, Counts: map[policies.Status]int{}}
	for status, n := range h.Counts {
		v.Counts[status] = n
	}
	patches := false
	for _, one := range result.Resources {
		if strings.HasPrefix(one.Address, patchPrefix) {
			v.Counts[one.Status]--
			patches = true
		} else if one.Status == policies.Noncompliant && one.Mode != policies.Audit {
			v.Open = true
		}
	}
	if patches {
		v.Found = worst(v.Counts)
	}
	return v
}

func worst(counts map[policies.Status]int) policies.Status {
	found := policies.NotApplicable
	for status, n := range counts {
		if n > 0 && status.Rank() > found.Rank() {
			found = status
		}
	}
	return found
}

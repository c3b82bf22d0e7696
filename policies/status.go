package policies

import (
	"fmt"
	"strings"
)

// Status is how one resource stands on one host.
type Status string

// The statuses that an agent reports.
const (
	Compliant     Status = "compliant"      // as wanted, nothing had to be done
	Repaired      Status = "repaired"       // was not as wanted, was changed, and is now
	Noncompliant  Status = "noncompliant"   // not as wanted, and left alone (audit, or a check)
	Failed        Status = "error"          // could not be made or kept as wanted
	Skipped       Status = "skipped"        // something it depends on failed
	NotApplicable Status = "not_applicable" // its policy's or its own when is false
	Waived        Status = "waived"         // an accepted exception with an end
	Pending       Status = "pending"        // waits for a release, a window or a lock
	Unknown       Status = "unknown"        // cannot be checked here; never counted as a pass
)

// The statuses that only the server can know.
const (
	Stale      Status = "stale"      // the host has been silent for too long
	Missing    Status = "missing"    // expected by the catalog, not in the result
	Unexpected Status = "unexpected" // in the result, not expected by the catalog
)

// Statuses lists every status from the best to the worst; the worst one of its
// resources is how a host stands.
var Statuses = []Status{NotApplicable, Compliant, Repaired, Waived, Pending, Skipped,
	Stale, Unknown, Missing, Noncompliant, Failed, Unexpected}

// Passing tells whether the status counts as a pass in a compliance figure.
func (s Status) Passing() bool { return s == Compliant || s == Repaired }

// InScope tells whether the status counts at all in a compliance figure.
func (s Status) InScope() bool { return s != NotApplicable && s != Pending }

// Worst returns the worst status of the list, or Unknown for an empty one:
// no answer is never a pass.
func Worst(list ...Status) Status {
	worst := -1
	for _, s := range list {
		worst = max(worst, s.Rank())
	}
	if worst < 0 {
		return Unknown
	}
	return Statuses[worst]
}

// Rank is the status's place in [Statuses]: the higher, the worse. What it does not know is the worst.
func (s Status) Rank() int {
	for i, known := range Statuses {
		if known == s {
			return i
		}
	}
	return len(Statuses) - 1
}

// Cause says why a resource had to change.
type Cause string

// The causes of a change. Corrective means that somebody else changed what we had left in order.
const (
	Initial     Cause = "initial"     // the first run that knows this resource
	Intentional Cause = "intentional" // the policy changed
	Corrective  Cause = "corrective"  // the host drifted
	Upstream    Cause = "upstream"    // our own patching changed it
	// RevertedWaiver is what a waiver had let be: it ended, or was taken back.
	RevertedWaiver Cause = "reverted_waiver"
)

// Causes lists them.
var Causes = []Cause{Initial, Intentional, Corrective, Upstream, RevertedWaiver}

// Words says why something had to change, with the commits between which policy came to want it
// where that is why: intentional (8a1f22c0 → 91fb407e).
func (c Cause) Words(from, to string) string {
	text := strings.ReplaceAll(string(c), "_", " ")
	switch {
	case c != Intentional || to == "":
		return text
	case from == to:
		return text + " (a fact changed)"
	case from == "":
		return fmt.Sprintf("%s (%.8s)", text, to)
	}
	return fmt.Sprintf("%s (%.8s → %.8s)", text, from, to)
}

// Mode says whether a resource is mended or only measured.
type Mode string

// The two modes.
const (
	Enforce Mode = "enforce"
	Audit   Mode = "audit"
)

package patch

import (
	"time"

	"plumb/policies"
)

// SLA says how fast the answer to an advisory has to be in.
type SLA struct {
	Name string `json:"name"`
	// Anchor is where the clock starts: published or first_seen.
	Anchor string `json:"anchor"`
	// Within holds seconds by severity. An advisory of another severity is never due.
	Within map[string]int `json:"within"`
	// Exploited is the time for what is known to be exploited, in seconds; 0 leaves it to Within.
	Exploited int `json:"exploited,omitempty"`
	// At is where it was declared.
	At policies.Position `json:"at"`
}

// The anchors of an SLA.
const (
	Published = "published"
	FirstSeen = "first_seen"
)

// Due returns when the answer to an advisory has to be in, if the SLA says so. The clock is
// that of the advisory: a newer version of the package does not start it again. firstSeen is
// when the server first knew of the advisory; it stands in for a publication date that the
// feed does not give.
func Due(a Advisory, sla SLA, firstSeen time.Time) (time.Time, bool) {
	seconds := sla.Within[a.Severity]
	if a.Exploited && sla.Exploited > 0 && (seconds == 0 || sla.Exploited < seconds) {
		seconds = sla.Exploited
	}
	start := Anchored(a, sla, firstSeen)
	if seconds == 0 || start.IsZero() {
		return time.Time{}, false
	}
	return start.Add(time.Duration(seconds) * time.Second), true
}

// Anchored returns when the clock of an advisory began to run.
func Anchored(a Advisory, sla SLA, firstSeen time.Time) time.Time {
	if sla.Anchor == Published && !a.Published.IsZero() {
		return a.Published
	}
	return firstSeen
}

// Terms is all that policy says about the patching of one host. Hosts for which it says the
// same share one object.
type Terms struct {
	// Groups are the groups that the host is in, sorted.
	Groups []string `json:"groups"`
	// Baselines and SLAs are those that apply to the host, by name.
	Baselines []Baseline `json:"baselines"`
	SLAs      []SLA      `json:"slas"`
}

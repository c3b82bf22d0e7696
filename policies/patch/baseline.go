package patch

import (
	"time"

	"plumb/policies"
)

// Baseline says which updates may be installed, and after how long.
type Baseline struct {
	// Name is unique in a policy repository.
	Name string `json:"name"`
	// Sources are the repositories that it is about; one of them has to match.
	Sources []Source `json:"sources"`
	// Rules approve updates from these sources.
	Rules []Rule `json:"rules"`
	// Rejects take packages out. They win over everything else.
	Rejects []Reject `json:"rejects,omitempty"`
	// Approved are patterns of packages that are approved at once, whatever sources and rules say.
	Approved []string `json:"approved,omitempty"`
	// ApprovedLevel is the compliance level of these.
	ApprovedLevel string `json:"approved_level,omitempty"`
	// At is where it was declared.
	At policies.Position `json:"at"`
}

// Source matches repositories by the keys of unattended-upgrades. All patterns that are given
// have to match; * stands for any text and ? for any character. Without any it matches nothing.
type Source struct {
	Origin    string `json:"origin,omitempty"`
	Label     string `json:"label,omitempty"`
	Suite     string `json:"suite,omitempty"`
	Codename  string `json:"codename,omitempty"`
	Component string `json:"component,omitempty"`
	Site      string `json:"site,omitempty"`
}

// Rule approves updates. Each list that is given has to hold what the update has.
type Rule struct {
	// Classification holds security, kernel and other.
	Classification []string `json:"classification,omitempty"`
	// Severity is that of the worst advisory that the update answers: critical, high, medium,
	// low, or unknown where there is none.
	Severity []string `json:"severity,omitempty"`
	// Packages are patterns; see [Baseline].
	Packages []string `json:"packages,omitempty"`
	// After is how long the version has to be known before it is approved, in seconds.
	After int `json:"after,omitempty"`
	// SeenUntil approves what was first seen at this time or before, in place of After.
	SeenUntil time.Time `json:"seen_until,omitzero"`
	// Level is how bad it is when the update is missing: critical, high, medium, low or empty.
	Level string `json:"level,omitempty"`
}

// What a reject does with a package that another one needs.
const (
	Block             = "block"               // it is never installed, nor is what needs it
	AllowAsDependency = "allow_as_dependency" // it is installed when something else needs it
)

// Reject takes packages out until its end.
type Reject struct {
	// Packages are patterns of binary or source packages, "postgresql-*" or, for one version
	// only, "openssl=3.0.22-*".
	Packages []string `json:"packages"`
	// Action is Block or AllowAsDependency.
	Action string `json:"action"`
	Reason string `json:"reason"`
	// Expires is when it ends; zero for never.
	Expires time.Time `json:"expires,omitzero"`
}

// holds tells whether the reject is in force.
func (r Reject) holds(now time.Time) bool { return r.Expires.IsZero() || now.Before(r.Expires) }

package patch

import (
	"slices"
	"time"

	"plumb/inventory"
)

// Advisory is one security notice of a distribution.
type Advisory struct {
	// ID names it: DSA-5678-1, CVE-2026-1234, USN-1-1.
	ID string `json:"id"`
	// Feed is where it was imported from: osv or debian.
	Feed string `json:"feed"`
	// Summary says what it is about in a line.
	Summary string `json:"summary,omitempty"`
	// Severity is critical, high, medium, low or unknown.
	Severity string `json:"severity"`
	// CVEs are the numbers that it is about, sorted.
	CVEs []string `json:"cves"`
	// Exploited is true when somebody is known to make use of it.
	Exploited bool `json:"exploited,omitempty"`
	// Published is when it came out; zero when the feed does not say.
	Published time.Time `json:"published,omitzero"`
	// Affected says what it concerns.
	Affected []Affected `json:"affected"`
}

// Affected is one source package in one release of a distribution.
type Affected struct {
	// Origin is the distribution as its repositories call it: Debian, Ubuntu.
	Origin string `json:"origin"`
	// Release is the codename: bookworm.
	Release string `json:"release"`
	// Package is the source package.
	Package string `json:"package"`
	// Fixed is the first version that is not affected, in the order of the distribution's own
	// package manager; empty while there is none.
	Fixed string `json:"fixed,omitempty"`
}

// severities begin with the worst.
var severities = []string{"critical", "high", "medium", "low", "unknown"}

// Severities lists the words for severity, the worst first.
func Severities() []string { return slices.Clone(severities) }

// Worst returns the worst severity of the advisories, unknown when there is none.
func Worst(advisories []Advisory) string {
	worst := len(severities) - 1
	for _, a := range advisories {
		if i := slices.Index(severities, a.Severity); i >= 0 {
			worst = min(worst, i)
		}
	}
	return severities[worst]
}

// The classes that rules can ask for.
const (
	Security = "security"
	Kernel   = "kernel"
	Other    = "other"
)

// Classes returns the classes of an offer which answers the advisories: security, kernel or
// both, and other when it is neither.
func Classes(o inventory.Offer, advisories []Advisory) []string {
	var classes []string
	if o.Security || len(advisories) > 0 {
		classes = append(classes, Security)
	}
	if isKernel(o.Source) {
		classes = append(classes, Kernel)
	}
	if len(classes) == 0 {
		classes = []string{Other}
	}
	return classes
}

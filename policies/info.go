package policies

// PolicyInfo is what a policy says of itself, for people. What stands open until a host is known, such as a mode
// that is a variable, is empty.
type PolicyInfo struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Version string `json:"version,omitempty"`
	// Mode is what holds for its resources where they do not say otherwise.
	Mode Mode `json:"mode,omitempty"`
	// Severity is critical, high, medium, low or empty.
	Severity string `json:"severity,omitempty"`
	// AppliesTo is its condition as it is written, on one line and cut where it is long; empty is every host.
	AppliesTo string `json:"applies_to,omitempty"`
	// Source is where it is declared.
	Source Position `json:"source"`
}

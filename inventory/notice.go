package inventory

// Notice is an advisory as the host's own package manager knows it (dnf updateinfo, zypper patches).
type Notice struct {
	// ID names it: FEDORA-2026-1, openSUSE-SU-2026:1.
	ID string `json:"id"`
	// Kind is security, bugfix, enhancement or other.
	Kind string `json:"kind"`
	// Severity is critical, high, medium, low or unknown.
	Severity string   `json:"severity"`
	Summary  string   `json:"summary,omitempty"`
	CVEs     []string `json:"cves,omitempty"`
	// Issued is RFC 3339, empty when it is not known.
	Issued string `json:"issued,omitempty"`
	// Reboot is true when it asks for a reboot.
	Reboot bool `json:"reboot,omitempty"`
	// Fixes are the packages that answer it.
	Fixes []Fix `json:"fixes"`
}

// Fix is a package and the first version of it that answers a notice.
type Fix struct {
	Package string `json:"package"`
	Arch    string `json:"arch,omitempty"`
	Version string `json:"version"`
}

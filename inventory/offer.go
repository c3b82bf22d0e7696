package inventory

import "cmp"

// Offers is what a package manager would upgrade on one host. It tells neither host nor time,
// so that hosts which are offered the same share one object.
type Offers struct {
	// Manager is apt, dnf or zypper.
	Manager string `json:"manager"`
	// List is sorted by package and architecture.
	List []Offer `json:"list"`
	// Notices are advisories that the manager itself knows and that offers answer, sorted by ID.
	Notices []Notice `json:"notices,omitempty"`
}

// Offer is one installed package with a newer version to go to.
type Offer struct {
	// Package is the binary package, Source the source package that it is built from.
	Package string `json:"package"`
	Source  string `json:"source"`
	// Installed and Candidate are versions in the manager's own order; Candidate is newer.
	Installed string `json:"installed"`
	Candidate string `json:"candidate"`
	// SourceVersion is the version of Source that Candidate is built from, where it differs.
	SourceVersion string `json:"source_version,omitempty"`
	// InstalledSource is the same for Installed, where it differs.
	InstalledSource string `json:"installed_source,omitempty"`
	Arch            string `json:"arch"`
	// Origin, Suite, Label, Codename and Component are what the repository calls itself; Site
	// is the host that it was fetched from. These are the keys of unattended-upgrades.
	Origin    string `json:"origin,omitempty"`
	Suite     string `json:"suite,omitempty"`
	Label     string `json:"label,omitempty"`
	Codename  string `json:"codename,omitempty"`
	Component string `json:"component,omitempty"`
	Site      string `json:"site,omitempty"`
	// Security is true when the candidate, or a version on the way to it, came from a
	// repository of security updates.
	Security bool `json:"security,omitempty"`
	// Phased is the share of hosts in percent that may have it already, 0 when it is not phased,
	// and 1 when it was pulled.
	Phased int `json:"phased,omitempty"`
	// Size is what has to be fetched, in bytes.
	Size int64 `json:"size,omitempty"`
	// Held is true when somebody asked on the host that the package keeps its version.
	Held bool `json:"held,omitempty"`
	// Reboot is true for what only works after a reboot: kernels, microcode, libc, dbus.
	Reboot  bool   `json:"reboot,omitempty"`
	Manager string `json:"manager"`
}

// Repository names what the offer comes from, whichever mirror it was fetched from.
func (o Offer) Repository() string {
	return o.Origin + "/" + o.Label + "/" + cmp.Or(o.Codename, o.Suite)
}

// FixedIn is the version of the source package that the candidate is built from.
func (o Offer) FixedIn() string { return cmp.Or(o.SourceVersion, o.Candidate) }

// BuiltFrom is the version of the source package that is installed.
func (o Offer) BuiltFrom() string { return cmp.Or(o.InstalledSource, o.Installed) }

// Compare orders offers as Offers.List has them.
func (o Offer) Compare(other Offer) int {
	return cmp.Or(cmp.Compare(o.Package, other.Package), cmp.Compare(o.Arch, other.Arch))
}

package policies

import (
	"encoding/json"

	"plumb/policies/calendar"
)

// Catalog is everything that one host should be, compiled: resources in the order in which
// they are applied. It names neither host nor release, so equal hosts share one catalog.
type Catalog struct {
	Resources []Resource `json:"resources"`
	// Windows are those that resources name, by name.
	Windows map[string]calendar.Window `json:"windows,omitempty"`
	// Freezes are those for this host, whether they hold now or not.
	Freezes []calendar.Freeze `json:"freezes,omitempty"`
	// Waivers are those that resources name, by name, whether they hold now or not.
	Waivers map[string]Waiver `json:"waivers,omitempty"`
}

// Resource is one declared thing with every expression resolved.
type Resource struct {
	// Address names it on its host: policy.ssh_baseline.file.dropin or
	// policy.p.sshd_directive.limits["MaxSessions"]; checks as policy.p.check.command.x.
	Address string `json:"address"`
	// Kind is the name under which modules knows it.
	Kind string `json:"kind"`
	// Check is true for a check block: it is only ever measured.
	Check bool `json:"check,omitempty"`
	// Policy is the name of the declaring policy.
	Policy string `json:"policy"`
	// Title says in a line what it is for.
	Title string `json:"title,omitempty"`
	// Mode is what policy says; the host's own pause or forced audit may still lower it.
	Mode Mode `json:"mode"`
	// Severity is critical, high, medium, low or empty.
	Severity string `json:"severity,omitempty"`
	// Controls are the requirements it is evidence for, as framework:id.
	Controls []string `json:"controls,omitempty"`
	// Tags are free words to select by.
	Tags []string `json:"tags,omitempty"`
	// NotApplicable is true when its own when, or its policy's, is false.
	NotApplicable bool `json:"not_applicable,omitempty"`
	// DependsOn are the addresses that must not have failed before it is touched, sorted.
	DependsOn []string `json:"depends_on,omitempty"`
	// Notify are the addresses that are refreshed when it was changed, sorted.
	Notify []string `json:"notify,omitempty"`
	// Timeout bounds Check and Apply, in seconds; 0 leaves the kind's own limit.
	Timeout int `json:"timeout,omitempty"`
	// Window names the windows in which it may be changed, sorted; one of them is enough.
	Window []string `json:"window,omitempty"`
	// Waivers names the exceptions that are for it, sorted; the one that holds the longest counts.
	Waivers []string `json:"waivers,omitempty"`
	// Retry says how often Apply is tried.
	Retry *Retry `json:"retry,omitempty"`
	// Attributes is the kind's own JSON object; modules decodes it strictly.
	Attributes json.RawMessage `json:"attributes"`
	// Sensitive names the attributes that must never be shown or stored in the clear, sorted.
	Sensitive []string `json:"sensitive,omitempty"`
	// Source is where it was declared.
	Source Position `json:"source"`
	// AlsoDeclared are the other places that declare the very same thing.
	AlsoDeclared []Position `json:"also_declared,omitempty"`
	// Overrides are the places that declare it otherwise, in policies of lower priority.
	Overrides []Position `json:"overrides,omitempty"`
}

// Class is which windows and freezes it is up to.
func (r Resource) Class() string {
	if r.Kind == "package" || r.Kind == "patch" {
		return calendar.Package
	}
	return calendar.Config
}

// Retry repeats an Apply that failed.
type Retry struct {
	// Attempts counts all tries, the first included.
	Attempts int `json:"attempts"`
	// Delay is waited between two tries, in seconds.
	Delay int `json:"delay"`
}

// Position is a place in the policy repository.
type Position struct {
	// File is relative to the root of the repository, with slashes.
	File string `json:"file"`
	// Line counts from 1.
	Line int `json:"line"`
}

// Find returns the resource at the address, or nil. A unique ending of an
// address, such as file.dropin, is enough.
func (c Catalog) Find(address string) *Resource {
	var found *Resource
	for i := range c.Resources {
		r := &c.Resources[i]
		if r.Address == address {
			return r
		}
		if hasDottedSuffix(r.Address, address) {
			if found != nil {
				return nil
			}
			found = r
		}
	}
	return found
}

func hasDottedSuffix(address, suffix string) bool {
	n := len(address) - len(suffix)
	return n > 0 && address[n:] == suffix && address[n-1] == '.'
}

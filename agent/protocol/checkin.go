package protocol

import (
	"plumb/inventory"
	"plumb/policies"
)

// CheckIn is what an agent says each time it calls. It carries digests only; the server
// asks for objects that no host has sent before.
type CheckIn struct {
	// Version is the protocol version of the agent.
	Version int `json:"version"`
	// Agent is the version of the agent's program.
	Agent string `json:"agent"`
	// Counter is the counter of the newest lease that the agent accepted, 0 at first.
	Counter uint64 `json:"counter"`
	// Floor is the oldest release that the agent would still run.
	Floor uint64 `json:"floor"`
	// Reports are runs not yet acknowledged, in order of Seq, at most MaxReports.
	Reports []policies.Report `json:"reports"`
	// Objects are results that the reports name, by digest and packed, which saves the server from asking for
	// them: at most MaxObjects bytes of them, from which at most MaxObject bytes come out. It is up to the
	// agent which ones come, if any, and up to the server whether it takes them; what it does not, it wants.
	Objects map[string][]byte `json:"objects,omitempty"`
	// Instance is a random name of this boot of this machine, empty when the agent is older than that.
	Instance string `json:"instance,omitempty"`
	// Paused tells since when and why the host's administrator holds changes back.
	Paused *Pause `json:"paused,omitempty"`
	// Patching tells how far the patch cycles are that the host is at work on right now. A
	// check-in with it comes between two others and has no reports.
	Patching []Progress `json:"patching,omitempty"`
}

// Progress is how far a patch cycle is on a host while it is being applied. It is a sign of life
// for people who watch, and proves nothing: only a report does.
type Progress struct {
	Rollout string `json:"rollout"`
	Cycle   uint64 `json:"cycle"`
	// Phase is one of the phases of policies.Patched.
	Phase string `json:"phase"`
	// Done of Total packages are in.
	Done  int `json:"done"`
	Total int `json:"total"`
}

// MaxReports is how many reports one check-in may carry.
const MaxReports = 64

// Pause is a host's own stop: it audits but changes nothing until then.
type Pause struct {
	// Until is when it ends by itself, RFC 3339.
	Until string `json:"until"`
	// Reason is what the administrator wrote.
	Reason string `json:"reason"`
}

// Answer is what the server says to a check-in.
type Answer struct {
	// Lease is a signed note; see [OpenLease]. Empty while there is no release.
	Lease string `json:"lease,omitempty"`
	// Epoch and Accepted acknowledge reports: everything up to this Seq is stored.
	Epoch    string `json:"epoch,omitempty"`
	Accepted uint64 `json:"accepted"`
	// Want lists digests that have to be put to PathObjects before the reports that name
	// them can be stored; then the same check-in is sent again.
	Want []string `json:"want"`
	// Interval is how long to wait until the next check-in, in seconds.
	Interval int `json:"interval"`
}

// Received answers to a piece of an object.
type Received struct {
	// Have is how many bytes of it are there, from the beginning; the next piece begins with those that follow.
	Have int `json:"have"`
}

// Enrollment asks for an identity.
type Enrollment struct {
	// Secret is the token's.
	Secret string `json:"secret"`
	// Name is what the host wants to be called; the token may have bound another.
	Name string `json:"name"`
	// CSR is a PEM certificate request signed by the host's ed25519 key. Only the key counts.
	CSR string `json:"csr"`
}

// Renewal asks for a new certificate for the same host and the same key.
type Renewal struct {
	CSR string `json:"csr"`
}

// Enrolled is a host's identity.
type Enrolled struct {
	// Host is who the server takes it for. Its labels are fixed from now on.
	Host inventory.Host `json:"host"`
	// Certificate is the host's PEM certificate, CA the PEM certificate of the authority.
	Certificate string `json:"certificate"`
	CA          string `json:"ca"`
}

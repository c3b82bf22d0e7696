package policies

import (
	"slices"
	"strings"
)

// CarriesReleases is what a rollout carries that takes config releases through its rings.
const CarriesReleases = "releases"

// Rollout says how a change goes through rings of hosts: one ring after the other, each with a
// gate that must be passed before the next one begins.
type Rollout struct {
	// Name is the block's label.
	Name string `json:"name"`
	// Carries is CarriesReleases, or the address of a patch baseline.
	Carries string `json:"carries"`
	// Conffiles says what becomes of configuration files that a package brings anew: keep, new or hold.
	Conffiles string `json:"conffiles,omitempty"`
	// MinFree is how much room must be free before packages are touched, by mount point.
	MinFree map[string]string `json:"min_free,omitempty"`
	// Superseded says what becomes of a version that has left its repository: wait or newest.
	// Like Conffiles, Rollback and Reboot of the rings it is never empty where patches are carried.
	Superseded string `json:"superseded,omitempty"`
	// Rollback is how a host goes back by itself: downgrade, snapshot or none.
	Rollback string `json:"rollback,omitempty"`
	// Kernels is how many kernels stay beside the running and the newest one; nil leaves all.
	Kernels *int `json:"kernels,omitempty"`
	// Hooks are commands of the host, Probes what has to answer after patching.
	Hooks  *Hooks  `json:"hooks,omitempty"`
	Probes []Probe `json:"probes,omitempty"`
	// Cluster bounds how many hosts of one cluster may be under way at a time, whatever the ring.
	Cluster *Cluster `json:"cluster,omitempty"`
	// Budget bounds how many hosts of a ring may be harmed; nil tolerates none.
	Budget *Budget `json:"failure_budget,omitempty"`
	// Rings are in the order in which they are taken.
	Rings []Ring `json:"rings"`
	// Emergency is the lane for what cannot wait.
	Emergency *Emergency `json:"emergency,omitempty"`
	// Source is where it was declared.
	Source Position `json:"source"`
}

// carriesBaseline stands before the name of a patch baseline in Carries.
const carriesBaseline = "patch_baseline."

// Baseline is the name of the patch baseline that the rollout carries; empty when it carries
// something else.
func (r Rollout) Baseline() string {
	name, ok := strings.CutPrefix(r.Carries, carriesBaseline)
	if !ok {
		return ""
	}
	return name
}

// RingsOf returns the rings that a member of these groups is in.
func (r Rollout) RingsOf(groups []string) []Ring {
	return slices.DeleteFunc(slices.Clone(r.Rings), func(ring Ring) bool { return !slices.Contains(groups, ring.Group) })
}

// RingOf returns the name of the ring of a host that is a member of the groups, empty for none. A
// host that slipped into two rings after they were checked is in the later one, which others have
// tried before.
func (r Rollout) RingOf(groups []string) string {
	rings := r.RingsOf(groups)
	if len(rings) == 0 {
		return ""
	}
	return rings[len(rings)-1].Name
}

// Ring is one step of a rollout.
type Ring struct {
	Name string `json:"name"`
	// Group is the name of the group whose members are in the ring.
	Group string `json:"group"`
	// Windows are the names of the windows in which its hosts may change.
	Windows []string `json:"windows,omitempty"`
	// Reboot is as_needed, never, always or services_only.
	Reboot string `json:"reboot,omitempty"`
	// Deferral is how long after the change was published the ring may begin, in seconds.
	Deferral int `json:"deferral,omitempty"`
	// Deadline is when a change has to be in, in seconds after it was offered, and Grace what a
	// pending restart gets on top.
	Deadline int `json:"deadline,omitempty"`
	Grace    int `json:"grace,omitempty"`
	// MaxUnavailable bounds how many hosts may be under way or failed at a time; nil leaves it open.
	MaxUnavailable *Share `json:"max_unavailable,omitempty"`
	// Gate must be passed before the next ring begins.
	Gate Gate `json:"gate"`
}

// Gate is what has to be seen before a ring counts as passed.
type Gate struct {
	// Converged is the share of the ring's hosts that must have converged, in percent.
	Converged float64 `json:"converged"`
	// Soak is how long that must have been so, in seconds.
	Soak int `json:"soak,omitempty"`
	// Approval wants a person's word as well.
	Approval bool `json:"approval,omitempty"`
	// Query is a Prometheus query that has to give a result which is not zero.
	Query string `json:"query,omitempty"`
	// MinHosts is how many hosts must have converged, whatever the share.
	MinHosts int `json:"min_hosts"`
}

// Budget is how much harm a ring may take. What is nil does not bound it.
type Budget struct {
	// Percent is a share of the hosts of which the outcome is known.
	Percent *float64 `json:"percent,omitempty"`
	// Count is a number of hosts.
	Count *int `json:"count,omitempty"`
	// MinSample is how many outcomes must be known before Percent counts.
	MinSample int `json:"min_sample,omitempty"`
}

// Share is a number of hosts, or a share of them.
type Share struct {
	Count   int     `json:"count,omitempty"`
	Percent float64 `json:"percent,omitempty"`
}

// Of returns how many of n hosts the share is: rounded down, but at least one.
func (s Share) Of(n int) int {
	if s.Percent > 0 {
		return max(1, int(s.Percent*float64(n)/100))
	}
	return max(1, s.Count)
}

// Emergency is the lane for what cannot wait.
type Emergency struct {
	// Match is the expression that an advisory must satisfy, as it was written. The compiler
	// evaluates it.
	Match string `json:"match"`
	// Soak takes the place of the gates' soak, in seconds.
	Soak int `json:"soak,omitempty"`
}

// Hooks are commands that a host runs around patching. A hook that fails before anything was
// installed ends the cycle on the host; one that fails after is reported.
type Hooks struct {
	// Before runs first and After last; Drain takes the host out of service and Undrain, which
	// also runs after a rollback, puts it back.
	Before  []string `json:"before,omitempty"`
	Drain   []string `json:"drain,omitempty"`
	Undrain []string `json:"undrain,omitempty"`
	After   []string `json:"after,omitempty"`
	// Snapshot makes a snapshot, Restore goes back to it, Discard removes it when all went well.
	Snapshot []string `json:"snapshot,omitempty"`
	Restore  []string `json:"restore,omitempty"`
	Discard  []string `json:"discard,omitempty"`
}

// Probe is one question to a host after patching. One of Command, HTTP, TCP and Unit is set.
type Probe struct {
	Name string `json:"name"`
	// Command has to end with 0.
	Command []string `json:"command,omitempty"`
	// HTTP is a URL on the host that has to answer 200 to 399.
	HTTP string `json:"http,omitempty"`
	// TCP is an address on the host, host:port, that has to take a connection.
	TCP string `json:"tcp,omitempty"`
	// Unit has to be active.
	Unit string `json:"unit,omitempty"`
	// Within is how long it may take until the answer is good, in seconds; 60 unless said.
	Within int `json:"within,omitempty"`
}

// Cluster says which hosts serve together.
type Cluster struct {
	// Label is the host label whose value names the cluster; a host without it is in none.
	Label string `json:"label"`
	// MaxUnavailable bounds how many hosts of a cluster may be under way or failed at a time.
	MaxUnavailable Share `json:"max_unavailable"`
}

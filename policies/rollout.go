package policies

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
	// Budget bounds how many hosts of a ring may be harmed; nil tolerates none.
	Budget *Budget `json:"failure_budget,omitempty"`
	// Rings are in the order in which they are taken.
	Rings []Ring `json:"rings"`
	// Emergency is the lane for what cannot wait.
	Emergency *Emergency `json:"emergency,omitempty"`
	// Source is where it was declared.
	Source Position `json:"source"`
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
	// Match is the expression that an advisory must satisfy, as it was written.
	Match string `json:"match"`
	// Soak takes the place of the gates' soak, in seconds.
	Soak int `json:"soak,omitempty"`
}

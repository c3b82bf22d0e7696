package views

import (
	"time"

	"plumb/policies/patch"
)

// PatchStatus answers: what is on offer, and what becomes of it?
type PatchStatus struct {
	// Hosts counts the hosts that were looked at; Current those with nothing on offer.
	Hosts   int `json:"hosts"`
	Current int `json:"current"`
	// Unknown are hosts of which it is not known. They are never counted as current.
	Unknown []PatchUnknown `json:"unknown"`
	// Counts says how many updates have each state, each host counted.
	Counts map[patch.State]int `json:"counts"`
	// Rollouts say what happens next; there are none when hosts are selected.
	Rollouts []PatchNext `json:"rollouts"`
	// Reboots are pending, those that wait longest first.
	Reboots []PatchReboot `json:"reboots"`
	// Updates are sorted by state, package and version.
	Updates []PatchUpdate `json:"updates"`
	At      time.Time     `json:"at"`
}

// PatchUnknown is a host that does not tell what is on offer.
type PatchUnknown struct {
	Host   string `json:"host"`
	Reason string `json:"reason"`
}

// PatchUpdate is one version of a package on offer to some hosts, as one baseline judges it.
type PatchUpdate struct {
	Package string `json:"package"`
	Source  string `json:"source"`
	Version string `json:"version"`
	// Repository is origin, label and codename.
	Repository string `json:"repository"`
	Security   bool   `json:"security"`
	// Severity is that of the worst advisory that it answers, unknown without one.
	Severity   string   `json:"severity"`
	Exploited  bool     `json:"exploited"`
	Advisories []string `json:"advisories"`
	// Phased is the share of hosts in percent that may have it already, 0 when it is not phased.
	Phased int `json:"phased,omitempty"`
	// Size is what each host has to fetch, in bytes.
	Size   int64 `json:"size"`
	Reboot bool  `json:"reboot"`
	// Held is true when somebody asked on the hosts that the package keeps its version.
	Held bool `json:"held"`
	// FirstSeen is when the version was first on offer to any host.
	FirstSeen *time.Time `json:"first_seen,omitempty"`
	// Baseline is the one that judges, empty when none applies to the hosts.
	Baseline string      `json:"baseline,omitempty"`
	State    patch.State `json:"state"`
	// Rule, Level and Reason say why; Until is when it is approved or when a reject ends.
	Rule   string     `json:"rule,omitempty"`
	Level  string     `json:"level,omitempty"`
	Reason string     `json:"reason"`
	Until  *time.Time `json:"until,omitempty"`
	// Hosts are the names of the hosts, sorted.
	Hosts HostSet `json:"hosts"`
}

// PatchAdvisory is one advisory and where the answer to it is still to be installed.
type PatchAdvisory struct {
	patch.Advisory
	// FirstSeen is when the server first knew of it.
	FirstSeen time.Time `json:"first_seen"`
	// Packages are the updates that answer it, and Hosts those that lack one of them.
	Packages []string `json:"packages"`
	Hosts    HostSet  `json:"hosts"`
}

// PatchSLA answers: which updates are late?
type PatchSLA struct {
	Name   string `json:"name"`
	Anchor string `json:"anchor"`
	// Open counts advisories whose answer some host lacks, each host counted; Overdue those
	// past their time.
	Open    int           `json:"open"`
	Overdue int           `json:"overdue"`
	Entries []PatchSLADue `json:"entries"`
	// Exposure says for how long hosts lacked answers.
	Exposure PatchExposure `json:"exposure"`
}

// PatchExposure is about the exposures that last, and those that ended in the last [ExposureDays]
// days: each the time from the SLA's anchor until one host had the answer to one advisory.
type PatchExposure struct {
	// Lasting and Ended count them; Overdue are those that last and are past their time.
	Lasting int `json:"lasting"`
	Ended   int `json:"ended"`
	Overdue int `json:"overdue"`
	// P50 and P90 are days, left out when there is no exposure: half of them, and nine of ten, are
	// no longer than that. One that lasts counts as long as it is by now.
	P50 *float64 `json:"p50_days,omitempty"`
	P90 *float64 `json:"p90_days,omitempty"`
	// InTime is the share that ended in time, in percent, of those that ended or are late; left
	// out when there are none.
	InTime *float64 `json:"in_time,omitempty"`
}

// PatchSLADue is one advisory under one SLA.
type PatchSLADue struct {
	Advisory  string    `json:"advisory"`
	Severity  string    `json:"severity"`
	Exploited bool      `json:"exploited"`
	Due       time.Time `json:"due"`
	Overdue   bool      `json:"overdue"`
	Packages  []string  `json:"packages"`
	Hosts     HostSet   `json:"hosts"`
}

// PatchFilter selects hosts. Zero fields select all.
type PatchFilter struct {
	Host  string
	Group string
}

// Package alerts tells people and other systems when something needs a person: each thing is one
// episode, which is opened once and closed once, however often it is looked at.
//
// What is wrong is derived from the store's state every few seconds. Episodes and what is to be told of
// them are stored in one transaction, so that a killed server neither loses nor repeats one. What
// could not be looked at changes nothing: an episode is closed only when its cause was seen to be gone.
package alerts

import (
	"slices"
	"time"
)

// The kinds of alerts.
const (
	HostSilent       = "host_silent"       // a host no longer calls
	HostNoncompliant = "host_noncompliant" // a host has a critical or high finding
	CatalogMismatch  = "catalog_mismatch"  // a host compiled another catalog than the server
	ReleaseRefused   = "release_refused"   // a host refused, quarantined or could not compile a release
	RolloutHalted    = "rollout_halted"    // a release or a patch cycle halted
	PatchOverdue     = "patch_overdue"     // updates are past the time of a patch_sla
	ApprovalPending  = "approval_pending"  // a ring waits for a person's word
	FreezeSet        = "freeze_set"        // somebody stopped all change
	HostTwin         = "host_twin"         // two machines use the identity of one host
	Flapping         = "flapping"          // two managers fight for a resource, and the agent leaves it alone
	// Storm stands for what is not told one by one: too many alerts of a kind at once.
	Storm = "alert_storm"
)

// Kinds lists all kinds of alerts.
func Kinds() []string {
	return []string{HostSilent, HostNoncompliant, CatalogMismatch, ReleaseRefused, RolloutHalted, PatchOverdue, ApprovalPending, FreezeSet, HostTwin, Flapping, Storm}
}

// severities are from the least to the worst.
func severities() []string { return []string{"low", "medium", "high", "critical"} }

// reaches tells whether a severity is at least another; empty means all.
func reaches(severity, least string) bool {
	return slices.Index(severities(), severity) >= slices.Index(severities(), least)
}

// What receivers are told.
const (
	Opened = "opened"
	Closed = "closed"
	Test   = "test"
)

// Condition is something that needs a person, as it was seen now.
type Condition struct {
	// Key names it for good: the same thing has the same key tomorrow.
	Key string
	// Kind, Subject, Severity and Detail are what people are told.
	Kind, Subject, Severity, Detail string
}

// Alert is what receivers are told about an episode.
type Alert struct {
	ID       int64  `json:"id"`
	Kind     string `json:"kind"`
	Subject  string `json:"subject"`
	Severity string `json:"severity"`
	Detail   string `json:"detail"`
	// Opened and Closed are times in UTC; an open one has no Closed.
	Opened time.Time `json:"opened"`
	Closed time.Time `json:"closed,omitzero"`
}

// Message is one thing to tell.
type Message struct {
	// Version is that of this form.
	Version int `json:"version"`
	// ID is the same at each attempt; whoever has seen it may pass over it.
	ID string `json:"id"`
	// Incident is the same for what is told of one episode.
	Incident string `json:"incident"`
	// What is opened, closed or test.
	What  string `json:"what"`
	Alert Alert  `json:"alert"`
	// Server is the name of the server that tells it.
	Server string `json:"server"`

	// ref is what the receiver calls the ticket that it made of the opening.
	ref string
}

// title is the message in one line.
func (m Message) title() string {
	state := map[string]string{Opened: "", Closed: "Over: ", Test: "Test: "}[m.What]
	return clip(state+headline(m.Alert), maxTitle)
}

// headline says what is wrong in a few words.
func headline(a Alert) string {
	words := map[string]string{
		HostSilent: "%s is silent", HostNoncompliant: "%s has severe findings", CatalogMismatch: "%s compiled another catalog than the server",
		ReleaseRefused: "%s refused a release", RolloutHalted: "%s halted", PatchOverdue: "updates are overdue by patch_sla %s",
		ApprovalPending: "%s waits for approval", FreezeSet: "all change is frozen",
		HostTwin: "two machines are %s", Flapping: "%s flaps", Storm: "many more alerts at once: %s",
	}[a.Kind]
	if words == "" {
		words = "%s"
	}
	return fill(words, a.Subject)
}

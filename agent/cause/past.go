package cause

import (
	"time"

	"plumb/policies"
)

// Past is one change of a resource, as it is shown on the host itself.
type Past struct {
	At     time.Time       `json:"at"`
	Status policies.Status `json:"status"`
	Cause  policies.Cause  `json:"cause"`
	From   string          `json:"from,omitempty"`
	To     string          `json:"to,omitempty"`
	// Changes have no diffs; there are ten at the most.
	Changes []policies.Change `json:"changes"`
}

// How much of the past is kept of one resource.
const (
	keptChanges    = 5
	keptAttributes = 10
)

// Note adds what a run changed, or tried to. The result was cleaned of secrets before.
func (e *Entry) Note(at time.Time, r policies.ResourceResult) {
	if r.Status != policies.Repaired && (r.Status != policies.Failed || e.told(r)) {
		return
	}
	past := Past{At: at.UTC().Truncate(time.Second), Status: r.Status, Cause: r.Cause, From: r.From, To: r.To, Changes: []policies.Change{}}
	for _, c := range r.Changes[:min(keptAttributes, len(r.Changes))] {
		c.Diff = ""
		past.Changes = append(past.Changes, c)
	}
	e.Changed = append(e.Changed, past)
	if more := len(e.Changed) - keptChanges; more > 0 {
		e.Changed = e.Changed[more:]
	}
}

// told tells whether the newest change that is kept is this failure already.
func (e *Entry) told(r policies.ResourceResult) bool {
	if len(e.Changed) == 0 {
		return false
	}
	last := e.Changed[len(e.Changed)-1]
	return last.Status == r.Status && last.Cause == r.Cause && last.From == r.From && last.To == r.To
}

// Package cause tells why a resource had to change: for the first time (initial), because the
// policy changed (intentional), or because somebody changed the host (corrective).
//
// It compares what a run finds with what the run before left. A caller keeps the memory of the
// newest run that came to its end.
package cause

import (
	"encoding/json"

	"plumb/inventory"
	"plumb/policies"
)

// Entry is what is remembered of one resource.
type Entry struct {
	// Wanted is the digest of what policy wanted, see [Wanted].
	Wanted string `json:"wanted"`
	// Status is how the last run left it.
	Status policies.Status `json:"status"`
	// Cause is why it differed, while it does.
	Cause policies.Cause `json:"cause,omitempty"`
	// Packages are those that a patch resource had brought, by name.
	Packages map[string]Brought `json:"packages,omitempty"`
}

// Brought is a package that patching brought.
type Brought struct {
	Version string `json:"version"`
	// New is true when it came in the last run.
	New bool `json:"new,omitempty"`
}

// Memory maps the address of each resource of the last run to what was left.
type Memory map[string]Entry

// Wanted is the digest of what policy wants of a resource. Where it was declared, what it is
// called and what it is evidence for do not count: a line that moved is no new intention.
func Wanted(r policies.Resource) (string, error) {
	raw, err := json.Marshal(struct {
		Kind       string
		Check      bool
		Mode       policies.Mode
		Attributes json.RawMessage
	}{r.Kind, r.Check, r.Mode, r.Attributes})
	if err != nil {
		return "", err
	}
	return inventory.Digest(raw), nil
}

// Of returns why the resource at the address differs from what is wanted.
//
//   - initial: no run has known it, or none has ever seen it in order and nothing changed since;
//   - intentional: policy wants something else than in the last run;
//   - corrective: policy wants the same, and the last run had left it in order.
//
// A difference that was there before keeps its cause.
func (m Memory) Of(address, wanted string) policies.Cause {
	last, known := m[address]
	switch {
	case !known:
		return policies.Initial
	case last.Wanted != wanted:
		return policies.Intentional
	case last.Status.Passing():
		return policies.Corrective
	case last.Cause != "":
		return last.Cause
	default:
		return policies.Initial // it was skipped, unknown or not applicable until now
	}
}

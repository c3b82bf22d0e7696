// Package cause tells why a resource had to change: for the first time (initial), because the
// policy changed (intentional), because somebody changed the host (corrective), or because an
// exception ended that had let a difference be (reverted waiver).
//
// It compares what a run finds with what the run before left. A caller keeps the memory of the
// newest run that came to its end.
package cause

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/canon"
)

// Entry is what is remembered of one resource.
type Entry struct {
	// Wanted is the digest of what policy wanted, see [Wanted].
	Wanted string `json:"wanted"`
	// Status is how the last run left it.
	Status policies.Status `json:"status"`
	// Cause is why it differed, while it does; From and To are the commits between which policy
	// came to want something else, where that is why.
	Cause policies.Cause `json:"cause,omitempty"`
	From  string         `json:"from,omitempty"`
	To    string         `json:"to,omitempty"`
	// Commit is the one that was in force when it was last looked at.
	Commit string `json:"commit,omitempty"`
	// Changed are the newest changes, the last one at the end; see [Entry.Note].
	Changed []Past `json:"changed,omitempty"`
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

// keyed begins the digest of what holds a secret.
const keyed = "hmac-sha256:"

// Wanted is the digest of what policy wants of a resource. Where it was declared, what it is
// called and what it is evidence for do not count: a line that moved is no new intention. With a
// key the digest can only be made on this host: nobody can try out what a secret might be.
func Wanted(r policies.Resource, key []byte) (string, error) {
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	raw, err := canon.Append((*room)[:0], struct {
		Kind       string
		Check      bool
		Mode       policies.Mode
		Attributes json.RawMessage
	}{r.Kind, r.Check, r.Mode, r.Attributes})
	if err != nil {
		return "", err
	}
	if cap(raw) <= maxRoom {
		*room = raw
	}
	if len(key) == 0 {
		return inventory.Digest(raw), nil
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(raw)
	return keyed + hex.EncodeToString(mac.Sum(nil)), nil
}

// rooms are buffers for what is only digested.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

const maxRoom = 64 << 10

// Key replaces a digest that an agent without keys has left, if it is the plain one of what is
// wanted now.
func (m Memory) Key(address, plain, wanted string) {
	if last, ok := m[address]; ok && last.Wanted == plain && strings.HasPrefix(wanted, keyed) {
		last.Wanted = wanted
		m[address] = last
	}
}

// Of returns why the resource at the address differs from what is wanted.
//
//   - initial: no run has known it, or none has ever seen it in order and nothing changed since;
//   - intentional: policy wants something else than in the last run;
//   - corrective: policy wants the same, and the last run had left it in order;
//   - reverted waiver: policy wants the same, and an exception had let the difference be.
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
	case last.Status == policies.Waived:
		return policies.RevertedWaiver
	case last.Cause != "":
		return last.Cause
	default:
		return policies.Initial // it was skipped, unknown or not applicable until now
	}
}

// Between returns the commits between which policy came to want this of the resource; they are
// equal when what changed was a fact, and empty when nothing did.
func (m Memory) Between(address, wanted, commit string) (from, to string) {
	last, known := m[address]
	switch {
	case !known:
		return "", ""
	case last.Wanted != wanted:
		return last.Commit, commit
	}
	return last.From, last.To
}

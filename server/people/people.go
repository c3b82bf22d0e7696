package people

import (
	"log/slog"
	"slices"
	"time"

	"plumb/server/store"
)

// Roles are what a person can be, the weakest first; each includes those before it.
var Roles = []string{"viewer", "auditor", "operator", "admin"}

// People signs people in.
type People struct {
	store  *store.Store
	hasher *hasher
	limits *limits
	log    *slog.Logger
	// Provider is where people sign in who have an account elsewhere; nil for nowhere.
	Provider *Provider
}

// New returns the people of one server, whose passwords are hashed at the cost; see [Standard].
func New(st *store.Store, cost Cost, log *slog.Logger) *People {
	return &People{store: st, hasher: newHasher(cost), limits: newLimits(), log: log}
}

// Kind says what a refusal is about.
type Kind string

// The kinds of refusals.
const (
	Denied  Kind = "denied"  // who they say they are was not proved
	Barred  Kind = "barred"  // it was proved, and they may not come in
	Slow    Kind = "slow"    // too many tries
	Busy    Kind = "busy"    // too many people at once
	Unfit   Kind = "unfit"   // what they ask for cannot be
	Missing Kind = "missing" // there is no such thing, or not any more
	Away    Kind = "away"    // the provider cannot be reached, or answers wrongly
)

// Refusal is why somebody does not get what they ask for, in words for them.
type Refusal struct {
	Kind Kind
	// Text says what went wrong, Hint what to do about it.
	Text, Hint string
	// After is how long to wait before the next try.
	After time.Duration
}

func (r *Refusal) Error() string { return r.Text }

// IsRole tells whether the word names a role.
func IsRole(word string) bool { return slices.Contains(Roles, word) }

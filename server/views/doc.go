// Package views is what people are told: the store's rows put into the words and shapes
// that the command line prints, the API sends as JSON and the pages show.
//
// All three use the same views, so they always say the same. Lists are never null, times are
// UTC, and a time that does not exist is left out.
package views

import (
	"context"
	"time"

	"plumb/server/store"
)

// Reader makes views of one store.
type Reader struct {
	Store *store.Store
	// Mode tells who signs releases, "trial" or "author", and what is wrong with the policy
	// repository, if anything.
	Policy func(ctx context.Context) (Policy, error)
	// Live lists the patch cycles that hosts are at work on right now, by rollout and host; nil is none.
	Live func(now time.Time) []PatchProgress
	// Plans are what the newest release declares; nil is nothing.
	Plans func(ctx context.Context) (Plans, error)
	// Memory keeps what was found out for the next reader; nil keeps nothing.
	Memory *Memory
}

// Policy is how the policy repository stands.
type Policy struct {
	// Mode is trial while the server's own key signs releases, author once people's keys do.
	Mode string `json:"mode"`
	// Signers are those who may sign the next release.
	Signers []string `json:"signers"`
	// Commit is the newest commit on main, Release the newest release (0: none yet).
	Commit  string `json:"commit"`
	Release uint64 `json:"release"`
	// Upstream is the mirrored repository, and Problem what keeps its newest commit, or
	// main's, from becoming a release.
	Upstream string `json:"upstream,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

// stamp returns nil for the zero time.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// list makes sure that JSON has an array.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

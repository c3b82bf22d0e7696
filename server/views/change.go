package views

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// Release is one signed release.
type Release struct {
	Number  uint64    `json:"number"`
	Commit  string    `json:"commit"`
	Subject string    `json:"subject"`
	Author  string    `json:"author"`
	Made    time.Time `json:"made"`
	// Bundle is the SHA-256 of the policy tree, Size its bytes.
	Bundle     string `json:"bundle"`
	Size       int64  `json:"size"`
	RollbackTo uint64 `json:"rollback_to"`
	// Signer signed it with Key; Trial is true when that was the server's own key.
	Signer string `json:"signer"`
	Key    string `json:"key"`
	Trial  bool   `json:"trial"`
}

func releaseView(r store.Release) Release {
	return Release{
		Number: r.Number, Commit: r.Commit, Subject: r.Subject, Author: r.Author, Made: r.Made.UTC(),
		Bundle: r.Bundle, Size: r.Size, RollbackTo: r.RollbackTo, Signer: r.Signer, Key: r.Key, Trial: r.Trial,
	}
}

// Releases returns releases, the newest first.
func (r Reader) Releases(ctx context.Context, limit int, before uint64) ([]Release, error) {
	rows, err := r.Store.Releases(ctx, limit, before)
	if err != nil {
		return nil, fmt.Errorf("cannot list releases: %w", err)
	}
	releases := make([]Release, 0, len(rows))
	for _, one := range rows {
		releases = append(releases, releaseView(one))
	}
	return releases, nil
}

// Release returns one release.
func (r Reader) Release(ctx context.Context, number uint64) (Release, error) {
	one, err := r.Store.Release(ctx, number)
	if err != nil {
		return Release{}, fmt.Errorf("cannot find release %d: %w", number, err)
	}
	return releaseView(one), nil
}

// Change is the record of a release on its way through the fleet.
type Change struct {
	Release
	// Hosts counts enrolled hosts; Reached those that run this release now.
	Hosts   int `json:"hosts"`
	Reached int `json:"reached"`
	// Changed, Failed and Refused count the hosts on which it changed something, failed to,
	// or was turned down.
	Changed int `json:"changed"`
	Failed  int `json:"failed"`
	Refused int `json:"refused"`
	// Causes counts by cause the repairs that were made while it was in force, drift among them.
	Causes map[policies.Cause]int `json:"causes,omitempty"`
	// Events are what it did, host by host; only in the record of one change.
	Events []Event `json:"events,omitempty"`
}

// Changes returns the records of the newest changes, the newest first.
func (r Reader) Changes(ctx context.Context, limit int) ([]Change, error) {
	releases, err := r.Releases(ctx, limit, 0)
	if err != nil {
		return nil, err
	}
	fleet, err := r.Store.FleetCounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot count hosts: %w", err)
	}
	changes := make([]Change, 0, len(releases))
	for _, one := range releases {
		c, err := r.record(ctx, one, fleet.Total)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// changeEvents is how many events the record of one change shows.
const changeEvents = 1000

// Change returns the record of one change with its newest events.
func (r Reader) Change(ctx context.Context, number uint64) (Change, error) {
	one, err := r.Release(ctx, number)
	if err != nil {
		return Change{}, err
	}
	fleet, err := r.Store.FleetCounts(ctx)
	if err != nil {
		return Change{}, fmt.Errorf("cannot count hosts: %w", err)
	}
	c, err := r.record(ctx, one, fleet.Total)
	if err != nil {
		return Change{}, err
	}
	c.Events, err = r.Events(ctx, store.EventFilter{Release: number, Own: true, Limit: changeEvents,
		Kinds: []string{store.EventRepaired, store.EventFailed, store.EventRefused}})
	return c, err
}

// record puts a release beside how far it came; hosts is how many the fleet has.
func (r Reader) record(ctx context.Context, one Release, hosts int) (Change, error) {
	reach, err := r.Store.Reach(ctx, one.Number)
	if err != nil {
		return Change{}, err
	}
	causes, err := r.Store.RepairsByCause(ctx, one.Number)
	if err != nil {
		return Change{}, err
	}
	return Change{
		Causes: causes, Release: one, Hosts: hosts, Reached: reach.Hosts, Changed: reach.Events[store.EventRepaired],
		Failed: reach.Events[store.EventFailed], Refused: reach.Events[store.EventRefused],
	}, nil
}

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
	// Events are what it did, host by host; only in the record of one change.
	Events []Event `json:"events,omitempty"`
}

// Changes returns the records of the newest changes, the newest first.
func (r Reader) Changes(ctx context.Context, limit int) ([]Change, error) {
	releases, err := r.Releases(ctx, limit, 0)
	if err != nil {
		return nil, err
	}
	changes := make([]Change, 0, len(releases))
	for _, one := range releases {
		c, err := r.record(ctx, one)
		if err != nil {
			return nil, err
		}
		c.Events = nil
		changes = append(changes, c)
	}
	return changes, nil
}

// Change returns the record of one change with its events.
func (r Reader) Change(ctx context.Context, number uint64) (Change, error) {
	one, err := r.Release(ctx, number)
	if err != nil {
		return Change{}, err
	}
	return r.record(ctx, one)
}

func (r Reader) record(ctx context.Context, one Release) (Change, error) {
	counts, err := r.Store.FleetCounts(ctx)
	if err != nil {
		return Change{}, fmt.Errorf("cannot count hosts: %w", err)
	}
	reached, err := r.Store.Hosts(ctx, store.HostFilter{Release: one.Number})
	if err != nil {
		return Change{}, fmt.Errorf("cannot list the hosts of release %d: %w", one.Number, err)
	}
	c := Change{Release: one, Hosts: counts.Total, Reached: len(reached)}
	if c.Events, err = r.changeEvents(ctx, one); err != nil {
		return Change{}, err
	}
	c.Changed = distinctHosts(c.Events, store.EventRepaired)
	c.Failed = distinctHosts(c.Events, store.EventFailed)
	c.Refused = distinctHosts(c.Events, store.EventRefused)
	return c, nil
}

// changeEvents are the events of a release that are its own doing: drift that was mended
// while it was in force is not.
func (r Reader) changeEvents(ctx context.Context, one Release) ([]Event, error) {
	all, err := r.Events(ctx, store.EventFilter{Since: one.Made, Limit: 1000,
		Kinds: []string{store.EventRepaired, store.EventFailed, store.EventRefused}})
	if err != nil {
		return nil, err
	}
	own := make([]Event, 0, len(all))
	for _, e := range all {
		if e.Release == one.Number && e.Cause != policies.Corrective {
			own = append(own, e)
		}
	}
	return own, nil
}

func distinctHosts(events []Event, kind string) int {
	hosts := map[string]bool{}
	for _, e := range events {
		if e.Kind == kind {
			hosts[e.Host] = true
		}
	}
	return len(hosts)
}

package views

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"plumb/server/kpi"
	"plumb/server/rollout"
)

// pastChanges returns all releases and patch cycles with what happened to their rings.
func (r Reader) pastChanges(ctx context.Context) ([]kpi.Change, error) {
	releases, err := r.pastReleases(ctx)
	if err != nil {
		return nil, err
	}
	cycles, err := r.pastCycles(ctx)
	if err != nil {
		return nil, err
	}
	return append(releases, cycles...), nil
}

// changePage is how many changes are read at once.
const changePage = 500

func (r Reader) pastReleases(ctx context.Context) ([]kpi.Change, error) {
	states, err := r.pastRollouts(ctx)
	if err != nil {
		return nil, err
	}
	var changes []kpi.Change
	var next time.Time
	for before := uint64(0); ; {
		rows, err := r.Store.Releases(ctx, changePage, before)
		if err != nil {
			return nil, fmt.Errorf("cannot list releases: %w", err)
		}
		for _, row := range rows { // the newest first
			c := kpi.Change{ID: fmt.Sprint(row.Number), Kind: kpi.Release, Number: row.Number, Committed: row.Committed, Made: row.Made, Next: next}
			if s, planned := states[row.Number]; planned && s.Plan != nil {
				c.Planned, c.Entries = true, s.entries()
			}
			changes, next, before = append(changes, c), row.Made, row.Number
		}
		if len(rows) < changePage {
			slices.Reverse(changes)
			return changes, nil
		}
	}
}

// journey is what figures need of a rollout's state. Who was given what is left out: there may be
// thousands of hosts in it.
type journey struct {
	Plan    *struct{}       `json:"plan"`
	History []rollout.Entry `json:"history"`
}

func (j journey) entries() []kpi.Entry {
	entries := make([]kpi.Entry, 0, len(j.History))
	for _, e := range j.History {
		entries = append(entries, kpi.Entry{At: e.At.UTC().Truncate(time.Millisecond), Ring: e.Ring, What: e.What})
	}
	return entries
}

func (r Reader) pastRollouts(ctx context.Context) (map[uint64]journey, error) {
	states := map[uint64]journey{}
	for before := uint64(0); ; {
		rows, err := r.Store.Rollouts(ctx, changePage, before)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			var j journey
			if err := json.Unmarshal([]byte(row.State), &j); err != nil {
				return nil, fmt.Errorf("cannot read the rollout of release %d: %w", row.Release, err)
			}
			states[row.Release], before = j, row.Release
		}
		if len(rows) < changePage {
			return states, nil
		}
	}
}

func (r Reader) pastCycles(ctx context.Context) ([]kpi.Change, error) {
	names, err := r.Store.CycleRollouts(ctx)
	if err != nil {
		return nil, err
	}
	var changes []kpi.Change
	for _, name := range names {
		own, err := r.cyclesOf(ctx, name)
		if err != nil {
			return nil, err
		}
		changes = append(changes, own...)
	}
	return changes, nil
}

func (r Reader) cyclesOf(ctx context.Context, name string) ([]kpi.Change, error) {
	var changes []kpi.Change
	var next time.Time
	for before := uint64(0); ; {
		rows, err := r.Store.Cycles(ctx, name, changePage, before)
		if err != nil {
			return nil, err
		}
		for _, row := range rows { // the newest first
			var j journey
			if err := json.Unmarshal([]byte(row.State), &j); err != nil {
				return nil, fmt.Errorf("cannot read the patch cycle %s/%d: %w", name, row.Number, err)
			}
			changes = append(changes, kpi.Change{ID: cycleID(name, row.Number), Kind: kpi.Cycle, Rollout: name, Number: row.Number,
				Made: row.Made, Planned: true, Next: next, Entries: j.entries()})
			next, before = row.Made, row.Number
		}
		if len(rows) < changePage {
			slices.Reverse(changes)
			return changes, nil
		}
	}
}

func cycleID(rollout string, number uint64) string { return fmt.Sprintf("%s/%d", rollout, number) }

package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

// Package lists are fetched this often on hosts that are patched, sooner after a failure.
const (
	listsEvery = 4 * time.Hour
	listsAgain = 15 * time.Minute
	listsLimit = 5 * time.Minute
)

const listsFile = "lists.json"

// fetched is when the package lists were fetched, or could not be.
type fetched struct {
	At     time.Time `json:"at"`
	Failed bool      `json:"failed,omitempty"`
}

func (f fetched) due(now time.Time) bool {
	wait := listsEvery
	if f.Failed {
		wait = listsAgain
	}
	return f.At.After(now) || !now.Before(f.At.Add(wait)) // a clock that was set back is no reason to wait
}

// refreshLists fetches the package lists where policy patches this host: what is on offer is only
// known from lists that are fresh. A host that policy does not patch is left as it is, and so is
// one whose administrator holds changes back.
func (r *round) refreshLists(ctx context.Context, sys *system.System) {
	var last fetched
	if _, err := r.Dir.Load(listsFile, &last); err != nil {
		r.Log.Warn("it is not known when package lists were fetched", "error", err)
	}
	if r.auditing() || !last.due(r.Now()) || !r.patched() {
		return
	}
	fetch := r.FetchLists
	if fetch == nil {
		fetch = func(ctx context.Context) error { return update(ctx, sys) }
	}
	ctx, cancel := context.WithTimeout(ctx, listsLimit)
	defer cancel()
	err := fetch(ctx)
	if err != nil {
		r.Log.Warn("cannot fetch the package lists", "error", err)
	}
	if err := r.Dir.Save(listsFile, fetched{At: r.Now(), Failed: err != nil}); err != nil {
		r.Log.Warn("cannot note that package lists were fetched", "error", err)
	}
}

func update(ctx context.Context, sys *system.System) error {
	if !sys.Running() {
		return nil
	}
	manager, err := sys.PackageManager()
	if errors.Is(err, system.ErrNoOffers) {
		return nil
	}
	if err != nil {
		return err
	}
	return manager.Update(ctx)
}

// patched tells whether the newest catalog of the host takes part in patch cycles.
func (r *round) patched() bool {
	var catalog policies.Catalog
	if r.standing != nil {
		catalog = r.standing.catalog
	} else if last, ok, err := r.loadLast(); err != nil || !ok {
		return false
	} else {
		catalog = last.Catalog
	}
	return slices.ContainsFunc(catalog.Resources, func(res policies.Resource) bool { return res.Kind == "patch" && !res.Check })
}

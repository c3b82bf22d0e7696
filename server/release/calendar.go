package release

import (
	"context"
	"errors"
	"fmt"

	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/compiler"
	"plumb/server/store"
)

// Calendar is what the newest release says about when change may start, what may stay as it is, and
// which policies it has.
type Calendar struct {
	// Release is its number, 0 before the first.
	Release uint64
	Windows []calendar.Window
	Freezes []calendar.Freeze
	Waivers []policies.Waiver
	// Policies are what its policies say of themselves, by name.
	Policies []policies.PolicyInfo
}

// Calendar reads the windows, freezes, waivers and policies of the newest release, once for each.
func (d *Desk) Calendar(ctx context.Context) (Calendar, error) {
	r, err := d.Store.LatestRelease(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return Calendar{}, nil
	}
	if err != nil {
		return Calendar{}, fmt.Errorf("cannot find the newest release: %w", err)
	}
	if known := d.calendar.Load(); known != nil && known.Release == r.Number {
		return *known, nil
	}
	raw, err := d.Store.Object(ctx, store.Ref{Kind: store.KindBundle, Digest: r.Bundle})
	if err != nil {
		return Calendar{}, fmt.Errorf("cannot read the bundle of release %d: %w", r.Number, err)
	}
	res, err := d.Compiler.Compile(ctx, compiler.Request{Bundle: raw})
	if err != nil {
		return Calendar{}, err
	}
	fresh := Calendar{Release: r.Number, Windows: res.Windows, Freezes: res.Freezes, Waivers: res.Waivers, Policies: res.Policies}
	d.calendar.Store(&fresh)
	return fresh, nil
}

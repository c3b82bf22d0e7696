package views

import (
	"context"
	"fmt"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// Waiver is an exception of the newest release, and what has come of it.
type Waiver struct {
	policies.Waiver
	// State is holds, later or over.
	State string `json:"state"`
	// DaysLeft is how many whole days it still lasts, 0 when it is over.
	DaysLeft int `json:"days_left"`
	// Hosts counts those whose newest catalog has it.
	Hosts int `json:"hosts"`
	// Waived and Passing count what it is for on these hosts: what it let be, and what passes by itself.
	Waived  int `json:"waived"`
	Passing int `json:"passing"`
	// Unused is true when nothing needs it: no host has it, or all that it is for passes.
	Unused bool `json:"unused"`
}

// The states of a waiver.
const (
	WaiverHolds = "holds"
	WaiverLater = "later"
	WaiverOver  = "over"
)

// Waivers returns those of the plans by name.
func (r Reader) Waivers(ctx context.Context, p Plans, now time.Time) ([]Waiver, error) {
	rows := make([]Waiver, len(p.Waivers))
	place := map[string]*Waiver{}
	for i, one := range p.Waivers {
		rows[i] = waiverView(one, now)
		place[one.Name] = &rows[i]
	}
	if len(rows) == 0 {
		return rows, nil
	}
	standings, err := r.Store.Standings(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range standings {
		if err := r.countWaived(ctx, s, place); err != nil {
			return nil, err
		}
	}
	for i := range rows {
		rows[i].Unused = rows[i].State != WaiverLater && rows[i].Waived == 0
	}
	return rows, nil
}

func waiverView(w policies.Waiver, now time.Time) Waiver {
	row := Waiver{Waiver: w, State: WaiverHolds}
	switch {
	case !now.Before(w.Expires):
		row.State = WaiverOver
		return row
	case now.Before(w.From):
		row.State = WaiverLater
	}
	row.DaysLeft = int(w.Expires.Sub(now) / (24 * time.Hour))
	return row
}

// countWaived adds hosts that stand alike.
func (r Reader) countWaived(ctx context.Context, s store.Standing, place map[string]*Waiver) error {
	var catalog policies.Catalog
	var result policies.Result
	if err := r.decode(ctx, store.KindCatalog, s.Catalog, &catalog); err != nil {
		return fmt.Errorf("cannot read the catalog %.12s: %w", s.Catalog, err)
	}
	if len(catalog.Waivers) == 0 {
		return nil
	}
	if err := r.decode(ctx, store.KindResult, s.Result, &result); err != nil {
		return fmt.Errorf("cannot read the result %.12s: %w", s.Result, err)
	}
	status := map[string]policies.Status{}
	for _, one := range result.Resources {
		status[one.Address] = one.Status
	}
	for name := range catalog.Waivers {
		if place[name] != nil {
			place[name].Hosts += s.Hosts
		}
	}
	for _, one := range catalog.Resources {
		for _, name := range one.Waivers {
			row, now := place[name], status[one.Address]
			switch {
			case row == nil:
			case now == policies.Waived:
				row.Waived += s.Hosts
			case now.Passing():
				row.Passing += s.Hosts
			}
		}
	}
	return nil
}

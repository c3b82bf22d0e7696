package server

import (
	"context"
	"time"

	"plumb/policies/patch"
	"plumb/server/alerts"
	"plumb/server/rollout"
	"plumb/server/views"
)

// newAlerts tells alerts where to look.
func (s *Server) newAlerts() (*alerts.Station, error) {
	return alerts.New(alerts.Options{
		Store: s.store, States: s.underWay, Frozen: s.rollout.Freezing, Overdue: s.overdue,
		Config: s.config.Alerts, Server: s.config.name(), Now: s.now, Log: s.log,
	})
}

// underWay returns the rollouts and patch cycles that are on their way.
func (s *Server) underWay() []rollout.State {
	var all []rollout.State
	for _, way := range s.rollout.Glimpses() {
		for _, one := range way.Book {
			all = append(all, one.State)
		}
	}
	return all
}

// overdue returns the SLAs with late updates.
func (s *Server) overdue(ctx context.Context, now time.Time) ([]alerts.Late, error) {
	slas, err := views.Reader{Store: s.store}.PatchSLAs(ctx, views.PatchFilter{}, now)
	if err != nil {
		return nil, err
	}
	var late []alerts.Late
	for _, sla := range slas {
		if sla.Overdue > 0 {
			late = append(late, lateOf(sla))
		}
	}
	return late, nil
}

// lateOf tells of one SLA what is late; its entries are sorted by when they are due.
func lateOf(sla views.PatchSLA) alerts.Late {
	one := alerts.Late{Name: sla.Name, Hosts: sla.Overdue}
	var words []patch.Advisory
	for _, e := range sla.Entries {
		if !e.Overdue {
			continue
		}
		words = append(words, patch.Advisory{Severity: e.Severity})
		if one.Advisory == "" {
			one.Advisory = e.Advisory
		}
	}
	one.Severity = patch.Worst(words)
	return one
}

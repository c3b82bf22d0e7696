package web

import (
	"fmt"
	"time"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// driftThen is where reality differed from policy at an instant, and where it had lately. Nobody wrote down since when, so that
// there is no filter by that.
func (s *site) driftThen(c *api.Call, then past, f store.FindingFilter) (any, error) {
	ctx, q := c.Request.Context(), query(c, "host", "address", "policy", "status", "control")
	filter := views.PastDriftFilter{Host: q.Get("host"), Address: f.Address, Policy: f.Policy, Control: f.Control, Status: f.Status, After: c.Query("after"), Limit: findingsShown}
	found, more, unknown, err := s.Read().DriftAt(ctx, filter, then.At)
	if err != nil {
		return nil, err
	}
	narrowed := len(q) > 0
	f.Since = time.Time{}
	then.Unknown = unknown
	then.Keep(q)
	p := driftPage{frame: then.moved(s.frame(c, "Drift", "/drift")), Past: then, Query: q, Drift: views.Drift{Findings: found}}
	if more {
		p.Next = link("/drift", q, found[len(found)-1].Host)
	}
	if filter.After != "" {
		p.First = link("/drift", q, "")
	} else if err := s.drifted(c, &p, f, narrowed); err != nil {
		return nil, err
	}
	p.Summary = p.summaryThen(narrowed, more)
	p.cut()
	return s.show("drift", p)
}

// drifted adds what only the first page has: what most hosts shared, and the newest events of then.
func (s *site) drifted(c *api.Call, p *driftPage, f store.FindingFilter, narrowed bool) error {
	ctx := c.Request.Context()
	if !narrowed {
		fleet, err := s.Read().FleetAt(ctx, p.Past.At)
		if err != nil {
			return err
		}
		p.Worst = sortWorst(fleet.Findings)
	}
	return s.feed(ctx, p, f)
}

func (p *driftPage) summaryThen(narrowed, more bool) string {
	shown := len(p.Drift.Findings)
	switch {
	case shown == 0 && narrowed:
		return "Nothing that this filter selects differed from policy."
	case shown == 0:
		return "Nothing differed from policy."
	case more || p.First != "":
		return fmt.Sprintf("%s from policy shown, of more.", views.Count(shown, "difference"))
	}
	return views.Count(shown, "difference") + " from policy."
}

package web

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// driftPage is where reality differs from policy now, and where it lately did.
type driftPage struct {
	frame
	Query url.Values
	Drift views.Drift
	// Summary is the answer in one sentence.
	Summary string
	// Worst are the resources with the most hosts, More the others; only without a filter.
	Worst, More []worst
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

const findingsShown = 200

func (s *site) drift(c *api.Call) (any, error) {
	ctx := c.Request.Context()
	f, err := s.findingFilter(c)
	if err != nil {
		return nil, err
	}
	p := driftPage{frame: s.frame(c, "Drift", "/drift"), Query: query(c, "host", "address", "status", "control")}
	if p.Drift, err = s.Read().Drift(ctx, views.DriftFilter{FindingFilter: f}); err != nil {
		return nil, err
	}
	p.page(f)
	if len(p.Query) == 0 && p.First == "" {
		byAddress, err := s.Read().Store.FindingsByAddress(ctx)
		if err != nil {
			return nil, err
		}
		p.Worst = sortWorst(byAddress)
	}
	p.Summary = p.summary()
	if len(p.Worst) > worstShown {
		p.Worst, p.More = p.Worst[:worstShown], p.Worst[worstShown:]
	}
	return s.show("drift", p)
}

// page cuts the row that only told that there are more.
func (p *driftPage) page(f store.FindingFilter) {
	if f.After != nil {
		p.First = link("/drift", p.Query, "")
	}
	if len(p.Drift.Findings) > findingsShown {
		p.Drift.Findings = p.Drift.Findings[:findingsShown]
		last := p.Drift.Findings[findingsShown-1]
		p.Next = link("/drift", p.Query, last.Host+" "+last.Address)
	}
}

func (p *driftPage) summary() string {
	shown := len(p.Drift.Findings)
	total := 0
	for _, w := range p.Worst {
		total += w.Hosts
	}
	switch {
	case shown == 0 && len(p.Query) > 0:
		return "Nothing that this filter selects differs from policy."
	case shown == 0:
		return "Nothing differs from policy."
	case total > 0:
		return fmt.Sprintf("%s from policy in %s.", views.Count(total, "difference"), views.Count(len(p.Worst), "resource"))
	}
	return views.Count(shown, "difference") + " from policy shown."
}

func (s *site) findingFilter(c *api.Call) (store.FindingFilter, error) {
	f := store.FindingFilter{Address: c.Query("address"), Control: c.Query("control"),
		Status: policies.Status(c.Query("status")), Limit: findingsShown + 1}
	ctx := c.Request.Context()
	if name := c.Query("host"); name != "" {
		h, err := s.hostByName(ctx, name)
		if err != nil {
			return f, err
		}
		f.Host = h.ID
	}
	if name, address, ok := strings.Cut(c.Query("after"), " "); ok {
		h, err := s.hostByName(ctx, name)
		if err != nil {
			return f, err
		}
		f.After = &store.Finding{Host: h.ID, Address: address}
	}
	return f, nil
}

func (s *site) hostByName(ctx context.Context, name string) (store.Host, error) {
	h, err := s.Read().Store.HostByName(ctx, name)
	return h, unknownHost(err, name)
}

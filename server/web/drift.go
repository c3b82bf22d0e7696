package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// driftPage is where reality differs from policy now, and where it lately did.
type driftPage struct {
	frame
	Past  past
	Query url.Values
	Drift views.Drift
	// Summary is the answer in one sentence.
	Summary string
	// Flapping are the fights that go on now.
	Flapping []views.Finding
	// Worst are the resources with the most hosts, More the others; only without a filter.
	Worst, More []worst
	// Feed are the newest events, and FeedLink the page with all of them.
	Feed     eventList
	FeedLink string
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

const (
	findingsShown = 200
	// fightsShown and feedShown are on the page of drift.
	fightsShown = 50
	feedShown   = 25
)

func (s *site) drift(c *api.Call) (any, error) {
	ctx := c.Request.Context()
	then, err := instantOf(c, "/drift", query(c, "host", "address", "policy", "status", "control"))
	if err != nil {
		return nil, err
	}
	f, err := s.findingFilter(c, then)
	if err != nil {
		return nil, err
	}
	if then.Is() {
		return s.driftThen(c, then, f)
	}
	p := driftPage{frame: s.frame(c, "Drift", "/drift"), Past: then, Query: query(c, "host", "address", "policy", "status", "control", "days")}
	if p.Drift, err = s.Read().Drift(ctx, views.DriftFilter{FindingFilter: f}); err != nil {
		return nil, err
	}
	p.page(f)
	if p.First == "" {
		if err := s.driftNow(ctx, &p, f); err != nil {
			return nil, err
		}
	}
	p.Summary = p.summary()
	p.cut()
	return s.show("drift", p)
}

// Some are resources of the page's instant.
func (p driftPage) Some(list []worst) someWorst { return someWorst{p.Past, list} }

// Narrowed tells whether something is filtered by.
func (p driftPage) Narrowed() bool {
	return len(without(p.Query, pair{"as_of", p.Query.Get("as_of")})) > 0
}

// someWorst are resources with their hosts at an instant.
type someWorst struct {
	Past past
	List []worst
}

// cut folds the resources with fewer hosts away.
func (p *driftPage) cut() {
	if len(p.Worst) > worstShown {
		p.Worst, p.More = p.Worst[:worstShown], p.Worst[worstShown:]
	}
}

// driftNow adds what only the first page has: fights, what most hosts share, and the newest events.
func (s *site) driftNow(ctx context.Context, p *driftPage, f store.FindingFilter) error {
	fights := f
	fights.Flapping, fights.Limit = true, fightsShown
	found, err := s.Read().Drift(ctx, views.DriftFilter{FindingFilter: fights})
	if err != nil {
		return err
	}
	p.Flapping = found.Findings
	if len(p.Query) == 0 {
		byAddress, err := s.Read().Store.FindingsByAddress(ctx)
		if err != nil {
			return err
		}
		p.Worst = sortWorst(byAddress)
	}
	if f.Status != "" || f.Control != "" {
		return nil // nobody wrote these down of events
	}
	return s.feed(ctx, p, f)
}

// feed adds what drifted lately.
func (s *site) feed(ctx context.Context, p *driftPage, f store.FindingFilter) error {
	feed := store.EventFilter{Host: f.Host, Address: f.Address, Policy: f.Policy, Since: f.Since, Until: p.Past.until(), Kinds: driftKinds(), Causes: driftCauses(""), Limit: feedShown}
	events, err := s.Read().Events(ctx, feed)
	if err != nil {
		return err
	}
	p.Feed = newFeed(events, p.Past, p.Now)
	p.FeedLink = link("/drift/feed", p.Query, "")
	return nil
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

func (s *site) findingFilter(c *api.Call, then past) (store.FindingFilter, error) {
	f := store.FindingFilter{Address: c.Query("address"), Control: c.Query("control"), Policy: c.Query("policy"),
		Status: policies.Status(c.Query("status")), Limit: findingsShown + 1}
	ctx := c.Request.Context()
	var err error
	if f.Since, err = daysAgo(c, instant(c, then)); err != nil {
		return f, err
	}
	if name := c.Query("host"); name != "" {
		h, err := s.hostThen(ctx, name, then)
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

// daysAgo reads days=N, which asks for what began since; zero without it.
func daysAgo(c *api.Call, now time.Time) (time.Time, error) {
	text := c.Query("days")
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 3650 {
		return time.Time{}, &api.Error{Code: http.StatusBadRequest, Text: fmt.Sprintf("%q is not a number of days from 1 to 3650", text)}
	}
	return now.AddDate(0, 0, -n), nil
}

func (s *site) hostByName(ctx context.Context, name string) (store.Host, error) {
	h, err := s.Read().Store.HostByName(ctx, name)
	return h, unknownHost(err, name)
}

// hostThen is the host that has a name, or had it at an instant.
func (s *site) hostThen(ctx context.Context, name string, then past) (store.Host, error) {
	if !then.Is() {
		return s.hostByName(ctx, name)
	}
	h, _, err := s.Read().Store.HostAt(ctx, name, then.At)
	return h, unknownThen(err, name, then)
}

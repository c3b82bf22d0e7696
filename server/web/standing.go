package web

import (
	"context"
	"net/url"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/views"
)

// standingPage lists the hosts behind a number of the pages of policies and controls.
type standingPage struct {
	frame
	Past  past
	Query url.Values
	// What is the policy, the resource or the control; empty for hosts that have not answered. Up is
	// the page that it stands on.
	What, Up, UpWords string
	// Whole is the same list for every status.
	Whole string
	Hosts []views.HostStanding
	// Bar is how all hosts stand with it, each status with its hosts.
	Bar []piece
	// Trend is how hosts stood with the control.
	Trend chart
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

const standingShown = 100

func (s *site) standing(c *api.Call) (any, error) {
	q := query(c, "policy", "address", "control", "status")
	then, err := instantOf(c, "/standing", q)
	if err != nil {
		return nil, err
	}
	f := views.StandingFilter{Policy: q.Get("policy"), Address: q.Get("address"), Control: q.Get("control"),
		Status: policies.Status(q.Get("status")), After: c.Query("after"), Limit: standingShown + 1}
	hosts, err := s.stands(c.Request.Context(), f, then)
	if err != nil {
		return nil, err
	}
	then.Keep(q)
	p := standingPage{frame: then.moved(s.frame(c, "Hosts by standing", "/policies")), Past: then, Query: q, Hosts: hosts}
	if f.After != "" {
		p.First = link("/standing", p.Query, "")
	}
	if len(hosts) > standingShown {
		p.Hosts = hosts[:standingShown]
		p.Next = link("/standing", p.Query, p.Hosts[standingShown-1].Host)
	}
	p.name(f)
	if f.After == "" {
		err = s.standAs(c, &p, f)
	}
	return s.shown("standing", p, err)
}

// standAs adds how all hosts stand and stood with what the list is about.
func (s *site) standAs(c *api.Call, p *standingPage, f views.StandingFilter) error {
	all, _, err := s.complianceOf(c, p.Past)
	if err != nil {
		return err
	}
	by, name, tally := standsWith(all, f)
	if len(tally) == 0 {
		return nil
	}
	p.Bar = thenLinks(p.Past, standingBar(by, name, tally))
	if by != "control" || f.Status != "" {
		return nil
	}
	days, err := s.lastDays(c, p.Past)
	p.Trend = daysTrend(days, tally, instant(c, p.Past), func(d views.Day) views.Tally { return d.Controls[name] }, standingLink(by, name, ""))
	return err
}

// standsWith is how all hosts stand with the one thing that the filter names.
func standsWith(all views.Compliance, f views.StandingFilter) (by, name string, t views.Tally) {
	for _, framework := range all.Frameworks {
		for _, one := range framework.Controls {
			if f.Control == one.Control && f.Policy+f.Address == "" {
				return "control", one.Control, one.Status
			}
		}
	}
	for _, p := range all.Policies {
		if f.Policy == p.Name && f.Control+f.Address == "" {
			return "policy", p.Name, p.Status
		}
		for _, r := range p.Resources {
			if f.Address == r.Address && f.Control+f.Policy == "" {
				return "address", r.Address, r.Status
			}
		}
	}
	return "", "", nil
}

// stands lists hosts as they stand, or stood.
func (s *site) stands(ctx context.Context, f views.StandingFilter, then past) ([]views.HostStanding, error) {
	if then.Is() {
		return s.Read().HostStandingsAt(ctx, f, then.At)
	}
	return s.Read().HostStandings(ctx, f)
}

// name says what the list is about.
func (p *standingPage) name(f views.StandingFilter) {
	p.Up, p.UpWords = "/policies", "Policies"
	switch {
	case f.Control != "":
		p.What, p.Up, p.UpWords = f.Control, "/controls", "Controls"
	case f.Address != "":
		p.What = f.Address
	case f.Policy != "":
		p.What, p.Up, p.UpWords = f.Policy, "/policies/"+url.PathEscape(f.Policy), f.Policy
	}
	p.Up = p.Past.To(p.Up)
	if f.Status != "" && p.What != "" {
		p.Whole = link("/standing", without(p.Query, pair{"status", string(f.Status)}), "")
	}
}

// stoodThen is how the fleet stood, and what is not known of that.
type stoodThen struct {
	all     views.Compliance
	unknown string
}

// compliance is how the fleet stands with its policies, looked at lately.
func (s *site) compliance(c *api.Call) (views.Compliance, error) {
	read := s.Read()
	all, _, err := s.standings.of(c.Request.Context(), c.Now, read.Compliance)
	return all, err
}

// complianceThen is compliance as of the instant that the address names, if it names one.
func (s *site) complianceThen(c *api.Call, path string) (all views.Compliance, then past, err error) {
	if then, err = instantOf(c, path, nil); err != nil {
		return all, then, err
	}
	return s.complianceOf(c, then)
}

// complianceOf is compliance as of an instant, if there is one.
func (s *site) complianceOf(c *api.Call, then past) (all views.Compliance, _ past, err error) {
	if !then.Is() {
		all, err = s.compliance(c)
		return all, then, err
	}
	known, _, err := s.thens.named(then.Text()).of(c.Request.Context(), c.Now, func(ctx context.Context) (stoodThen, error) {
		all, unknown, err := s.Read().ComplianceAt(ctx, then.At)
		return stoodThen{all, unknown}, err
	})
	then.Unknown = known.unknown
	return known.all, then, err
}

// standingLink lists the hosts that stand so with one thing: policy, address or control.
func standingLink(by, name string, status policies.Status) string {
	q := url.Values{by: {name}}
	if status != "" {
		q.Set("status", string(status))
	}
	return link("/standing", q, "")
}

// standingBar is how hosts stand with one thing, each status with its hosts.
func standingBar(by, name string, t views.Tally) []piece {
	var all []piece
	for _, status := range policies.Statuses {
		all = append(all, piece{Mark: mark(status), Words: passWords(status), Count: t[status], Link: standingLink(by, name, status)})
	}
	return lay(all)
}

// passWords calls those that have nothing against them passing: whether a run had to mend
// something is no matter here.
func passWords(s policies.Status) string {
	if s == policies.Compliant {
		return "passing"
	}
	return views.Words(s)
}

package web

import (
	"net/url"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/views"
)

// standingPage lists the hosts behind a number of the pages of policies and controls.
type standingPage struct {
	frame
	Query url.Values
	// What is the policy, the resource or the control; empty for hosts that have not answered. Up is
	// the page that it stands on.
	What, Up, UpWords string
	// Whole is the same list for every status.
	Whole string
	Hosts []views.HostStanding
	// First and Next are the addresses of those pages; empty where this is one of them.
	First, Next string
}

const standingShown = 100

func (s *site) standing(c *api.Call) (any, error) {
	p := standingPage{frame: s.frame(c, "Hosts by standing", "/policies"), Query: query(c, "policy", "address", "control", "status")}
	f := views.StandingFilter{Policy: p.Query.Get("policy"), Address: p.Query.Get("address"), Control: p.Query.Get("control"),
		Status: policies.Status(p.Query.Get("status")), After: c.Query("after"), Limit: standingShown + 1}
	hosts, err := s.Read().HostStandings(c.Request.Context(), f)
	if err != nil {
		return nil, err
	}
	p.Hosts = hosts
	if f.After != "" {
		p.First = link("/standing", p.Query, "")
	}
	if len(hosts) > standingShown {
		p.Hosts = hosts[:standingShown]
		p.Next = link("/standing", p.Query, p.Hosts[standingShown-1].Host)
	}
	p.name(f)
	return s.show("standing", p)
}

// name says what the list is about.
func (p *standingPage) name(f views.StandingFilter) {
	p.Up, p.UpWords = "/policies", "Policies"
	switch {
	case f.Control != "":
		p.What, p.Here, p.Up, p.UpWords = f.Control, "/policies", "/controls", "Controls"
	case f.Address != "":
		p.What = f.Address
	case f.Policy != "":
		p.What, p.Up, p.UpWords = f.Policy, "/policies/"+url.PathEscape(f.Policy), f.Policy
	}
	if f.Status != "" && p.What != "" {
		rest := url.Values{}
		for name, values := range p.Query {
			if name != "status" {
				rest[name] = values
			}
		}
		p.Whole = link("/standing", rest, "")
	}
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
	if !then.Is() {
		all, err = s.compliance(c)
		return all, then, err
	}
	all, then.Unknown, err = s.Read().ComplianceAt(c.Request.Context(), then.At)
	return all, then, err
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

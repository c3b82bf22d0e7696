package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/views"
)

// policiesPage is how the fleet stands with each policy.
type policiesPage struct {
	frame
	Past       past
	Compliance views.Compliance
	Policies   []policyRow
}

// policyRow is one policy in the list.
type policyRow struct {
	views.PolicyStanding
	Bar   []piece
	Share string
	// Link is its page, All the hosts that it applies to.
	Link, All string
	// Spark is how they stood over the last days.
	Spark spark
	// Worst is the resource that fails on the most hosts; without a host, none does.
	Worst worst
	// Gone is true when hosts have it from an older release, and the newest has none of the name.
	Gone bool
}

// Title is what people read first: the title that it gives itself, or else its name.
func (r policyRow) Title() string {
	if r.Declared == nil || r.Declared.Title == "" {
		return r.Name
	}
	return r.Declared.Title
}

// withDeclared fills in what only hosts would tell, from what the policy says of itself.
func (r *policyRow) withDeclared() {
	if r.Declared == nil {
		return
	}
	if len(r.Modes) == 0 && r.Declared.Mode != "" {
		r.Modes = []policies.Mode{r.Declared.Mode}
	}
	r.Severity = cmp.Or(r.Severity, r.Declared.Severity)
}

func (s *site) policies(c *api.Call) (any, error) {
	all, then, err := s.complianceThen(c, "/policies")
	if err != nil {
		return nil, err
	}
	rows := policyRows(all)
	for i := range rows {
		rows[i].then(then)
	}
	if err := s.spark(c, then, policySparks(rows)); err != nil {
		return nil, err
	}
	return s.show("policies", policiesPage{frame: then.moved(s.frame(c, "Policies", "/policies")), Past: then, Compliance: all, Policies: rows})
}

// policyRows are the policies, those with the most hosts that fail first and those without hosts last.
func policyRows(all views.Compliance) []policyRow {
	rows := make([]policyRow, 0, len(all.Policies))
	for _, p := range all.Policies {
		rows = append(rows, newPolicyRow(all, p))
	}
	slices.SortStableFunc(rows, func(a, b policyRow) int {
		return cmp.Or(cmp.Compare(b.Status.Failing(), a.Status.Failing()), cmp.Compare(b.Status.Unknown(), a.Status.Unknown()),
			number(a.Status.Hosts() == 0)-number(b.Status.Hosts() == 0))
	})
	return rows
}

func newPolicyRow(all views.Compliance, p views.PolicyStanding) policyRow {
	row := policyRow{PolicyStanding: p, Bar: standingBar("policy", p.Name, p.Status), Share: shareOf(p.Status),
		Link: "/policies/" + url.PathEscape(p.Name), All: standingLink("policy", p.Name, ""),
		Gone: p.Declared == nil && all.Release > 0}
	row.withDeclared()
	for _, r := range p.Resources {
		if n := r.Status.Failing(); n > row.Worst.Hosts {
			row.Worst = worst{r.Address, n}
		}
	}
	return row
}

// then has the row lead to lists of the same instant.
func (r *policyRow) then(p past) {
	r.Link, r.All, r.Bar = p.To(r.Link), p.To(r.All), thenLinks(p, r.Bar)
}

func thenLinks(p past, bar []piece) []piece {
	for i := range bar {
		bar[i].Link = p.To(bar[i].Link)
	}
	return bar
}

// shareOf is how many of the hosts that count pass. Nobody is no share.
func shareOf(t views.Tally) string {
	if t.InScope() == 0 {
		return "-"
	}
	return share(t.Passing(), t.InScope())
}

// policyPage is one policy: what it says, and where it is not so.
type policyPage struct {
	frame
	Past past
	Row  policyRow
	// Undescribed says why it is not known what the policy says of itself.
	Undescribed string
	Resources   []resourceRow
	// Wrong counts the resources that do not pass everywhere.
	Wrong int
	// Findings are the first of those on hosts that do not pass.
	Findings   []views.HostStanding
	Unanswered int
	// Trend is how hosts stood with it.
	Trend chart
}

// resourceRow is a resource with how hosts stand with it.
type resourceRow struct {
	views.ResourceStanding
	Bar   []piece
	Share string
	// All are the hosts that it applies to.
	All string
}

func (s *site) policyPage(c *api.Call) (any, error) {
	name := c.Param("name")
	all, then, err := s.complianceThen(c, "/policies/"+url.PathEscape(name))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all.Policies, func(p views.PolicyStanding) bool { return p.Name == name })
	if i < 0 {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("no host has a policy %q, nor has the newest release", name), Hint: "the page of policies lists all that there are"}
	}
	row := newPolicyRow(all, all.Policies[i])
	row.then(then)
	p := policyPage{frame: then.moved(s.frame(c, row.Title(), "/policies")), Past: then, Row: row, Undescribed: all.Undescribed, Unanswered: all.Unanswered}
	for _, r := range p.Row.PolicyStanding.Resources {
		p.Resources = append(p.Resources, resourceRow{r, thenLinks(then, standingBar("address", r.Address, r.Status)), shareOf(r.Status), then.Standing("address", r.Address)})
		if r.Status.Failing() > 0 {
			p.Wrong++
		}
	}
	slices.SortStableFunc(p.Resources, func(a, b resourceRow) int {
		return cmp.Or(cmp.Compare(b.Status.Failing(), a.Status.Failing()), cmp.Compare(a.Source.File, b.Source.File), cmp.Compare(a.Source.Line, b.Source.Line))
	})
	if err := s.failing(c.Request.Context(), &p); err != nil {
		return nil, err
	}
	days, err := s.lastDays(c, then)
	if err != nil {
		return nil, err
	}
	p.Trend = daysTrend(days, row.Status, p.Now, func(d views.Day) views.Tally { return d.Policies[name] }, row.Link)
	return s.show("policy", p)
}

// failing adds the first hosts that do not pass, the worst first.
func (s *site) failing(ctx context.Context, p *policyPage) error {
	f := views.StandingFilter{Policy: p.Row.Name, Limit: listedShown}
	for _, status := range []policies.Status{policies.Failed, policies.Noncompliant, policies.Unexpected} {
		if f.Status, f.Limit = status, listedShown-len(p.Findings); f.Limit > 0 && p.Row.Status[status] > 0 {
			hosts, err := s.stands(ctx, f, p.Past)
			if err != nil {
				return err
			}
			p.Findings = append(p.Findings, hosts...)
		}
	}
	return nil
}

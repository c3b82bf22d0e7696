package web

import (
	"cmp"
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
	Compliance views.Compliance
	Policies   []policyRow
}

// policyRow is one policy in the list.
type policyRow struct {
	views.PolicyStanding
	Bar   []piece
	Share string
	// Link is its page, All the hosts that it applies to, Failing those that do not pass.
	Link, All, Failing string
	// Worst is the resource that fails on the most hosts; without a host, none does.
	Worst worst
}

func (s *site) policies(c *api.Call) (any, error) {
	all, err := s.compliance(c)
	if err != nil {
		return nil, err
	}
	return s.show("policies", policiesPage{frame: s.frame(c, "Policies", "/policies"), Compliance: all, Policies: policyRows(all.Policies)})
}

// policyRows are the policies, those with the most hosts that fail first.
func policyRows(list []views.PolicyStanding) []policyRow {
	rows := make([]policyRow, 0, len(list))
	for _, p := range list {
		rows = append(rows, newPolicyRow(p))
	}
	slices.SortStableFunc(rows, func(a, b policyRow) int {
		return cmp.Or(cmp.Compare(b.Status.Failing(), a.Status.Failing()), cmp.Compare(b.Status.Unknown(), a.Status.Unknown()))
	})
	return rows
}

func newPolicyRow(p views.PolicyStanding) policyRow {
	row := policyRow{PolicyStanding: p, Bar: standingBar("policy", p.Name, p.Status), Share: shareOf(p.Status),
		Link: "/policies/" + url.PathEscape(p.Name), All: standingLink("policy", p.Name, "")}
	for _, r := range p.Resources {
		if n := r.Status.Failing(); n > row.Worst.Hosts {
			row.Worst = worst{r.Address, n}
		}
	}
	return row
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
	Row       policyRow
	Resources []resourceRow
	// Wrong counts the resources that do not pass everywhere.
	Wrong int
	// Findings are the first of those on hosts that do not pass.
	Findings   []views.HostStanding
	Unanswered int
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
	all, err := s.compliance(c)
	if err != nil {
		return nil, err
	}
	name := c.Param("name")
	i := slices.IndexFunc(all.Policies, func(p views.PolicyStanding) bool { return p.Name == name })
	if i < 0 {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("no host has a policy %q", name), Hint: "the page of policies lists those that hosts have"}
	}
	p := policyPage{frame: s.frame(c, name, "/policies"), Row: newPolicyRow(all.Policies[i]), Unanswered: all.Unanswered}
	for _, r := range p.Row.PolicyStanding.Resources {
		p.Resources = append(p.Resources, resourceRow{r, standingBar("address", r.Address, r.Status), shareOf(r.Status), standingLink("address", r.Address, "")})
		if r.Status.Failing() > 0 {
			p.Wrong++
		}
	}
	slices.SortStableFunc(p.Resources, func(a, b resourceRow) int {
		return cmp.Or(cmp.Compare(b.Status.Failing(), a.Status.Failing()), cmp.Compare(a.Source.File, b.Source.File), cmp.Compare(a.Source.Line, b.Source.Line))
	})
	f := views.StandingFilter{Policy: name, Limit: listedShown}
	for _, status := range []policies.Status{policies.Failed, policies.Noncompliant, policies.Unexpected} {
		if f.Status, f.Limit = status, listedShown-len(p.Findings); f.Limit > 0 && p.Row.Status[status] > 0 {
			hosts, err := s.Read().HostStandings(c.Request.Context(), f)
			if err != nil {
				return nil, err
			}
			p.Findings = append(p.Findings, hosts...)
		}
	}
	return s.show("policy", p)
}

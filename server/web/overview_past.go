package web

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/views"
)

// overviewThen answers whether we were fine.
func (s *site) overviewThen(c *api.Call, then past, period string) (any, error) {
	ctx, read := c.Request.Context(), s.Read()
	fleet, err := read.FleetAt(ctx, then.At)
	if err != nil {
		return nil, err
	}
	then.Unknown = "rollouts under way, hosts whose catalog was not this server's, fights"
	p := overviewPage{frame: then.moved(s.frame(c, "Overview", "/")), Past: then, Fleet: fleet, Verdict: verdictThen(fleet), Bar: bar(fleet.Status)}
	for i := range p.Bar {
		p.Bar[i].Link = then.To(p.Bar[i].Link)
	}
	p.worst(sortWorst(fleet.Findings))
	if p.Changes, err = s.changesThen(ctx, fleet.Policy.Release); err != nil || fleet.Hosts == 0 {
		return s.shown("overview", p, err)
	}
	trend, err := read.TrendAt(ctx, period, then.At)
	if err != nil {
		return nil, err
	}
	p.Trend, p.Periods = newTrend(trend, "/?period="+period), periodChoices(period, then)
	all, _, err := s.complianceOf(c, then)
	p.standings(all)
	return s.shown("overview", p, err)
}

// changesThen are the newest releases of the past. How far they had come nobody counts.
func (s *site) changesThen(ctx context.Context, newest uint64) ([]views.Change, error) {
	if newest == 0 {
		return nil, nil
	}
	releases, err := s.Read().Releases(ctx, changesShown, newest+1)
	var list []views.Change
	for _, one := range releases {
		list = append(list, views.Change{Release: one})
	}
	return list, err
}

// shown is show for a page that may have failed on its last step.
func (s *site) shown(name string, page any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return s.show(name, page)
}

// FiguresThen is the page with the figures of the 30 days before.
func (p overviewPage) FiguresThen() string {
	at := p.Past.At
	return "/kpis?" + url.Values{"from": {at.AddDate(0, 0, -30).Format(time.RFC3339)}, "to": {at.Format(time.RFC3339)}, "as_of": {at.Format(time.RFC3339)}}.Encode()
}

// standings adds how hosts stand with policies and controls.
func (p *overviewPage) standings(all views.Compliance) {
	rows := slices.DeleteFunc(policyRows(all), func(r policyRow) bool { return r.Status.Hosts() == 0 })
	p.Policies, p.Frameworks = rows[:min(len(rows), policiesShown)], frameworks(all.Frameworks)
	p.MorePolicies = len(rows) - len(p.Policies)
	for i := range p.Policies {
		p.Policies[i].then(p.Past)
	}
	for _, f := range p.Frameworks {
		f.then(p.Past)
	}
}

// worst puts the resources that are wrong on the most hosts among the reasons.
func (p *overviewPage) worst(all []worst) {
	p.Worst = all[:min(len(all), max(1, reasonsShown-p.alarms()))]
	p.More = len(all) - len(p.Worst)
}

// verdictThen says whether we were fine.
func verdictThen(f views.Fleet) string {
	switch need := needing(f.Status, f.Hosts); {
	case f.Hosts == 0:
		return "There were no hosts yet."
	case need > 0:
		return fmt.Sprintf("%s of %s needed a look.", views.Number(need), hosts(f.Hosts))
	case f.Problems > 0:
		return hosts(f.Problems) + " refused or could not use the newest release."
	case f.Hosts == 1:
		return "The one host was as policy wanted it."
	}
	return "All " + hosts(f.Hosts) + " were as policy wanted them."
}

// needing counts the hosts that are not fine.
func needing(status map[policies.Status]int, hosts int) int {
	for one, n := range status {
		if views.Fine(one) {
			hosts -= n
		}
	}
	return hosts
}

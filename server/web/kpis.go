package web

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"plumb/server/api"
	"plumb/server/views"
)

// kpisPage has the figures of a period.
type kpisPage struct {
	frame
	Query url.Values
	KPIs  views.KPIs
	// Groups of figures.
	Groups []figureGroup
	// Quick are periods to choose at once.
	Quick []choice
	// Changes and Drift are charts of the period.
	Changes, Drift chart
	List           []recordRow
	// Command is the same on the command line.
	Command string
}

// figureGroup is some figures under one heading.
type figureGroup struct {
	Title   string
	Figures []figure
}

// figure is one figure, what it was taken from, and where its rows are.
type figure struct {
	Name, Value, Of, Link string
	// Bad is true for what needs a look.
	Bad bool
}

// recordRow is a change that was counted.
type recordRow struct {
	ID, Link, Outcome, Why      string
	Made, Closed                time.Time
	Targeted, Converged, Failed int
}

// kpiPeriods are those that one may choose at once, by days.
var kpiPeriods = []struct {
	words string
	days  int
}{{"7 days", 7}, {"30 days", 30}, {"90 days", 90}, {"a year", 365}}

func (s *site) kpis(c *api.Call) (any, error) {
	f, err := api.KPIFilter(c)
	if err != nil {
		return nil, err
	}
	f.Step = sliceOf(f.To.Sub(f.From))
	p := kpisPage{frame: s.frame(c, "Figures", "/kpis"), Query: query(c, "from", "to", "as_of", "group", "policy", "host")}
	p.KPIs, _, err = s.figures.named(p.Query.Encode()).of(c.Request.Context(), c.Now, func(ctx context.Context) (views.KPIs, error) { return s.Read().KPIs(ctx, f) })
	if err != nil {
		return nil, unknownHost(err, f.Host)
	}
	p.fill(f)
	return s.show("kpis", p)
}

// sliceOf is how long the columns of a chart are.
func sliceOf(period time.Duration) time.Duration {
	const day = 24 * time.Hour
	switch {
	case period <= 31*day:
		return day
	case period <= 200*day:
		return 7 * day
	}
	return 30 * day
}

func (p *kpisPage) fill(f views.KPIFilter) {
	k := p.KPIs
	rows := eventRows{from: k.From, to: k.To, policy: f.Policy}
	p.Groups = []figureGroup{{"Changes", changeFigures(k)}, {"Drift", driftFigures(k, rows)}, {"Incidents", incidentFigures(k, rows)}, {"Patch SLA", slaFigures(k)}}
	for _, one := range kpiPeriods {
		q := url.Values{}
		for name, values := range p.Query {
			q[name] = values
		}
		q.Del("to")
		q.Set("from", k.AsOf.AddDate(0, 0, -one.days).Format(time.DateOnly))
		p.Quick = append(p.Quick, choice{Words: one.words, Link: "/kpis?" + q.Encode(), Chosen: q.Get("from") == k.From.Format(time.DateOnly) && k.To.Equal(k.AsOf)})
	}
	p.Changes, p.Drift = changeChart(k), driftChart(k)
	for i := len(k.List) - 1; i >= 0; i-- {
		r := k.List[i]
		p.List = append(p.List, recordRow{ID: r.ID, Link: "/changes/" + r.ID, Outcome: r.Outcome, Why: r.Why,
			Made: r.Made, Closed: r.Closed, Targeted: r.Targeted, Converged: r.Converged, Failed: r.Failed})
	}
	p.Command = "plumb kpi"
	for _, name := range []string{"from", "to", "as_of", "host", "group", "policy"} {
		if value := p.Query.Get(name); value != "" {
			p.Command += fmt.Sprintf(" --%s %q", flagOf(name), value)
		}
	}
}

func flagOf(name string) string {
	if name == "as_of" {
		return "as-of"
	}
	return name
}

// verdictSign is a word that sums something up, with the sign of the status that is as good.
type verdictSign struct{ Mark, Words string }

// verdictOf knows the words of changes, controls and deliveries.
func verdictOf(word string) verdictSign {
	marks := map[string]string{
		"succeeded": "compliant", "failed": "error", "open": "rolling", "void": "not_applicable",
		"pass": "compliant", "fail": "noncompliant", "waived": "waived", "waiting": "pending",
		"delivered": "compliant", "pending": "pending", "skipped": "not_applicable",
	}
	return verdictSign{cmp.Or(marks[word], "unknown"), word}
}

const noData = "no data"

func changeFigures(k views.KPIs) []figure {
	c := k.Changes
	return []figure{
		{Name: "Change success rate", Value: rateWords(c.Success.Share), Of: fmt.Sprintf("%d succeeded, %d failed; %d open, %d void", c.Succeeded, c.Failed, c.Open, c.Void), Link: "#list", Bad: c.Failed > 0},
		{Name: "Converged at once", Value: rateWords(k.Executions.Success.Share), Of: fmt.Sprintf("%s of %s executions: a change on a host", views.Number(k.Executions.Success.Count), views.Number(k.Executions.Success.Of)), Link: "#list"},
		{Name: "Lead time to the last ring", Value: secondsWords(k.LeadTime.Mean), Of: spreadOf(k.LeadTime.N, k.LeadTime.Median, k.LeadTime.P90), Link: "#list"},
		{Name: "Lead time to 95 % of hosts", Value: secondsWords(k.LeadTime95.Mean), Of: spreadOf(k.LeadTime95.N, k.LeadTime95.Median, k.LeadTime95.P90), Link: "#list"},
		{Name: "Deployments per week", Value: perWeek(k.Frequency.PerWeek), Of: fmt.Sprintf("%d in all", k.Frequency.Count), Link: "#list"},
		{Name: "Time to restore", Value: secondsWords(k.Restore.Mean), Of: fmt.Sprintf("%s; %d open", spreadOf(k.Restore.N, k.Restore.Median, k.Restore.P90), k.Restore.Open), Link: "#list", Bad: k.Restore.Open > 0},
	}
}

func driftFigures(k views.KPIs, rows eventRows) []figure {
	d := k.Drift
	list := []figure{
		{Name: "Time to detect (MTTD), at most", Value: secondsWords(d.Detect.Mean), Of: spreadOf(d.Detect.N, d.Detect.Median, d.Detect.P90), Link: rows.link("drift")},
		{Name: "Time to repair (MTTR)", Value: secondsWords(d.Repair.Mean), Of: fmt.Sprintf("%s; %s at once", spreadOf(d.Repair.N, d.Repair.Median, d.Repair.P90), views.Number(d.AtOnce)), Link: rows.link("drift")},
		{Name: "Time between (MTBF)", Value: secondsWords(d.Between), Of: secondsWords(&d.InOrder) + " in order, resources added up", Link: rows.link("drift")},
		{Name: "Episodes", Value: views.Number(d.Episodes), Of: fmt.Sprintf("%s mended, %s open, %s dropped", views.Number(d.Mended), views.Number(d.Open), views.Number(d.Dropped)), Link: rows.link("drift")},
	}
	return list
}

func incidentFigures(k views.KPIs, rows eventRows) []figure {
	i := k.Incidents
	return []figure{
		{Name: "All", Value: views.Number(i.Total), Of: "what somebody ought to have looked at"},
		{Name: "Halts of rings", Value: views.Number(i.Halts), Of: "of releases and patch cycles", Link: "#list"},
		{Name: "Drift not mended at once", Value: views.Number(i.Drift), Of: "of " + views.Count(k.Drift.Episodes, "episode"), Link: rows.link("drift")},
		{Name: "Hosts that fell silent", Value: views.Number(i.Silent), Of: "each time", Link: rows.link("silent")},
		{Name: "Releases refused", Value: views.Number(i.Refused), Of: "before they had converged there", Link: rows.link("refused")},
		{Name: "Other catalogs", Value: views.Number(i.Mismatches), Of: "than this server compiled", Link: rows.link("mismatch")},
	}
}

func slaFigures(k views.KPIs) []figure {
	var list []figure
	for _, sla := range k.SLAs {
		one := figure{Name: sla.Name + ", in time", Value: noData, Of: fmt.Sprintf("%s late, %s last, %s ended in %d days", views.Number(sla.Overdue), views.Number(sla.Lasting), views.Number(sla.Ended), views.ExposureDays), Link: "/patches#slas", Bad: sla.Overdue > 0}
		if sla.InTime != nil {
			one.Value = fmt.Sprintf("%.1f %%", *sla.InTime)
		}
		list = append(list, one)
	}
	return list
}

// eventRows are the addresses of the events behind figures.
type eventRows struct {
	from, to time.Time
	policy   string
}

func (r eventRows) link(what string) string {
	q := url.Values{"what": {what}, "from": {r.from.Format(time.RFC3339)}, "to": {r.to.Format(time.RFC3339)}}
	if r.policy != "" && what == "drift" {
		q.Set("policy", r.policy)
	}
	return "/events?" + q.Encode()
}

func rateWords(share *float64) string {
	if share == nil {
		return noData
	}
	return fmt.Sprintf("%.1f %%", 100**share)
}

func perWeek(n *float64) string {
	if n == nil {
		return noData
	}
	return strconv.FormatFloat(*n, 'f', 1, 64)
}

func spreadOf(n int, median, p90 *float64) string {
	if n == 0 {
		return "nothing to take it from"
	}
	return fmt.Sprintf("of %s; median %s, 90 %% within %s", views.Number(n), secondsWords(median), secondsWords(p90))
}

// secondsWords is a length of time, which may be longer than a time.Duration can be.
func secondsWords(s *float64) string {
	const minute, hour, day = 60, 60 * 60, 24 * 60 * 60
	if s == nil {
		return noData
	}
	switch n := *s; {
	case n < 2*minute:
		return fmt.Sprintf("%.0f s", n)
	case n < 2*hour:
		return fmt.Sprintf("%.0f min", n/minute)
	case n < 2*day:
		return fmt.Sprintf("%.1f h", n/hour)
	case n < 10_000*day:
		return fmt.Sprintf("%.1f days", n/day)
	default:
		return fmt.Sprintf("%.0f years", n/day/365.25)
	}
}

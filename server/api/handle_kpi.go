package api

import (
	"fmt"
	"time"

	"plumb/server/kpi"
	"plumb/server/views"
)

// kpiPeriod is what the figures are about when nobody says from when on.
const kpiPeriod = 30 * 24 * time.Hour

// kpis answers with the figures of a period: from, to and as_of are times, host, group and policy narrow it.
func (a *API) kpis(c *Call) (any, error) {
	f, err := KPIFilter(c)
	if err != nil {
		return nil, err
	}
	figures, err := a.Views().KPIs(c.Request.Context(), f)
	if err != nil && c.Query("host") != "" {
		return nil, unknownHost(err, c.Query("host"))
	}
	return figures, err
}

// KPIFilter reads what figures are about.
func KPIFilter(c *Call) (views.KPIFilter, error) {
	q, err := c.period()
	q.Policy = c.Query("policy")
	return views.KPIFilter{Query: q, Host: c.Query("host"), Group: c.Query("group")}, err
}

// period reads the times. Nothing is known of what is still to come, so that both ends are now at
// the latest.
func (c *Call) period() (kpi.Query, error) {
	asOf, err := c.time("as_of", c.Now)
	if err != nil {
		return kpi.Query{}, err
	}
	if asOf.After(c.Now) {
		asOf = c.Now
	}
	to, err := c.time("to", asOf)
	if err != nil {
		return kpi.Query{}, err
	}
	from, err := c.time("from", to.Add(-kpiPeriod))
	if err != nil {
		return kpi.Query{}, err
	}
	if !from.Before(to) {
		return kpi.Query{}, badRequest(fmt.Sprintf("the period ends at %s, before it begins", to.UTC().Format(time.RFC3339)), "give a from that is earlier than to")
	}
	return kpi.Query{From: from.UTC(), To: to.UTC(), AsOf: asOf.UTC()}, nil
}

// time reads a time, or a date, which is its midnight in UTC.
func (c *Call) time(name string, otherwise time.Time) (time.Time, error) {
	text := c.Query(name)
	if text == "" {
		return otherwise, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, badRequest(fmt.Sprintf("%s=%q is no time", name, text), "write 2026-11-21 or 2026-11-21T18:00:00Z")
}

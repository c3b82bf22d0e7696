package web

import (
	"fmt"
	"time"

	"plumb/policies"
	"plumb/server/views"
)

// newTrend draws the share of hosts by how they stood. Most fleets are fine for the most part, so
// the scale ends where there is nothing more to see; what lies above is as wanted. Each point but the last, which
// the page itself is about, leads to the page as of then.
func newTrend(t views.Trend, address string) chart {
	c := chart{Title: "Share of hosts by status, the last " + periodWords[t.Period], Heads: []string{"Hosts", "As wanted", "Waiting", "Silent or unknown", "Out of order"}}
	at, list := trendSeries(t.Points)
	most := 0.0
	for i, p := range t.Points {
		counts := parts(p.Status)
		most = max(most, list[0].Values[i]+list[1].Values[i]+list[2].Values[i])
		c.Rows = append(c.Rows, chartRow{When: p.At.Format("2006-01-02 15:04"), Cells: []string{views.Number(p.Hosts()), views.Number(counts[3]), views.Number(counts[2]), views.Number(counts[1]), views.Number(counts[0])}})
	}
	c.lead(at, address)
	scale := shareRoof(most)
	c.Bands, c.Key, c.Grid = areas(at, list, scale), key(list), grid(scale, percent)
	c.Slots = slots(at, func(i int) string { return pointWords(t.Points[i]) })
	for i := range c.Slots {
		c.Slots[i].Link = c.Rows[i].Link
	}
	if n := len(at); n > 0 {
		c.Ticks = ticks(at[0], at[n-1], 7)
		c.Words = fmt.Sprintf("From %s to %s. At most %.1f %% of hosts were not as wanted; at the end: %s.", at[0].Format("2 January 15:04"), at[n-1].Format("2 January 15:04"), most, pointWords(t.Points[n-1]))
	}
	return c
}

// trendSeries are the shares of hosts in per cent, what is worst at the bottom. Without hosts there are none.
func trendSeries(points []views.TrendPoint) (at []time.Time, list []series) {
	list = []series{{Mark: "error", Words: "out of order"}, {Mark: "stale", Words: "silent or unknown"}, {Mark: "pending", Words: "waiting"}, {Mark: "compliant", Words: "as wanted"}}
	for _, p := range points {
		at = append(at, p.At)
		for k, count := range parts(p.Status) {
			list[k].Values = append(list[k].Values, 100*float64(count)/float64(max(1, p.Hosts())))
		}
	}
	return at, list
}

// lead has the rows of the table lead to a page as of then.
func (c *chart) lead(at []time.Time, address string) {
	for i := range len(at) - 1 {
		c.Rows[i].Link = past{At: at[i]}.To(address)
	}
}

var periodWords = map[string]string{"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}

// parts counts hosts as the trend draws them: out of order, unknown, waiting, as wanted.
func parts(t views.Tally) [4]int {
	fine := t.Passing() + t[policies.NotApplicable]
	return [4]int{t.Failing(), t.Hosts() - fine - t.Failing() - t.Waiting(), t.Waiting(), fine}
}

// shareRoof is the top of a scale of shares that are mostly small.
func shareRoof(most float64) float64 {
	for _, roof := range []float64{2, 5, 10, 20, 50} {
		if most <= roof*0.9 {
			return roof
		}
	}
	return 100
}

func pointWords(p views.TrendPoint) string {
	counts := parts(p.Status)
	return fmt.Sprintf("%s UTC: %s of %s as wanted, %s waiting, %s silent or unknown, %s out of order", p.At.Format("2 January 15:04"),
		views.Number(counts[3]), hosts(p.Hosts()), views.Number(counts[2]), views.Number(counts[1]), views.Number(counts[0]))
}

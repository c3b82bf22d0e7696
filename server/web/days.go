package web

import (
	"context"
	"fmt"
	"time"

	"plumb/server/api"
	"plumb/server/views"
)

const (
	// daysDrawn is how many days the trend of a policy or a control goes back.
	daysDrawn = 30
	// daysPatience is how long a page waits for them at the most: with 10,000 hosts they take a fifth of it.
	daysPatience = time.Second
)

// lastDays are how hosts stood when the last days began, counted lately. The first who looks at a very large fleet sees none.
func (s *site) lastDays(c *api.Call, then past) ([]views.Day, error) {
	read, now := s.Read(), instant(c, then)
	find := func(ctx context.Context) ([]views.Day, error) { return read.Days(ctx, daysDrawn, now) }
	if !then.Is() {
		list, _ := s.lately.soon(c.Request.Context(), now, find)
		return list, nil
	}
	list, _, err := s.days.named(now.Format(time.DateOnly)).of(c.Request.Context(), c.Now, find)
	return list, err
}

// daysTrend draws how hosts stood, from the first day on that any did, until now. Before the second there is nothing to see.
func daysTrend(list []views.Day, now views.Tally, at time.Time, of func(views.Day) views.Tally, address string) chart {
	points := dayPoints(list, now, at, of)
	if len(points) < 2 {
		return chart{}
	}
	return newTrend(views.Trend{Period: "30d", Points: points}, address)
}

func dayPoints(list []views.Day, now views.Tally, at time.Time, of func(views.Day) views.Tally) []views.TrendPoint {
	var points []views.TrendPoint
	for _, day := range list {
		if tally := of(day); len(points) > 0 || tally.Hosts() > 0 && day.At.Before(at) {
			points = append(points, views.TrendPoint{At: day.At, Status: tally})
		}
	}
	if n := len(points); n > 0 && !points[n-1].At.Before(at) {
		points = points[:n-1]
	}
	return append(points, views.TrendPoint{At: at, Status: now})
}

// spark is a trend in a row of a table, and in words.
type spark struct {
	Bands []band
	Words string
}

// sparks draws trends to one scale, which ends where there is nothing more to see in any of them.
func sparks(trends [][]views.TrendPoint) []spark {
	most, drawn := 0.0, make([]spark, len(trends))
	for _, points := range trends {
		for _, p := range points {
			most = max(most, 100-fineShare(p))
		}
	}
	for i, points := range trends {
		if len(points) < 2 {
			continue
		}
		at, lists := trendSeries(points)
		drawn[i].Bands = areas(at, lists, shareRoof(most))
		least := points[0]
		for _, p := range points {
			if p.Hosts() > 0 && fineShare(p) < fineShare(least) {
				least = p
			}
		}
		drawn[i].Words = fmt.Sprintf("%.1f %% as wanted on %s, %.1f %% now, %.1f %% at least", fineShare(points[0]), points[0].At.Format("2 January"), fineShare(points[len(points)-1]), fineShare(least))
	}
	return drawn
}

// fineShare is how many per cent of hosts were as wanted; where there were none, nothing was out of order.
func fineShare(p views.TrendPoint) float64 {
	if p.Hosts() == 0 {
		return 100
	}
	return 100 * float64(p.Fine()) / float64(p.Hosts())
}

// wantsSpark is a row of a table whose trend is drawn.
type wantsSpark struct {
	now  views.Tally
	then func(views.Day) views.Tally
	to   *spark
}

// spark draws the trends of the rows of a table.
func (s *site) spark(c *api.Call, then past, rows []wantsSpark) error {
	list, err := s.lastDays(c, then)
	if err != nil {
		return err
	}
	trends := make([][]views.TrendPoint, len(rows))
	for i, row := range rows {
		trends[i] = dayPoints(list, row.now, instant(c, then), row.then)
	}
	for i, one := range sparks(trends) {
		*rows[i].to = one
	}
	return nil
}

func policySparks(all []policyRow) (rows []wantsSpark) {
	for i := range all {
		row := &all[i]
		rows = append(rows, wantsSpark{row.Status, func(d views.Day) views.Tally { return d.Policies[row.Name] }, &row.Spark})
	}
	return rows
}

func controlSparks(all []framework) (rows []wantsSpark) {
	for _, f := range all {
		for i := range f.Controls {
			row := &f.Controls[i]
			rows = append(rows, wantsSpark{row.Status, func(d views.Day) views.Tally { return d.Controls[row.Control] }, &row.Spark})
		}
	}
	return rows
}

// instant is the one that a page is about.
func instant(c *api.Call, then past) time.Time {
	if then.Is() {
		return then.At
	}
	return c.Now
}

package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// overviewPage answers: are we fine?
type overviewPage struct {
	frame
	Past  past
	Fleet views.Fleet
	// Verdict is the answer in one sentence.
	Verdict string
	// Bar is how the hosts stand.
	Bar []segment
	// Worst are the resources that are wrong on the most hosts, More counts those left out.
	Worst []worst
	More  int
	// Changes are the newest, the newest first.
	Changes []views.Change
	// Stuck are rollouts that wait for a person, Moving those that are under way.
	Stuck, Moving []board
	// Trend is how the fleet stood, Periods how far back one may look.
	Trend   chart
	Periods []choice
	// Policies and Frameworks are how the fleet stands with them, MorePolicies counts those left out.
	Policies     []policyRow
	MorePolicies int
	Frameworks   []framework
	// Tiles are figures of the last 30 days.
	Tiles []figure
}

// Fine tells whether nothing needs a person.
func (p overviewPage) Fine() bool { return p.Fleet.Fine() && len(p.Stuck) == 0 }

// Silent counts the hosts that no longer call.
func (p overviewPage) Silent() int { return p.Fleet.Status[policies.Stale] }

// alarms counts the reasons that are told before resources.
func (p overviewPage) alarms() int {
	n := len(p.Stuck)
	for _, count := range []int{p.Fleet.Mismatch, p.Fleet.Problems, len(p.Fleet.Policy.Problem), p.Silent()} {
		if count > 0 {
			n++
		}
	}
	return n
}

const (
	worstShown    = 10
	reasonsShown  = 5
	changesShown  = 4
	policiesShown = 8
)

// summary is what the overview counts anew for each who looks after a while.
type summary struct {
	fleet   views.Fleet
	changes []views.Change
}

func (s *site) overview(c *api.Call) (any, error) {
	ctx, read := c.Request.Context(), s.Read()
	period, err := api.TrendPeriod(c)
	if err != nil {
		return nil, err
	}
	then, err := instantOf(c, "/", query(c, "period"))
	if err != nil {
		return nil, err
	}
	if then.Is() {
		return s.overviewThen(c, then, period)
	}
	p := overviewPage{frame: s.frame(c, "Overview", "/"), Past: then}
	now, _, err := s.summary.of(ctx, c.Now, func(ctx context.Context) (sum summary, err error) {
		if sum.fleet, err = read.Fleet(ctx, c.Now); err == nil {
			sum.changes, err = read.Changes(ctx, changesShown)
		}
		return sum, err
	})
	if err != nil {
		return nil, err
	}
	p.Fleet, p.Changes = now.fleet, now.changes
	if err = s.underWay(c, &p); err != nil {
		return nil, err
	}
	p.Verdict, p.Bar = verdict(p.Fleet, p.Stuck), bar(p.Fleet.Status)
	p.worst(sortWorst(p.Fleet.Findings))
	if p.Fleet.Hosts > 0 {
		err = s.standTo(c, &p, period)
	}
	if err != nil {
		return nil, err
	}
	return s.show("overview", p)
}

// standTo adds how the fleet stands with its policies, stood before, and fared.
func (s *site) standTo(c *api.Call, p *overviewPage, period string) error {
	read, now := s.Read(), c.Now
	trend, _, err := s.trends.named(period).of(c.Request.Context(), now, func(ctx context.Context) (views.Trend, error) { return read.Trend(ctx, period, now) })
	if err != nil {
		return err
	}
	p.Trend, p.Periods = newTrend(trend, "/?period="+period), periodChoices(period, p.Past)
	all, err := s.compliance(c)
	if err != nil {
		return err
	}
	p.standings(all)
	alerts, err := read.Alerts(c.Request.Context(), store.EpisodeFilter{Open: true})
	if err != nil {
		return err
	}
	p.Tiles = append(p.Tiles, figure{Name: "Open alerts", Value: views.Number(len(alerts)), Of: alertWords(alerts), Link: "/alerts", Bad: len(alerts) > 0})
	f := views.KPIFilter{}
	f.To, f.AsOf, f.From = now.UTC(), now.UTC(), now.UTC().AddDate(0, 0, -30)
	figures, known := s.month.soon(c.Request.Context(), now, func(ctx context.Context) (views.KPIs, error) { return read.KPIs(ctx, f) })
	p.Tiles = append(p.Tiles, monthTiles(figures, known)...)
	return nil
}

// alertWords say how bad open alerts are.
func alertWords(list []views.Alert) string {
	severe := 0
	for _, a := range list {
		if a.Severity == "critical" || a.Severity == "high" {
			severe++
		}
	}
	switch {
	case len(list) == 0:
		return "nothing needs anybody"
	case severe == 0:
		return "none critical or high"
	}
	return views.Number(severe) + " critical or high"
}

// monthTiles are the figures that people ask for first. While they are being worked out they say so.
func monthTiles(k views.KPIs, known bool) []figure {
	const soon = "being counted"
	tiles := []figure{
		{Name: "Change success", Value: rateWords(k.Changes.Success.Share), Of: fmt.Sprintf("of %s in 30 days", views.Count(k.Changes.Success.Of, "change")), Link: "/kpis#figures-0"},
		{Name: "Drift found within", Value: secondsWords(k.Drift.Detect.Mean), Of: "MTTD, at most, in 30 days", Link: "/kpis#figures-1"},
		{Name: "Drift mended within", Value: secondsWords(k.Drift.Repair.Mean), Of: "MTTR, in 30 days", Link: "/kpis#figures-1"},
	}
	late, slas := 0, len(k.SLAs)
	for _, one := range k.SLAs {
		late += one.Overdue
	}
	if slas > 0 || !known {
		tiles = append(tiles, figure{Name: "Updates late", Value: views.Number(late), Of: "hosts and advisories past a patch SLA", Link: "/patches#slas", Bad: late > 0})
	}
	for i := range tiles {
		if !known {
			tiles[i].Value, tiles[i].Bad = soon, false
		}
	}
	return tiles
}

func periodChoices(chosen string, then past) []choice {
	var list []choice
	for _, period := range views.Periods() {
		address := then.To("/?period=" + period + "#trend")
		list = append(list, choice{Words: period, Link: address, Chosen: period == chosen})
	}
	return list
}

// underWay adds the rollouts that wait for a person, and those that go on by themselves.
func (s *site) underWay(c *api.Call, p *overviewPage) error {
	boards, err := s.Read().Boards(c.Request.Context(), s.Rollouts, c.Now)
	if err != nil {
		return err
	}
	for _, b := range boards {
		own := newBoard(b)
		if own.Stuck() {
			p.Stuck = append(p.Stuck, own)
		} else if b.Moving {
			p.Moving = append(p.Moving, own)
		}
	}
	return nil
}

// verdict says whether we are fine, and if not, the first thing that a person should know.
func verdict(f views.Fleet, stuck []board) string {
	switch need := needing(f.Status, f.Hosts); {
	case f.Hosts == 0:
		return "There are no hosts yet."
	case need > 0:
		return fmt.Sprintf("%s of %s %s a look.", views.Number(need), hosts(f.Hosts), needs(need))
	case f.Mismatch > 0:
		return hosts(f.Mismatch) + " compiled another catalog than this server."
	case f.Problems > 0:
		return hosts(f.Problems) + " refused or could not use the newest release."
	case len(stuck) > 0:
		return sentence(stuck[0].Newest.Title) + " is " + spaced(stuck[0].Newest.Phase) + "."
	case f.Halted():
		return "Release " + strconv.FormatUint(f.Rollout.Release, 10) + " is halted."
	case f.Policy.Problem != "":
		return "The hosts are as policy wants them, but the policy repository has a problem."
	case f.Hosts == 1:
		return "The one host is as policy wants it."
	}
	return "All " + hosts(f.Hosts) + " are as policy wants them."
}

func needs(n int) string {
	if n == 1 {
		return "needs"
	}
	return "need"
}

// worst is a resource and on how many hosts it does not pass.
type worst struct {
	Address string
	Hosts   int
}

func sortWorst(findings map[string]int) []worst {
	list := make([]worst, 0, len(findings))
	for _, address := range slices.Sorted(maps.Keys(findings)) {
		list = append(list, worst{address, findings[address]})
	}
	slices.SortStableFunc(list, func(a, b worst) int { return cmp.Compare(b.Hosts, a.Hosts) })
	return list
}

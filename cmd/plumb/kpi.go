package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/kpi"
	"plumb/server/views"
)

func kpiCommand(t *terminal) *cobra.Command {
	names := []string{"from", "to", "as-of", "host", "group", "policy"}
	values := make([]string, len(names))
	cmd := &cobra.Command{
		Use:   "kpi",
		Short: "How changes, drift and repairs went: figures derived from what was recorded",
		Long: `Shows figures of a period, by default the last 30 days. They are derived from events, intervals
and rollouts alone, as they were known at --as-of; docs/kpis.md defines each of them.
Times are dates (2026-11-21, midnight in UTC) or RFC 3339 (2026-11-21T18:00:00Z).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			for i, name := range names {
				if name == "as-of" {
					name = "as_of"
				}
				setIf(query, name, values[i])
			}
			_, err := get(cmd.Context(), t, "/v1/kpis?"+query.Encode(), t.printKPIs)
			return err
		},
	}
	for i, usage := range []string{"begin of the period (default 30 days before its end)", "end of the period (default --as-of)",
		"with the knowledge of this instant (default now)", "only this host", "only hosts of this group, as its members are now",
		"only drift of this policy"} {
		cmd.Flags().StringVar(&values[i], names[i], "", usage)
	}
	return cmd
}

func (t *terminal) printKPIs(f views.KPIs) {
	const layout = "2006-01-02 15:04:05"
	t.say("from %s to %s UTC, as of %s, %s", f.From.Format(layout), f.To.Format(layout), f.AsOf.Format(layout), hosts(f.Hosts))
	rows := [][]string{
		{"FIGURE", "VALUE", "OF"},
		{"change success rate", percent(f.Changes.Success), t.changeCounts(f.Changes)},
		{"change failure rate", percent(f.Changes.Failure), ""},
		{"executions that converged at once", percent(f.Executions.Success), fmt.Sprintf("%d of %d", f.Executions.Success.Count, f.Executions.Success.Of)},
		{"lead time to the last ring", took(f.LeadTime), spreadWords(f.LeadTime)},
		{"lead time to 95 % of hosts", took(f.LeadTime95), spreadWords(f.LeadTime95)},
		{"deployments per week", number(f.Frequency.PerWeek), fmt.Sprintf("%d in all", f.Frequency.Count)},
		{"time to restore", took(f.Restore.Spread), spreadWords(f.Restore.Spread) + fmt.Sprintf(", %d open, %d unknown", f.Restore.Open, f.Restore.Unknown)},
		{"time to detect drift (MTTD), at most", took(f.Drift.Detect), spreadWords(f.Drift.Detect)},
		{"time to repair drift (MTTR)", took(f.Drift.Repair), spreadWords(f.Drift.Repair) + fmt.Sprintf(", %d at once", f.Drift.AtOnce)},
		{"time between drift (MTBF)", seconds(f.Drift.Between), fmt.Sprintf("%s in order, %s", seconds(&f.Drift.InOrder), episodes(f.Drift))},
		{"incidents", fmt.Sprint(f.Incidents.Total), fmt.Sprintf("%d halts, %d drift not mended at once, %d silent, %d refused, %d other catalogs",
			f.Incidents.Halts, f.Incidents.Drift, f.Incidents.Silent, f.Incidents.Refused, f.Incidents.Mismatches)},
	}
	t.table(append(rows, slaFigures(f.SLAs)...))
	t.printKPIChanges(f.List)
}

// slaFigures has a row for each patch_sla.
func slaFigures(list []views.KPISLA) [][]string {
	var rows [][]string
	for _, sla := range list {
		share, of := noData, fmt.Sprintf("%d late, %d last, %d ended in %d days", sla.Overdue, sla.Lasting, sla.Ended, views.ExposureDays)
		if sla.InTime != nil {
			share = fmt.Sprintf("%.1f %%", *sla.InTime)
		}
		if sla.P50 != nil {
			of += fmt.Sprintf("; exposed for %g days (half of them) and %g days (nine of ten)", *sla.P50, *sla.P90)
		}
		rows = append(rows, []string{"patch SLA " + sla.Name + ", in time", share, of})
	}
	if len(rows) == 0 {
		rows = [][]string{{"patch SLA, in time", noData, "no patch_sla applies to these hosts"}}
	}
	return rows
}

func (t *terminal) changeCounts(c kpi.Changes) string {
	return fmt.Sprintf("%d succeeded, %d failed; beside: %d open (%d halted), %d void", c.Succeeded, c.Failed, c.Open, c.Halted, c.Void)
}

func episodes(d kpi.Drift) string {
	return fmt.Sprintf("%d episodes, %d open, %d dropped", d.Episodes, d.Open, d.Dropped)
}

func (t *terminal) printKPIChanges(list []kpi.Record) {
	if len(list) == 0 {
		return
	}
	t.say("")
	rows := [][]string{{"CHANGE", "MADE (UTC)", "OUTCOME", "CLOSED (UTC)", "HOSTS", "CONVERGED", "FAILED FIRST", "WHY"}}
	for _, r := range list {
		closed := "-"
		if !r.Closed.IsZero() {
			closed = r.Closed.Format("2006-01-02 15:04")
		}
		rows = append(rows, []string{r.ID, r.Made.Format("2006-01-02 15:04"), r.Outcome, closed, fmt.Sprint(r.Targeted),
			fmt.Sprint(r.Converged), fmt.Sprint(r.Failed), r.Why})
	}
	t.table(rows)
}

// noData stands where there is nothing to count.
const noData = "no data"

func percent(r kpi.Rate) string {
	if r.Share == nil {
		return noData
	}
	return fmt.Sprintf("%.1f %%", 100**r.Share)
}

func number(n *float64) string {
	if n == nil {
		return noData
	}
	return fmt.Sprintf("%.2f", *n)
}

func took(s kpi.Spread) string { return seconds(s.Mean) }

func spreadWords(s kpi.Spread) string {
	if s.N == 0 {
		return "0"
	}
	return fmt.Sprintf("%d; median %s, 90 %% within %s, longest %s", s.N, seconds(s.Median), seconds(s.P90), seconds(s.Max))
}

// seconds shows a length of time, which may be longer than a time.Duration can be.
func seconds(s *float64) string {
	const day = 24 * 60 * 60
	switch {
	case s == nil:
		return noData
	case *s >= 2*day:
		return fmt.Sprintf("%.1f days", *s/day)
	}
	d := time.Duration(*s * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

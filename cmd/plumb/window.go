package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/policies/calendar"
	"plumb/server/views"
)

func windowCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "window",
		Short: "When change may start, and when it may not",
		Long: `Windows and freezes are blocks of the policy, and hosts hold to them by themselves, with a
server or without. A window with the timezone "host" opens on each host's own clock; its
times are shown without a zone unless --host names one.`,
	}
	cmd.AddCommand(windowNext(t), windowCalendar(t))
	return cmd
}

func windowNext(t *terminal) *cobra.Command {
	var host string
	cmd := &cobra.Command{
		Use:   "next",
		Short: "Show for each window whether it is open, or when it opens next",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, windowsPath(host, 60), t.printNext)
			return err
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "the windows and freezes of this host, on its clock")
	return cmd
}

func windowCalendar(t *terminal) *cobra.Command {
	var host string
	var days int
	var ical bool
	cmd := &cobra.Command{
		Use:   "calendar",
		Short: "List all openings and freezes of the next weeks",
		Long: `Lists all openings and freezes of the next weeks. With --ical it prints them for a calendar
program; the server has the same at /v1/windows.ics for whoever may read it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			print := t.printCalendar
			if ical {
				print = func(c views.Calendar) { fmt.Fprintf(t.out, "%s", c.ICal(time.Now())) }
			}
			_, err := get(cmd.Context(), t, windowsPath(host, days), print)
			return err
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "the windows and freezes of this host, on its clock")
	cmd.Flags().IntVar(&days, "days", 60, fmt.Sprintf("how far ahead, %d at most", views.MaxDays))
	cmd.Flags().BoolVar(&ical, "ical", false, "print iCalendar (RFC 5545)")
	return cmd
}

func windowsPath(host string, days int) string {
	query := url.Values{"days": {fmt.Sprint(days)}}
	setIf(query, "host", host)
	return "/v1/windows?" + query.Encode()
}

func (t *terminal) printNext(c views.Calendar) {
	first, seen := c, map[string]bool{}
	first.Openings = nil
	for _, o := range c.Openings {
		if past := !o.Floating() && !o.Open && !time.Now().Before(o.Cutoff); !seen[o.Window] && !past {
			first.Openings = append(first.Openings, o)
			seen[o.Window] = true
		}
	}
	t.printCalendar(first)
}

func (t *terminal) printCalendar(c views.Calendar) {
	if len(c.Openings) == 0 {
		t.say("no windows: a change may start at any time")
	} else {
		rows := [][]string{{"WINDOW", "OPENS", "LAST START BEFORE", "ENDS", "FOR", "NOTE"}}
		for _, o := range c.Openings {
			rows = append(rows, []string{o.Window, clock(o, o.Start), clock(o, o.Cutoff), clock(o, o.End), orAll(o.Classes), openingNote(o)})
		}
		t.table(rows)
	}
	if len(c.Freezes) == 0 {
		return
	}
	rows := [][]string{{"\nFREEZE", "FROM (UTC)", "UNTIL (UTC)", "STOPS", "HOSTS", "REASON"}}
	for _, f := range c.Freezes {
		rows = append(rows, freezeRow(f))
	}
	t.table(rows)
}

func freezeRow(f calendar.Freeze) []string {
	const format = "2006-01-02 15:04"
	hosts := strings.Join(f.Groups, ", ")
	if hosts == "" {
		hosts = "all"
	}
	return []string{f.Name, f.From.UTC().Format(format), f.Until.UTC().Format(format), orAll(f.Classes), hosts, dash(f.Reason)}
}

func openingNote(o views.Opening) string {
	switch {
	case o.Frozen != "":
		return "frozen by " + o.Frozen
	case o.Open:
		return "open now"
	}
	return ""
}

func orAll(classes []string) string {
	if len(classes) == 0 {
		return "all"
	}
	return strings.Join(classes, ", ")
}

// clock shows a time on the clock of the window's zone. On the clock of every host it has no zone.
func clock(o views.Opening, at time.Time) string {
	const format = "Mon 2006-01-02 15:04"
	if o.Floating() {
		return at.UTC().Format(format) + " host"
	}
	zone, err := time.LoadLocation(o.Timezone)
	if err != nil {
		zone = time.UTC
	}
	return at.In(zone).Format(format + " MST")
}

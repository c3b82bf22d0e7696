package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/views"
)

func alertCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alert",
		Short: "What needs a person, and who was told",
		Long: `An alert is one episode: it is opened once and closed once, however often the server looks. Who is
told of them stands in the server's settings under alerts; docs/alerts.md says how.`,
	}
	cmd.AddCommand(alertList(t), alertDeliveries(t), alertTest(t))
	return cmd
}

func alertList(t *terminal) *cobra.Command {
	var all bool
	var kind string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the open alerts, the newest first; exit 2 when there are any",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"limit": {fmt.Sprint(limit)}}
			setIf(query, "kind", kind)
			if all {
				query.Set("all", "1")
			}
			v, err := get(cmd.Context(), t, "/v1/alerts?"+query.Encode(), t.printAlerts)
			if err != nil {
				return err
			}
			for _, one := range v.Alerts {
				if one.Closed == nil {
					return errDiffers
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that are over")
	cmd.Flags().StringVar(&kind, "kind", "", "only this kind, such as host_silent")
	cmd.Flags().IntVar(&limit, "limit", 200, "the most to list")
	return cmd
}

const alertTime = "2006-01-02 15:04:05"

func (t *terminal) printAlerts(v views.AlertList) {
	if len(v.Alerts) == 0 {
		t.say("no alerts")
	} else {
		rows := [][]string{{"ALERT", "OPENED (UTC)", "CLOSED (UTC)", "SEVERITY", "KIND", "SUBJECT", "DETAIL"}}
		for _, a := range v.Alerts {
			rows = append(rows, []string{fmt.Sprint(a.ID), a.Opened.Format(alertTime), alertEnd(a), a.Severity, a.Kind, a.Subject, dash(a.Detail)})
		}
		t.table(rows)
	}
	if len(v.Receivers) == 0 {
		t.say("nobody is told: the settings name no receiver")
		return
	}
	rows := [][]string{{"\nRECEIVER", "KIND"}}
	for _, r := range v.Receivers {
		rows = append(rows, []string{r.Name, r.Kind})
	}
	t.table(rows)
}

func alertEnd(a views.Alert) string {
	switch {
	case a.Closed != nil:
		return a.Closed.Format(alertTime)
	case a.Cleared != nil:
		return "calm since " + a.Cleared.Format("15:04:05")
	}
	return "open"
}

func alertDeliveries(t *terminal) *cobra.Command {
	var receiver, state string
	var limit int
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "List what receivers were told, and what is still to be told",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"limit": {fmt.Sprint(limit)}}
			setIf(query, "receiver", receiver)
			setIf(query, "state", state)
			_, err := get(cmd.Context(), t, "/v1/alert-deliveries?"+query.Encode(), t.printDeliveries)
			return err
		},
	}
	cmd.Flags().StringVar(&receiver, "receiver", "", "only this receiver")
	cmd.Flags().StringVar(&state, "state", "", "only pending, delivered, failed or skipped")
	cmd.Flags().IntVar(&limit, "limit", 200, "the most to list")
	return cmd
}

func (t *terminal) printDeliveries(list []views.AlertDelivery) {
	if len(list) == 0 {
		t.say("nobody was told anything")
		return
	}
	rows := [][]string{{"MADE (UTC)", "RECEIVER", "ALERT", "WHAT", "STATE", "ATTEMPTS", "NEXT (UTC)", "TICKET", "ANSWER"}}
	for _, d := range list {
		alert := "-"
		if d.Alert > 0 {
			alert = fmt.Sprint(d.Alert)
		}
		rows = append(rows, []string{d.Made.Format(alertTime), d.Receiver, alert, d.What, d.State, fmt.Sprint(d.Attempts),
			timeOrDash(d.Next), dash(d.Ticket), dash(d.Answer)})
	}
	t.table(rows)
}

func timeOrDash(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.Format(alertTime)
}

func alertTest(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "test NAME",
		Short: "Send a test to one receiver; exit 2 when it did not take it",
		Long: `Sends a test to one receiver of the server's settings, now and once. At a ticket system that makes
a ticket.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := call(cmd.Context(), t, "POST", "/v1/alert-tests/"+url.PathEscape(args[0]), struct{}{}, func(d views.AlertDelivery) {
				if d.Answer == "" {
					t.say("%s took the test", d.Receiver)
					return
				}
				t.say("%s did not take the test: %s", d.Receiver, d.Answer)
			})
			if err == nil && d.State != "delivered" {
				return errDiffers
			}
			return err
		},
	}
}

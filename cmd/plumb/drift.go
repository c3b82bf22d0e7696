package main

import (
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/views"
)

func driftCommand(t *terminal) *cobra.Command {
	var host, control string
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Where reality differs from policy now, and what was mended lately",
		Long:  "Lists what does not pass now and the newest corrective repairs. Exits with 2 when something does not pass.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			setIf(query, "host", host)
			setIf(query, "control", control)
			d, err := get(cmd.Context(), t, "/v1/drift?"+query.Encode(), t.printDrift)
			if err == nil && len(d.Findings) > 0 {
				return errDiffers
			}
			return err
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "only this host")
	cmd.Flags().StringVar(&control, "control", "", "only resources that are evidence for this control, FRAMEWORK:ID")
	return cmd
}

func (t *terminal) printDrift(d views.Drift) {
	now := time.Now()
	if len(d.Findings) == 0 {
		t.say("nothing differs from policy")
	} else {
		rows := [][]string{{"HOST", "RESOURCE", "STATUS", "SINCE", "DECLARED AT", "DETAIL"}}
		for _, f := range d.Findings {
			rows = append(rows, []string{f.Host, f.Address, views.StateWords(f.Status, f.Flapping), ago(&f.Since, now), dash(views.Place(f.Source)), detail(views.Event{Changes: f.Changes, Message: f.Message, By: f.By})})
		}
		t.table(rows)
	}
	if len(d.Repairs) > 0 {
		t.say("\nmended lately:")
		t.printEvents(d.Repairs)
	}
}

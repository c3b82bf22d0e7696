package main

import (
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/views"
)

func driftCommand(t *terminal) *cobra.Command {
	var host, control, policy, cause, since string
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Where reality differs from policy now, and what was mended lately",
		Long: `Lists what does not pass now, and what was mended lately: drift, or what --cause says. Exits with 2
when something does not pass that is not waived.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			setIf(query, "host", host)
			setIf(query, "control", control)
			setIf(query, "policy", policy)
			setIf(query, "cause", strings.ReplaceAll(cause, " ", "_"))
			setIf(query, "since", since)
			d, err := get(cmd.Context(), t, "/v1/drift?"+query.Encode(), t.printDrift)
			if err == nil && !d.Fine() {
				return errDiffers
			}
			return err
		},
	}
	cmd.Flags().StringVar(&host, "host", "", "only this host")
	cmd.Flags().StringVar(&control, "control", "", "only resources that are evidence for this control, FRAMEWORK:ID")
	cmd.Flags().StringVar(&policy, "policy", "", "only resources of this policy")
	cmd.Flags().StringVar(&cause, "cause", "", "only for this cause: initial, intentional, corrective, upstream or reverted_waiver")
	cmd.Flags().StringVar(&since, "since", "", "only what came since this time, a date or RFC 3339")
	return cmd
}

func (t *terminal) printDrift(d views.Drift) {
	now := time.Now()
	if len(d.Findings) == 0 {
		t.say("nothing differs from policy")
	} else {
		rows := [][]string{{"HOST", "RESOURCE", "STATUS", "CAUSE", "SINCE", "DECLARED AT", "DETAIL"}}
		for _, f := range d.Findings {
			rows = append(rows, []string{f.Host, f.Address, views.StateWords(f.Status, f.Flapping), dash(f.Cause.Words(f.From, f.To)), ago(&f.Since, now), dash(views.Place(f.Source)), detail(views.Event{Changes: f.Changes, Message: f.Message, By: f.By})})
		}
		t.table(rows)
	}
	if len(d.Repairs) > 0 {
		t.say("\nmended lately:")
		t.printEvents(d.Repairs)
	}
}

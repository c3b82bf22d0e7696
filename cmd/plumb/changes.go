package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/views"
)

func changesCommand(t *terminal) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "changes",
		Short: "The record of changes: each release, whom it reached, how it went",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, fmt.Sprintf("/v1/changes?limit=%d", limit), t.printChangeList)
			return err
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many to show")
	return cmd
}

func (t *terminal) printChangeList(changes []views.Change) {
	if len(changes) == 0 {
		t.say("no changes yet")
		return
	}
	now := time.Now()
	rows := [][]string{{"CHANGE", "MADE", "COMMIT", "REACHED", "CHANGED", "FAILED", "REFUSED", "SUBJECT"}}
	for _, c := range changes {
		rows = append(rows, []string{
			fmt.Sprint(c.Number), ago(&c.Made, now), views.Short(c.Commit), fmt.Sprintf("%d of %d", c.Reached, c.Hosts),
			fmt.Sprint(c.Changed), fmt.Sprint(c.Failed), fmt.Sprint(c.Refused), c.Subject,
		})
	}
	t.table(rows)
}

func changeCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "change N",
		Short: "One change: what it did on which host",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := get(cmd.Context(), t, "/v1/changes/"+args[0], t.printChange)
			return err
		},
	}
}

func (t *terminal) printChange(c views.Change) {
	t.say("change %d: %s", c.Number, c.Subject)
	t.say("commit %s by %s, released %s, signed by %s", views.Short(c.Commit), c.Author, c.Made.Format("2006-01-02 15:04:05 MST"), c.Signer)
	t.say("runs on %d of %s; changed %d, failed on %d, refused by %d", c.Reached, hosts(c.Hosts), c.Changed, c.Failed, c.Refused)
	if len(c.Events) > 0 {
		t.say("")
		t.printEvents(c.Events)
	}
}

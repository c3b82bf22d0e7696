package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plumb/server/views"
)

func waiverCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "waiver",
		Short: "Accepted exceptions, which end",
		Long: `A waiver is a block of the policy. While it holds, what it names is measured and not mended, and
what differs there is waived; hosts judge that by themselves, offline too.`,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the exceptions of the newest release, and which of them nobody needs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, "/v1/waivers", t.printWaivers)
			return err
		},
	})
	return cmd
}

func (t *terminal) printWaivers(list []views.Waiver) {
	if len(list) == 0 {
		t.say("no waivers")
		return
	}
	rows := [][]string{{"WAIVER", "FOR", "HOSTS", "UNTIL (UTC)", "DAYS LEFT", "STANDS", "APPROVED BY", "REASON"}}
	for _, w := range list {
		rows = append(rows, []string{w.Name, strings.Join(slices.Concat(w.Controls, w.Resources), ", "), waivedHosts(w), w.Expires.UTC().Format("2006-01-02 15:04"),
			fmt.Sprint(w.DaysLeft), waiverStands(w), dash(strings.Join(w.ApprovedBy, ", ")), waiverReason(w)})
	}
	t.table(rows)
}

// waivedHosts are how many have it, and whom it is for.
func waivedHosts(w views.Waiver) string {
	if w.AppliesTo == "" {
		return fmt.Sprintf("%d (all)", w.Hosts)
	}
	return fmt.Sprintf("%d (%s)", w.Hosts, strings.Join(strings.Fields(w.AppliesTo), " "))
}

func waiverStands(w views.Waiver) string {
	counts := fmt.Sprintf("%d waived, %d passing", w.Waived, w.Passing)
	switch {
	case w.State == views.WaiverOver:
		return "over"
	case w.State == views.WaiverLater:
		return "from " + w.From.UTC().Format("2006-01-02 15:04")
	case w.Unused && w.Passing > 0:
		return counts + ": not needed"
	case w.Unused:
		return "unused"
	}
	return counts
}

func waiverReason(w views.Waiver) string {
	if w.Ticket == "" {
		return w.Reason
	}
	return w.Reason + " (" + w.Ticket + ")"
}

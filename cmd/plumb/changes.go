package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/policies"
	"plumb/server/kpi"
	"plumb/server/views"
)

func changesCommand(t *terminal) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "changes",
		Short: "The record of changes: each release and patch cycle, whom it reached, how it went",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, fmt.Sprintf("/v1/changes?limit=%d", limit), t.printChangeList)
			return err
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many to show")
	return cmd
}

func (t *terminal) printChangeList(changes []views.ChangeRecord) {
	if len(changes) == 0 {
		t.say("no changes yet")
		return
	}
	now := time.Now()
	rows := [][]string{{"CHANGE", "MADE", "COMMIT", "PHASE", "REACHED", "CHANGED", "FAILED", "REFUSED", "CAUSES", "SUBJECT"}}
	for _, c := range changes {
		rows = append(rows, []string{
			c.ID, ago(&c.Made, now), dash(views.Short(c.Commit)), strings.ReplaceAll(c.Phase, "_", " "), fmt.Sprintf("%d of %d", c.Reached, c.Hosts),
			fmt.Sprint(c.Changed), fmt.Sprint(c.Failed), fmt.Sprint(c.Refused), dash(causeCounts(c.Causes)), c.Subject,
		})
	}
	t.table(rows)
}

// causeCounts says why how much was changed: 12 intentional, 3 corrective.
func causeCounts(causes map[policies.Cause]int) string {
	var parts []string
	for _, one := range policies.Causes {
		if n := causes[one]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, one.Words("", "")))
		}
	}
	return strings.Join(parts, ", ")
}

func changeCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "change ID",
		Short: "One change: what it did on which host",
		Long:  "ID is the number of a release, such as 7, or a patch cycle, such as security/3; the name of a rollout is its newest cycle.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, number, cycle := strings.Cut(args[0], "/")
			path := "/v1/changes/" + url.PathEscape(name)
			if cycle {
				path += "/" + url.PathEscape(number)
			}
			_, err := get(cmd.Context(), t, path, t.printChange)
			return err
		},
	}
}

const changeTime = "2006-01-02 15:04:05 MST"

func (t *terminal) printChange(c views.ChangeRecord) {
	t.say("change %s: %s", c.ID, c.Subject)
	if c.Cycle == nil {
		t.say("commit %s by %s, released %s, signed by %s", views.Short(c.Commit), c.Author, c.Made.Format(changeTime), c.Signer)
		t.say("runs on %d of %s; changed %d, failed on %d, refused by %d", c.Reached, hosts(c.Hosts), c.Changed, c.Failed, c.Refused)
		if words := causeCounts(c.Causes); words != "" {
			t.say("repairs while it was in force: %s", words)
		}
	}
	t.printCourse(c)
	if c.Cycle != nil {
		t.printCycle(c, *c.Cycle)
	}
	if len(c.Events) > 0 {
		t.say("")
		t.printEvents(c.Events)
	}
}

// printCourse says when it began and ended, how that counts, and who decided what.
func (t *terminal) printCourse(c views.ChangeRecord) {
	words := strings.ReplaceAll(c.Phase, "_", " ")
	if c.Begun != nil {
		words += ", begun " + c.Begun.Format(changeTime)
	}
	if c.Ended != nil {
		words += ", ended " + c.Ended.Format(changeTime)
	}
	t.say("%s", words)
	if v := c.Verdict; v != nil && v.Outcome != kpi.Open {
		t.say("%s at %s: %s", v.Outcome, v.Closed.Format(changeTime), v.Why)
	} else if v != nil {
		t.say("neither succeeded nor failed yet: %s", v.Why)
	}
	for _, p := range c.People {
		ring := ""
		if p.Ring != "" {
			ring = " ring " + p.Ring
		}
		t.say("%s%s by %s at %s: %s", strings.ReplaceAll(p.What, "_", " "), ring, p.Who, p.At.Format(changeTime), p.Why)
	}
}

func (t *terminal) printCycle(r views.ChangeRecord, c views.CycleRecord) {
	t.say("set %s with %s, made %s", views.Short(c.Set), views.Count(c.Packages, "package"), r.Made.Format(changeTime))
	t.say("of %s, %d report this cycle: %d converged, %d failed, %d rolled back, %d waiting; installed on %d, failed on %d in all",
		hosts(r.Hosts), r.Reached, c.Converged, c.Failed, c.RolledBack, c.Waiting, r.Changed, r.Failed)
	if len(c.Hosts) > 0 {
		rows := [][]string{{"HOST", "RING", "STATUS", "PHASE", "SINCE (UTC)", "DETAIL"}}
		for _, h := range c.Hosts {
			rows = append(rows, []string{h.Name, dash(h.Ring), views.Words(h.Status), strings.ReplaceAll(h.Phase, "_", " "), h.Since.Format("2006-01-02 15:04:05"), h.Message})
		}
		t.say("")
		t.table(rows)
	}
	if len(c.Items) > 0 {
		rows := [][]string{{"PACKAGE", "VERSION", "ARCH", "FROM"}}
		for _, i := range c.Items {
			rows = append(rows, []string{i.Package, i.Version, i.Arch, i.Repository})
		}
		t.say("")
		t.table(rows)
	}
}

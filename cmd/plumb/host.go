package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/policies"
	"plumb/server/views"
)

func hostCommand(t *terminal) *cobra.Command {
	var history bool
	var asOf string
	cmd := &cobra.Command{
		Use:   "host NAME",
		Short: "Show one host: what is wrong, since when, from which line of policy",
		Long: `Shows one host, or how it stood at --as-of, a date (2026-11-21, midnight in UTC) or RFC 3339
(2026-11-21T18:00:00Z). Exits with 2 when a resource of it does not pass and is not waived.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			print := t.printHost
			if history {
				print = func(d views.Detail) { t.printEvents(d.Events) }
			}
			d, err := get(cmd.Context(), t, asOfPath("/v1/hosts/"+url.PathEscape(args[0]), asOf), print)
			if err == nil && !views.Fine(d.Status) {
				return errDiffers
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&history, "history", false, "what happened to it, the newest first")
	cmd.Flags().StringVar(&asOf, "as-of", "", "how it stood at this instant")
	return cmd
}

func (t *terminal) printHost(d views.Detail) {
	now := time.Now()
	if d.AsOf != nil {
		now = *d.AsOf
	}
	t.printAsOf(d.AsOf, d.Unknown)
	t.say("%s is %s since %s", d.Name, views.Words(d.Status), ago(d.Since, now))
	t.say("release %s, commit %s%s", releaseWord(d.Release), views.Short(d.Commit), contact(d, now))
	if n := d.Host.Note(); n != "" {
		t.say("%s", n)
	}
	t.say("%s", countResources(d.Resources))
	for _, r := range d.Resources {
		if !views.Fine(r.Status) || r.Status == policies.Repaired || r.Status == policies.Waived || r.Message != "" {
			t.printResource(r)
		}
	}
}

// contact says when the host was last heard of, as far as that is known.
func contact(d views.Detail, now time.Time) string {
	switch {
	case d.AsOf == nil:
		return fmt.Sprintf(", last seen %s, %d reports", ago(d.LastSeen, now), d.Reports)
	case d.LastSeen != nil:
		return ", last seen " + ago(d.LastSeen, now)
	}
	return ""
}

func countResources(rows []views.Resource) string {
	counts := map[policies.Status]int{}
	for _, r := range rows {
		counts[r.Status]++
	}
	if len(counts) == 0 {
		return "nothing reported yet"
	}
	return "resources: " + tally(counts)
}

func (t *terminal) printResource(r views.Resource) {
	t.say("\n%s: %s%s", r.Address, views.StateWords(r.Status, r.Flapping), causeWords(r.Cause, r.From, r.To))
	if r.Source.File != "" {
		t.say("  declared at %s:%d", r.Source.File, r.Source.Line)
	}
	if r.Message != "" {
		t.say("  %s", r.Message)
	}
	if r.By != "" {
		t.say("  changed by %s", r.By)
	}
	t.printChanges(r.Changes)
}

func causeWords(c policies.Cause, from, to string) string {
	if c == "" {
		return ""
	}
	return " (" + c.Words(from, to) + ")"
}

func (t *terminal) printChanges(changes []policies.Change) {
	for _, c := range changes {
		t.say("  %s: %s → %s", c.Attribute, views.OrNothing(c.Before), views.OrNothing(c.After))
		for line := range strings.Lines(c.Diff) {
			t.say("    %s", strings.TrimRight(line, "\n"))
		}
	}
}

func (t *terminal) printEvents(events []views.Event) {
	if len(events) == 0 {
		t.say("nothing happened yet")
		return
	}
	rows := [][]string{{"WHEN (UTC)", "HOST", "WHAT", "CAUSE", "RESOURCE", "DETAIL"}}
	for _, e := range events {
		rows = append(rows, []string{e.At.Format("2006-01-02 15:04:05"), e.Host, e.Kind, dash(e.Cause.Words(e.From, e.To)), dash(e.Address), detail(e)})
	}
	t.table(rows)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func detail(e views.Event) string {
	parts := make([]string, 0, len(e.Changes)+1)
	for _, c := range e.Changes {
		parts = append(parts, c.Attribute+": "+views.OrNothing(c.Before)+" → "+views.OrNothing(c.After))
	}
	if e.Message != "" {
		parts = append(parts, e.Message)
	}
	if e.By != "" {
		parts = append(parts, "changed by "+e.By)
	}
	return strings.Join(parts, "; ")
}

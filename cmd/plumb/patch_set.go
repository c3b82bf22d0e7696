package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"plumb/server/api"
	"plumb/server/views"
)

func patchSetCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Patch sets: list, show, new",
		Long: `A patch set is the list of exact versions that one patch cycle takes through the rings of a
rollout. It is frozen when the cycle begins, so that the last ring gets what the first one tested.`,
	}
	cmd.AddCommand(patchSetList(t), patchSetShow(t), patchSetNew(t))
	return cmd
}

func patchSetList(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "list [ROLLOUT]",
		Short: "List patch sets, the newest first",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/patch/sets"
			if len(args) == 1 {
				path += "?rollout=" + url.QueryEscape(args[0])
			}
			_, err := get(cmd.Context(), t, path, t.printPatchSets)
			return err
		},
	}
}

func (t *terminal) printPatchSets(list []views.PatchSet) {
	if len(list) == 0 {
		t.say("no patch set yet: one is made when a rollout carries a patch baseline that approves something")
		return
	}
	rows := [][]string{{"CYCLE", "MADE (UTC)", "PACKAGES", "CHANGED", "GONE", "PHASE", "BEGUN BY", "SET"}}
	for _, s := range list {
		rows = append(rows, []string{cycleOf(s), s.Made.Format("2006-01-02 15:04"), fmt.Sprint(s.Packages), fmt.Sprint(s.Added), fmt.Sprint(s.Removed),
			strings.ReplaceAll(s.Phase, "_", " "), begunBy(s), fmt.Sprintf("%.12s", s.Set)})
	}
	t.table(rows)
}

func cycleOf(s views.PatchSet) string { return fmt.Sprintf("%s/%d", s.Rollout, s.Cycle) }

// begunBy says who or what began a cycle.
func begunBy(s views.PatchSet) string {
	switch {
	case s.By != "":
		return s.By + ": " + s.Why
	case s.Emergency:
		return "an emergency"
	}
	return "the server"
}

func patchSetShow(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "show ROLLOUT[/N]",
		Short: "Show what a patch cycle carries, the newest unless said: packages, what changed, what it answers",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, number, one := strings.Cut(args[0], "/")
			if !one {
				number = "newest"
			}
			_, err := get(cmd.Context(), t, "/v1/patch/sets/"+url.PathEscape(name)+"/"+url.PathEscape(number), t.printPatchSet)
			return err
		},
	}
}

func (t *terminal) printPatchSet(s views.PatchSetDetail) {
	t.say("cycle %s, %s, begun %s by %s", cycleOf(s.PatchSet), strings.ReplaceAll(s.Phase, "_", " "), s.Made.Format("2006-01-02 15:04 UTC"), begunBy(s.PatchSet))
	t.say("%d packages, approved by patch_baseline.%s; set %s", s.Packages, s.Baseline, s.Set)
	rows := [][]string{{"PACKAGE", "VERSION", "BEFORE", "ARCH", "LEVEL", "FROM", "ANSWERS"}}
	for _, i := range s.Items {
		rows = append(rows, []string{i.Package, i.Version, itemBefore(i), i.Arch, dash(i.Level), strings.ReplaceAll(i.Repository, "/", " "), dash(few(i.Advisories))})
	}
	t.table(rows)
	for _, i := range s.Gone {
		t.say("no longer in it: %s %s", i.Package, i.Version)
	}
	for _, a := range s.Answers {
		severity := a.Severity
		if a.Exploited {
			severity += ", exploited"
		}
		t.say("answers %s (%s) with %s", a.ID, severity, few(a.Packages))
	}
}

// itemBefore says what the cycle before had of a package.
func itemBefore(i views.PatchSetItem) string {
	word := "same"
	switch {
	case i.New && i.From == "":
		word = "new"
	case i.New:
		word = i.From
	}
	if i.Dependency {
		word += ", only as a dependency"
	}
	return word
}

func patchSetNew(t *terminal) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "new ROLLOUT --reason R",
		Short: "Begin a patch cycle now with all that is approved",
		Long: `Cycles begin by themselves when something new is approved and the one before is over. This begins
one at once; it takes the place of one that is under way, and goes through all the rings again.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := call(cmd.Context(), t, "POST", "/v1/patch/sets/"+url.PathEscape(args[0]), api.ActRequest{Reason: reason}, func(b api.Begun) {
				t.say("cycle %s/%d begun; `plumb rollout show %s` follows it", b.Rollout, b.Cycle, b.Rollout)
			})
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

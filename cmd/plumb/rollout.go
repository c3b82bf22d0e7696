package main

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/api"
	"plumb/server/views"
)

func rolloutCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Releases and patch cycles on their way through rings: list, show, promote, pause, resume, roll back",
		Long: `A rollout block in the policy takes each release, or each patch cycle, from ring to ring: the next
ring begins when the gate of the one before has passed. Too many failures halt it, and only a
person ends that. ID is the number of a release, such as 7, or a cycle, such as security/3;
the name of the rollout alone is its newest cycle.`,
	}
	cmd.AddCommand(rolloutList(t), rolloutShow(t),
		rolloutAct(t, "promote ID RING", "Approve a ring's gate, or let the ring pass at once",
			`Where the gate asks for approval, this gives it. Otherwise, and when it was given already, the
ring passes at once, whatever else is missing.`, 2, 2),
		rolloutAct(t, "pause ID", "Hold a rollout back: no further host gets it", "", 1, 1),
		rolloutAct(t, "resume ID", "End a pause, or lift a halt",
			"When it lifts a halt, the hosts that have failed so far are forgiven, and further ones halt it again.", 1, 1),
		rolloutAct(t, "rollback ID [RING]", "Give the hosts of a ring the release before again, or undo a patch cycle there",
			"Without the name of a ring it is the one that is under way or halted.", 1, 2))
	return cmd
}

func rolloutList(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List rollouts, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, "/v1/rollouts", t.printRollouts)
			return err
		},
	}
}

func (t *terminal) printRollouts(list []views.Rollout) {
	if len(list) == 0 {
		t.say("no release yet, and no patch cycle")
		return
	}
	rows := [][]string{{"ID", "MADE (UTC)", "ROLLOUT", "PHASE", "RINGS"}}
	for _, r := range list {
		var rings []string
		for _, one := range r.Rings {
			rings = append(rings, one.Name+": "+strings.ReplaceAll(one.Phase, "_", " "))
		}
		rows = append(rows, []string{r.ID, r.Made.Format("2006-01-02 15:04:05"), dash(r.Name), strings.ReplaceAll(r.Phase, "_", " "), dash(strings.Join(rings, ", "))})
	}
	t.table(rows)
}

func rolloutShow(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "show [ID]",
		Short: "Show a rollout, of the newest release unless said: its rings, what they wait for, what happened",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := get(cmd.Context(), t, rolloutPath(append(args, "newest")[0]), t.printRollout)
			return err
		},
	}
}

// rolloutPath is where the server has the rollout of an ID.
func rolloutPath(id string) string {
	name, number, cycle := strings.Cut(id, "/")
	if _, err := strconv.ParseUint(id, 10, 64); !cycle && (err == nil || id == "newest") {
		return "/v1/rollouts/" + id
	}
	if !cycle {
		number = "newest"
	}
	return "/v1/cycles/" + url.PathEscape(name) + "/" + url.PathEscape(number)
}

func (t *terminal) printRollout(r views.Rollout) {
	if r.Name == "" {
		t.say("release %d has no rollout: it is for all hosts at once", r.Release)
		return
	}
	kind := "release"
	if r.Cycle > 0 {
		kind = "cycle"
		t.say("%s with patch set %.12s: %s", r.Title, r.Set, strings.ReplaceAll(r.Phase, "_", " "))
	} else {
		t.say("%s in rollout %s: %s", r.Title, r.Name, strings.ReplaceAll(r.Phase, "_", " "))
	}
	if r.Emergency {
		t.say("an emergency: no deferral, and only the soak of its emergency block")
	}
	if r.Superseded > 0 {
		t.say("%s %d took its place", kind, r.Superseded)
	}
	if r.Paused != nil {
		t.say("paused by %s at %s: %s", r.Paused.Who, r.Paused.At.Format(time.RFC3339), r.Paused.Why)
	}
	for _, ring := range r.Rings {
		t.printRing(ring)
	}
	for _, one := range r.Work {
		t.say("%s: %s", one.Host, one.Words())
	}
	if len(r.Strays) > 0 {
		t.say("in no ring: %s", strings.Join(r.Strays, ", "))
	}
	t.say("")
	rows := [][]string{{"WHEN (UTC)", "RING", "WHAT", "WHO", "WHY"}}
	for _, e := range r.History {
		rows = append(rows, []string{e.At.Format("2006-01-02 15:04:05"), dash(e.Ring), strings.ReplaceAll(e.What, "_", " "), dash(e.Who), dash(e.Why)})
	}
	t.table(rows)
}

func (t *terminal) printRing(r views.Ring) {
	t.say("ring %s: %s; %d of %s got it, %d converged, %d failed", r.Name, strings.ReplaceAll(r.Phase, "_", " "), r.Given, hosts(r.Members), r.Converged, r.Failed)
	if r.Soak > 0 {
		t.say("  soaked %s of %s", time.Duration(r.Soaked)*time.Second, time.Duration(r.Soak)*time.Second)
	}
	if r.Approved != nil {
		t.say("  approved by %s: %s", r.Approved.Who, r.Approved.Why)
	}
	if r.Asked != nil {
		t.say("  query: %s", answerOf(r))
	}
	if r.Waits != "" {
		t.say("  waits for %s", r.Waits)
	}
	if len(r.FailedHosts) > 0 {
		t.say("  failed: %s", strings.Join(r.FailedHosts, ", "))
	}
}

// answerOf says what came of a gate's query.
func answerOf(r views.Ring) string {
	switch {
	case r.Asked.Problem != "":
		return "no answer"
	case r.Asked.Good:
		return "good at " + r.Asked.At.Format(time.RFC3339)
	}
	return "not good at " + r.Asked.At.Format(time.RFC3339)
}

// rolloutAct is a command by which a person decides; its first word is the verb.
func rolloutAct(t *terminal, use, short, long string, least, most int) *cobra.Command {
	verb, _, _ := strings.Cut(use, " ")
	var in api.ActRequest
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.RangeArgs(least, most),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				in.Ring = args[1]
			}
			_, err := call(cmd.Context(), t, "POST", rolloutPath(args[0])+"/"+verb, in, t.printRollout)
			return err
		},
	}
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why; it is kept with your name")
	return cmd
}

func freezeCommand(t *terminal) *cobra.Command {
	return freezing(t, "freeze", "Stop every change but the mending of drift, on all hosts, from their next check-in on", "everything is frozen")
}

func unfreezeCommand(t *terminal) *cobra.Command {
	return freezing(t, "unfreeze", "End a freeze", "changes go on")
}

func freezing(t *terminal, verb, short, done string) *cobra.Command {
	var in api.ActRequest
	cmd := &cobra.Command{
		Use: verb, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := call(cmd.Context(), t, "POST", "/v1/"+verb, in, func(struct{}) { t.say("%s", done) })
			return err
		},
	}
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why; it is kept with your name")
	return cmd
}

package main

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/policies"
	"plumb/server/views"
)

func statusCommand(t *terminal) *cobra.Command {
	var asOf string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Are we fine? Hosts by status, what is wrong, which release is out",
		Long: `Shows how the whole fleet stands, or how it stood at --as-of, a date (2026-11-21, midnight in
UTC) or RFC 3339 (2026-11-21T18:00:00Z). Exits with 2 when something needs a person.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fleet, err := get(cmd.Context(), t, asOfPath("/v1/status", asOf), t.printFleet)
			if err == nil && !fleet.Fine() {
				return errDiffers
			}
			return err
		},
	}
	cmd.Flags().StringVar(&asOf, "as-of", "", "how it stood at this instant")
	return cmd
}

func asOfPath(path, asOf string) string {
	query := url.Values{}
	setIf(query, "as_of", asOf)
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// printAsOf says what a past answer is about, and what it cannot tell.
func (t *terminal) printAsOf(asOf *time.Time, unknown string) {
	if asOf != nil {
		t.say("as of %s; not known of then: %s", asOf.UTC().Format("2006-01-02 15:04:05 MST"), unknown)
	}
}

func (t *terminal) printFleet(f views.Fleet) {
	t.printAsOf(f.AsOf, f.Unknown)
	t.say("%s", countHosts(f))
	if f.Policy.Release == 0 {
		t.say("no release yet: push a policy to main")
	} else {
		t.say("release %d, commit %s%s", f.Policy.Release, views.Short(f.Policy.Commit), policyWords(f))
	}
	if r := f.Rollout; r != nil {
		t.say("its rollout is %s in ring %s; `plumb rollout show` tells what it waits for", strings.ReplaceAll(r.Phase, "_", " "), r.Ring)
	}
	if f.Policy.Problem != "" {
		t.say("policy repository: %s", f.Policy.Problem)
	}
	if f.Mismatch > 0 {
		t.say("ALARM: %s compiled another catalog than this server", hosts(f.Mismatch))
	}
	if f.Problems > 0 {
		t.say("%s refused or could not use the newest release; `plumb hosts` names them", hosts(f.Problems))
	}
	if f.Flapping > 0 {
		t.say("%s flapping: left alone because somebody else fights for them", views.Count(f.Flapping, "resource"))
	}
	t.printWorst(f.Findings)
}

// policyWords says who signs releases; of the past that is not known.
func policyWords(f views.Fleet) string {
	if f.AsOf != nil {
		return ""
	}
	return ", " + f.Policy.Words()
}

// countHosts is the one line that matters: "3 hosts: 2 compliant, 1 stale".
func countHosts(f views.Fleet) string {
	if f.Hosts == 0 {
		return "no hosts yet: `plumb token create` makes a token to enrol one"
	}
	return hosts(f.Hosts) + ": " + tally(f.Status)
}

// tally says how many of each status there are, the best first; empty when there are none.
func tally(counts map[policies.Status]int) string {
	var parts []string
	for _, s := range policies.Statuses {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, views.Words(s)))
		}
	}
	return strings.Join(parts, ", ")
}

func hosts(n int) string { return views.Count(n, "host") }

const worstShown = 10

// printWorst lists the resources that are wrong on the most hosts.
func (t *terminal) printWorst(findings map[string]int) {
	addresses := slices.SortedFunc(maps.Keys(findings), func(a, b string) int {
		if findings[a] != findings[b] {
			return findings[b] - findings[a]
		}
		return strings.Compare(a, b)
	})
	for i, address := range addresses {
		if i == worstShown {
			t.say("  and %d more; `plumb drift` lists them all", len(addresses)-i)
			return
		}
		t.say("  %s on %s", address, hosts(findings[address]))
	}
}

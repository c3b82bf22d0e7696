package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/policies/patch"
	"plumb/server/advisories"
	"plumb/server/api"
	"plumb/server/views"
)

func patchCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "patch",
		Short: "Updates: what is on offer, what is approved, what a cycle carries, what is late",
		Long: `Hosts tell what their package managers offer. The patch_baseline blocks of the policy say
which of it is approved, and after how long; advisories say what it is good for.`,
	}
	cmd.AddCommand(patchStatus(t), patchAdvisories(t), patchSLA(t), patchSetCommand(t))
	return cmd
}

// patchQuery are the flags that all questions about patching take.
type patchQuery struct{ host, group string }

func (q *patchQuery) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&q.host, "host", "", "only this host")
	cmd.Flags().StringVar(&q.group, "group", "", "only hosts of this group")
	return cmd
}

func (q *patchQuery) path(what string) string {
	query := url.Values{}
	setIf(query, "host", q.host)
	setIf(query, "group", q.group)
	return "/v1/patch/" + what + "?" + query.Encode()
}

func patchStatus(t *terminal) *cobra.Command {
	var q patchQuery
	return q.flags(&cobra.Command{
		Use:   "status",
		Short: "What is on offer, approved, waiting and rejected",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, q.path("status"), t.printPatchStatus)
			return err
		},
	})
}

func (t *terminal) printPatchStatus(s views.PatchStatus) {
	t.say("%s; %s", hosts(s.Hosts), patchCounts(s))
	for _, one := range s.Unknown {
		t.say("unknown: %s: %s", one.Host, one.Reason)
	}
	for _, n := range s.Rollouts {
		t.say("next for %s: %s", n.Rollout, n.Sentence)
	}
	t.printReboots(s.Reboots)
	if len(s.Updates) == 0 {
		return
	}
	rows := [][]string{{"STATE", "PACKAGE", "VERSION", "SEVERITY", "FROM", "HOSTS", "BASELINE", "WHY"}}
	for _, u := range s.Updates {
		rows = append(rows, []string{patchState(u), u.Package, u.Version, patchSeverity(u), strings.ReplaceAll(u.Repository, "/", " "),
			few(u.Hosts.Names()), dash(u.Baseline), patchWhy(u)})
	}
	t.table(rows)
}

// printReboots names the hosts that wait longest.
func (t *terminal) printReboots(list []views.PatchReboot) {
	if len(list) == 0 {
		return
	}
	t.say("pending reboots: %s", hosts(len(list)))
	const most = 5
	for _, r := range list[:min(most, len(list))] {
		t.say("  %s (%s, ring %s) since %s for %s", r.Host, r.Rollout, dash(r.Ring), r.Since.Format("2006-01-02 15:04"), few(r.Reasons))
	}
	if more := len(list) - most; more > 0 {
		t.say("  and %d more; --json names them all", more)
	}
}

func patchCounts(s views.PatchStatus) string {
	var words []string
	for _, state := range []patch.State{patch.Approved, patch.Waiting, patch.Held, patch.Rejected, patch.AllowedAsDependency, patch.NotApplicable} {
		if n := s.Counts[state]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(state), "_", " ")))
		}
	}
	if s.Current > 0 || s.Hosts == 0 {
		words = append(words, fmt.Sprintf("%s with nothing on offer", hosts(s.Current)))
	}
	if n := len(s.Unknown); n > 0 {
		words = append(words, fmt.Sprintf("%d unknown", n))
	}
	return strings.Join(words, ", ")
}

func patchState(u views.PatchUpdate) string {
	word := strings.ReplaceAll(string(u.State), "_", " ")
	if u.State == patch.Waiting && u.Until != nil {
		return word + " until " + u.Until.Format("2006-01-02 15:04")
	}
	return word
}

func patchSeverity(u views.PatchUpdate) string {
	switch {
	case u.Exploited:
		return u.Severity + ", exploited"
	case u.Severity == "unknown" && u.Security:
		return "security"
	case u.Severity == "unknown":
		return "-"
	}
	return u.Severity
}

// patchWhy says what decided, and what else there is to know.
func patchWhy(u views.PatchUpdate) string {
	words := []string{}
	if u.Rule != "" {
		words = append(words, u.Rule)
	}
	words = append(words, u.Reason)
	if u.Phased > 0 && u.Phased < 100 && u.State != patch.Waiting {
		words = append(words, fmt.Sprintf("phased %d%%", u.Phased))
	}
	if u.Held && u.State != patch.Held {
		words = append(words, "held on the host")
	}
	if u.Reboot {
		words = append(words, "needs a reboot")
	}
	return strings.Join(words, "; ")
}

// few names some and counts the rest.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], " "), len(names)-most)
}

func patchAdvisories(t *terminal) *cobra.Command {
	var q patchQuery
	var all bool
	list := func(cmd *cobra.Command, _ []string) error {
		path := q.path("advisories")
		if all {
			path += "&all=1"
		}
		_, err := get(cmd.Context(), t, path, t.printAdvisories)
		return err
	}
	cmd := q.flags(&cobra.Command{Use: "advisories", Short: "Advisories: list those whose answer is not installed, import", Args: cobra.NoArgs, RunE: list})
	cmd.Flags().BoolVar(&all, "all", false, "also those that concern no host")
	same := q.flags(&cobra.Command{Use: "list", Short: "List advisories whose answer some host lacks", Args: cobra.NoArgs, RunE: list})
	same.Flags().BoolVar(&all, "all", false, "also those that concern no host")
	cmd.AddCommand(same, importAdvisories(t))
	return cmd
}

func (t *terminal) printAdvisories(list []views.PatchAdvisory) {
	if len(list) == 0 {
		t.say("no advisory has an answer that a host lacks")
		return
	}
	rows := [][]string{{"ADVISORY", "SEVERITY", "PUBLISHED", "PACKAGES", "HOSTS", "SUMMARY"}}
	for _, a := range list {
		severity, published := a.Severity, "-"
		if a.Exploited {
			severity += ", exploited"
		}
		if !a.Published.IsZero() {
			published = a.Published.Format(time.DateOnly)
		}
		rows = append(rows, []string{a.ID, severity, published, dash(few(a.Packages)), dash(few(a.Hosts.Names())), a.Summary})
	}
	t.table(rows)
}

func importAdvisories(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Take in OSV JSON, or the JSON of the Debian security tracker; - is stdin",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readCapped(t.in, args[0])
			if err != nil {
				return err
			}
			if !json.Valid(raw) {
				return hinted{fmt.Errorf("%s is not JSON", args[0]), "unpack it first: this takes plain JSON, no .zip and no .gz"}
			}
			_, err = call(cmd.Context(), t, "POST", "/v1/patch/advisories", json.RawMessage(raw), func(done api.Imported) {
				t.say("%d advisories taken in", done.Advisories)
			})
			return err
		},
	}
}

// readCapped reads a file, or stdin for "-", that fits into one request.
func readCapped(in io.Reader, name string) ([]byte, error) {
	var raw bytes.Buffer
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot read the advisories: %w", err)
		}
		defer file.Close()
		if about, err := file.Stat(); err == nil {
			raw.Grow(int(min(about.Size(), advisories.MaxBytes)) + bytes.MinRead)
		}
		in = file
	}
	if _, err := raw.ReadFrom(io.LimitReader(in, advisories.MaxBytes+1)); err != nil {
		return nil, fmt.Errorf("cannot read the advisories: %w", err)
	}
	if raw.Len() > advisories.MaxBytes {
		return nil, fmt.Errorf("%s has more than %d MiB", name, advisories.MaxBytes>>20)
	}
	return raw.Bytes(), nil
}

func patchSLA(t *terminal) *cobra.Command {
	var q patchQuery
	return q.flags(&cobra.Command{
		Use:   "sla",
		Short: "Which answers to advisories are due when, and which are late",
		Long: `Lists what is open under each patch_sla of the policy, and for how long hosts were exposed: from
where the clock of the advisory starts until the host had the answer. Exits with 2 when something
is late.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := get(cmd.Context(), t, q.path("sla"), t.printSLAs)
			for _, one := range list {
				if err == nil && one.Overdue > 0 {
					return errDiffers
				}
			}
			return err
		},
	})
}

func (t *terminal) printSLAs(list []views.PatchSLA) {
	if len(list) == 0 {
		t.say("no patch_sla applies to these hosts")
	}
	for _, sla := range list {
		t.say("%s: %d open, %d late (counted from %s)", sla.Name, sla.Open, sla.Overdue, strings.ReplaceAll(sla.Anchor, "_", " "))
		t.printExposure(sla.Exposure)
		if len(sla.Entries) == 0 {
			continue
		}
		rows := [][]string{{"DUE (UTC)", "ADVISORY", "SEVERITY", "PACKAGES", "HOSTS"}}
		for _, d := range sla.Entries {
			due := d.Due.Format("2006-01-02 15:04")
			if d.Overdue {
				due += " late"
			}
			rows = append(rows, []string{due, d.Advisory, d.Severity, few(d.Packages), few(d.Hosts.Names())})
		}
		t.table(rows)
	}
}

func (t *terminal) printExposure(e views.PatchExposure) {
	if e.P50 == nil {
		return
	}
	text := fmt.Sprintf("  exposed for %g days (half of them) and %g days (nine of ten): %d last, %d ended in %d days",
		*e.P50, *e.P90, e.Lasting, e.Ended, views.ExposureDays)
	if e.InTime != nil {
		text += fmt.Sprintf("; %g %% in time", *e.InTime)
	}
	t.say("%s", text)
}

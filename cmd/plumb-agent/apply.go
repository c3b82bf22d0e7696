package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"plumb/agent"
	"plumb/agent/protocol"
	"plumb/agent/trust"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/policies/screen"
)

// shortRun is how far the memory of one apply may grow between two collections, in percent: it ends
// in a moment and gives all of it back. The daemon, which stays, collects as usual.
const shortRun = 400

func (a *app) apply(args []string) error {
	debug.SetGCPercent(shortRun)
	set := a.flags("apply")
	audit := set.Bool("audit", false, "change nothing, show what would be")
	asJSON := set.Bool("json", false, "print the result as JSON")
	file := set.String("patch-set", "", "a JSON patch set to install, as a server would give it out")
	rest, err := a.parse(set, args, "DIR")
	if err != nil {
		return err
	}
	sets, err := readSets(*file)
	if err != nil {
		return err
	}
	a.database = new(system.DpkgMemory)
	one, err := a.open(true)
	if err != nil {
		return err
	}
	defer one.Dir.Close()
	one.Audit = *audit
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	last, err := one.Apply(ctx, rest[0], sets...)
	var rejected *agent.Rejected
	if errors.As(err, &rejected) {
		return a.problems(rejected.Problems)
	}
	if err != nil {
		return err
	}
	if *asJSON {
		if err := printJSON(a.stdout, last.Result); err != nil {
			return err
		}
		return differs(last.Result.Counts())
	}
	a.summary(last)
	return differs(last.Result.Counts())
}

// maxSet is the largest file that is read as a patch set, in bytes.
const maxSet = protocol.MaxObject

// readSets reads a patch set that a person wrote; no file is no set. Its items may stand in any order.
func readSets(file string) ([]patch.Set, error) {
	if file == "" {
		return nil, nil
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxSet {
		err = fmt.Errorf("it has %d bytes; %d are the most", info.Size(), maxSet)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	set, err := trust.ReadSet(raw)
	if err != nil {
		return nil, &failure{err: fmt.Errorf("%s: %w", file, err),
			hint: `it looks like {"rollout":"web","baseline":"b","items":[{"manager":"apt","package":"bash","source":"bash","arch":"amd64","version":"5.2-1","repository":"…"}]}`}
	}
	return []patch.Set{set}, nil
}

// problems prints every mistake of the policies with its line.
func (a *app) problems(list []policies.Problem) error {
	for _, p := range list {
		fmt.Fprintf(a.stderr, "%s:%d,%d: %s: %s\n", p.File, p.Line, p.Column, p.Severity, p.Summary)
		if p.Snippet != "" {
			fmt.Fprintf(a.stderr, "    %s\n", p.Snippet)
		}
		fmt.Fprintf(a.stderr, "  %s\n\n", strings.ReplaceAll(strings.TrimSpace(p.Detail), "\n", "\n  "))
	}
	return &failure{err: fmt.Errorf("nothing was done, for the policies are wrong in %d places", len(list))}
}

// printJSON loses nothing of what the screen would not show as it is.
func printJSON(w io.Writer, v any) error {
	var raw bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(append(screen.JSON(bytes.TrimSpace(raw.Bytes())), '\n'))
	return err
}

// printResults prints what is worth a line: all but what is in order or does not apply.
func (a *app) printResults(list []policies.ResourceResult) {
	for _, one := range list {
		if one.Status != policies.Compliant && one.Status != policies.NotApplicable || one.Refreshed {
			printResource(a.stdout, one)
		}
	}
}

func (a *app) summary(last agent.Last) {
	a.printResults(last.Result.Resources)
	word := ""
	if last.Audit {
		word = "audit, nothing was changed: "
	}
	took := last.Finished.Sub(last.Started).Seconds()
	fmt.Fprintf(a.stdout, "%s%s in %.1f s\n", word, counts(last.Result.Counts()), took)
	a.tellReboot(last.Reboot)
}

func printResource(w io.Writer, one policies.ResourceResult) {
	fmt.Fprintf(w, "%-13s %s", one.Status, one.Address)
	if one.Cause != "" {
		fmt.Fprintf(w, " (%s)", one.Cause.Words(one.From, one.To))
	}
	if one.Refreshed {
		fmt.Fprint(w, " and refreshed")
	}
	fmt.Fprintln(w)
	if one.Message != "" {
		fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(one.Message, "\n", "\n    "))
	}
	for _, c := range one.Changes {
		printChange(w, c)
	}
	if one.Patched == nil {
		return
	}
	p := *one.Patched
	if len(one.Changes) > 0 {
		p.Missing = nil // the changes name them
	}
	for _, text := range details(p) {
		fmt.Fprintf(w, "    %s\n", text)
	}
}

// tellReboot says that the host has to boot again, for which a person has to see.
func (a *app) tellReboot(why string) {
	if why != "" {
		fmt.Fprintf(a.stdout, "a reboot is needed: %s\n", why)
	}
}

func printChange(w io.Writer, c policies.Change) {
	if c.Diff != "" {
		fmt.Fprintf(w, "    %s:\n      %s\n", c.Attribute, strings.ReplaceAll(strings.TrimRight(c.Diff, "\n"), "\n", "\n      "))
		return
	}
	before := c.Before
	if before == "" {
		before = "nothing"
	}
	fmt.Fprintf(w, "    %s: %s → %s\n", c.Attribute, before, c.After)
}

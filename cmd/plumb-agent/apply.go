package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"plumb/agent"
	"plumb/policies"
)

func (a *app) apply(args []string) error {
	set := a.flags("apply")
	audit := set.Bool("audit", false, "change nothing, show what would be")
	asJSON := set.Bool("json", false, "print the result as JSON")
	rest, err := a.parse(set, args, "DIR")
	if err != nil {
		return err
	}
	one, err := a.open(true)
	if err != nil {
		return err
	}
	defer one.Dir.Close()
	one.Audit = *audit
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	last, err := one.Apply(ctx, rest[0])
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

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
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
}

func printResource(w io.Writer, one policies.ResourceResult) {
	fmt.Fprintf(w, "%-13s %s", one.Status, one.Address)
	if one.Cause != "" {
		fmt.Fprintf(w, " (%s)", one.Cause)
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

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/policies"
	"plumb/server/views"
)

func explainCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "explain HOST ADDRESS[.ATTRIBUTE]",
		Short: "Show where a value comes from: file, line, variable, fact",
		Long: `Shows where what a resource of a host should be comes from: the lines of policy, the
variables and who gives them their value, the facts, and which of several modes holds.
It is told of the release that the host runs, with the facts that it sent last.
ADDRESS may be a unique ending, such as file.motd. Sensitive values are not shown.`,
		Example: "  plumb explain web1 file.motd.content",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/v1/hosts/" + url.PathEscape(args[0]) + "/explain?" + url.Values{"address": {args[1]}}.Encode()
			_, err := get(cmd.Context(), t, path, t.printExplained)
			return err
		},
	}
}

func (t *terminal) printExplained(e views.Explained) {
	t.say("%s on %s", e.Address, e.Host)
	if e.Title != "" {
		t.say("%s", e.Title)
	}
	t.say("declared at %s in policy %s, release %d (commit %s)", views.Place(e.Source), e.Policy, e.Release, views.Short(e.Commit))
	if e.Asked != "" {
		t.say("it stands in the place of %s", e.Asked)
	}
	for _, at := range e.AlsoDeclared {
		t.say("declared in the same words at %s", views.Place(at))
	}
	for _, at := range e.Overrides {
		t.say("overrides the declaration at %s", views.Place(at))
	}
	t.say("%s", standing(e))
	if words := e.Exception(time.Now()); words != "" {
		t.say("%s", words)
	}
	if e.Attribute == "" {
		t.explainAll("Why this host has it", e.Conditions)
		e.Settings = append([]policies.Explained{e.Mode}, e.Settings...)
	}
	t.explainAll("Settings", e.Settings)
	t.explainAll("Attributes", e.Attributes)
}

func standing(e views.Explained) string {
	switch {
	case e.Status == "":
		return "its newest run did not have it"
	case e.NotApplicable:
		return "not applicable to this host"
	case e.InForce != "" && string(e.InForce) != explainedWord(e.Mode):
		return fmt.Sprintf("%s; the host itself lowers it to %s", views.Words(e.Status), e.InForce)
	}
	return views.Words(e.Status)
}

// explainedWord is the text of a value that is text.
func explainedWord(e policies.Explained) (word string) {
	if json.Unmarshal(e.Value, &word) != nil {
		return ""
	}
	return word
}

func (t *terminal) explainAll(title string, list []policies.Explained) {
	if len(list) == 0 {
		return
	}
	t.say("\n%s:", title)
	for _, one := range list {
		t.explainOne(one, "  ", "")
	}
}

// explainOne prints a value and, indented, what it was made of and what it won against.
func (t *terminal) explainOne(e policies.Explained, indent, sign string) {
	t.say("%s%s%s = %s", indent, sign, e.Name, explainedValue(e, indent))
	where := e.From
	if e.At != nil {
		where = fmt.Sprintf("%s, %s:%d,%d", e.From, e.At.File, e.At.Line, e.At.Column)
	}
	under := indent + strings.Repeat(" ", len(sign)) + "  "
	t.say("%s↳ %s", under, where)
	if e.Text != "" && !literal(e) {
		t.say("%s  %s", under, e.Text)
	}
	for _, one := range e.Reads {
		t.explainOne(one, under, "")
	}
	for _, one := range e.Others {
		t.explainOne(one, under, "not ")
	}
}

// literal tells whether the text says no more than the value.
func literal(e policies.Explained) bool { return e.Text == string(e.Value) }

func explainedValue(e policies.Explained, indent string) string {
	if words, absent := e.Absent(); absent {
		return words
	}
	if word := strings.TrimSuffix(explainedWord(e), "\n"); strings.Contains(word, "\n") {
		return "\n" + indent + "  | " + strings.ReplaceAll(word, "\n", "\n"+indent+"  | ")
	}
	var plain bytes.Buffer
	if json.Compact(&plain, e.Value) != nil {
		return string(e.Value)
	}
	return plain.String()
}

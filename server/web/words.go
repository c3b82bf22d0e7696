package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"plumb/policies"
	"plumb/server/views"
)

// functions are what templates may call: words and shapes, no decisions.
func functions() template.FuncMap {
	return template.FuncMap{
		"verdict": verdictOf, "took": took, "ago": ago, "words": views.Words, "mark": mark, "hosts": hosts, "dots": dots, "person": person, "number": views.Number, "short": views.Short, "fine": views.Fine,
		"note": views.Host.Note, "place": views.Place, "nothing": views.OrNothing, "diff": diffLines, "folded": folded, "segment": url.PathEscape,
		"modewords": views.Policy.Words, "manylines": manyLines, "explainedvalue": explainedValue, "spelled": spelled, "events": newEvents, "phasemark": phaseMark, "spaced": spaced, "outcomewords": outcomeWords,
		"exactly": exactly, "severitymark": severityMark, "size": size, "days": days, "deref": deref, "recordlink": recordLink, "cycleoutcome": cycleOutcome, "repository": repository, "few": few, "sentence": sentence, "statuses": statuses,
	}
}

// moment is a time as people say it and as it is exactly.
type moment struct {
	ISO, Exact, Ago string
}

// ago tells how long since; an absent or zero time is never.
func ago(when any, now time.Time) moment {
	var then time.Time
	switch t := when.(type) {
	case time.Time:
		then = t
	case *time.Time:
		if t != nil {
			then = *t
		}
	}
	if then.IsZero() {
		return moment{Ago: "never"}
	}
	then = then.UTC()
	return moment{ISO: then.Format(time.RFC3339), Exact: then.Format("2006-01-02 15:04:05 MST"), Ago: views.Ago(now.Sub(then))}
}

// mark names the sign and the colour of a status.
func mark(s policies.Status) string {
	for _, known := range policies.Statuses {
		if s == known {
			return string(s)
		}
	}
	return string(policies.Unknown)
}

// statuses are the choices of a filter.
func statuses() []policies.Status { return policies.Statuses }

func hosts(n int) string { return views.Count(n, "host") }

// dots splits an address where a line may break.
func dots(address string) []string { return strings.SplitAfter(address, ".") }

// person is an author's name as Git has it, without the mail address where there is a name.
func person(author string) string {
	name, _, _ := strings.Cut(author, " <")
	return name
}

// sentence gives a message of the program, which has no capital, the look of a heading.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return strings.ToUpper(string(first)) + text[size:]
}

// phaseMark names the sign and the colour of the phase of a change, or of a patch state.
func phaseMark(phase string) string {
	marks := map[string]string{
		"waiting": "pending", "eligible": "pending", "rolling": "rolling", "soaking": "soaking", "passed": "compliant", "done": "compliant",
		"halted": "error", "rolled_back": "rolled_back", "paused": "paused", "frozen": "paused", "superseded": "not_applicable",
		"converged": "compliant", "failed": "error", "ahead": "pending",
	}
	if mark := marks[phase]; mark != "" {
		return mark
	}
	return string(policies.Unknown)
}

// spaced is a word of the program as people write it.
func spaced(word any) string { return strings.ReplaceAll(fmt.Sprint(word), "_", " ") }

// exactly is a moment to the minute, in UTC.
func exactly(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// few are the first of some names.
func few(names []string) []string { return names[:min(len(names), 5)] }

// severityMark names the colour of a severity, which its word stands beside.
func severityMark(severity string) string {
	switch severity {
	case "critical":
		return "error"
	case "high":
		return "noncompliant"
	case "medium":
		return "pending"
	}
	return "unknown"
}

// plural is a number with a noun that does not take an s.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return views.Number(n) + " " + many
}

// size is a number of bytes as people say it.
func size(bytes int64) string {
	if bytes < 1_000_000 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

// days is a number of days, or a dash where there is none.
func days(n *float64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprintf("%g d", *n)
}

// deref is the time that a pointer leads to, zero without one.
func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// repository is where a package comes from, with spaces where a line may break.
func repository(name string) string { return strings.ReplaceAll(name, "/", " ") }

package web

import (
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
		"ago": ago, "words": views.Words, "mark": mark, "hosts": hosts, "dots": dots, "person": person, "number": views.Number, "short": views.Short, "fine": views.Fine,
		"note": views.Host.Note, "place": views.Place, "nothing": views.OrNothing, "diff": diffLines, "segment": url.PathEscape,
		"modewords": views.Policy.Words, "events": newEvents, "sentence": sentence, "statuses": statuses,
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

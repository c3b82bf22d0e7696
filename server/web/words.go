package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plumb/policies"
	"plumb/server/views"
)

// functions are what templates may call: words and shapes, no decisions.
func functions() template.FuncMap {
	return template.FuncMap{
		"ago": ago, "words": words, "mark": mark, "hosts": hostWord, "dots": dots, "person": person, "number": number, "short": short, "fine": fine,
		"note": note, "place": place, "nothing": orNothing, "diff": diffLines, "segment": url.PathEscape,
		"modewords": modeWords, "events": newEvents, "sentence": sentence, "statuses": statuses,
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
	return moment{ISO: then.Format(time.RFC3339), Exact: then.Format("2006-01-02 15:04:05 MST"), Ago: since(now.Sub(then))}
}

func since(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// words is a status as people say it. What is no status of ours is unknown: no answer is
// ever a pass.
func words(s policies.Status) string { return strings.ReplaceAll(mark(s), "_", " ") }

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

func hostWord(n int) string { return count(n, "host") }

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// number groups the digits of a large number by thin spaces, which do not break.
func number(n int) string {
	digits := strconv.Itoa(n)
	if n < 10_000 {
		return digits
	}
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), "\u202f")
}

// short is the head of a commit or digest.
func short(hash string) string {
	if len(hash) > 8 {
		return hash[:8]
	}
	return hash
}

// fine tells whether a status needs nobody.
func fine(s policies.Status) bool { return s.Passing() || s == policies.NotApplicable }

// place is where policy declares it, file:line; empty when that is not known.
func place(p policies.Position) string {
	if p.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// dots splits an address where a line may break.
func dots(address string) []string { return strings.SplitAfter(address, ".") }

// person is an author's name as Git has it, without the mail address where there is a name.
func person(author string) string {
	name, _, _ := strings.Cut(author, " <")
	return name
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func modeWords(p views.Policy) string {
	if p.Mode == "trial" {
		return "trial mode: this server's own key signs releases"
	}
	return "author mode: signed by " + strings.Join(p.Signers, ", ")
}

// note is the one thing about a host that a person should know first.
func note(h views.Host) string {
	switch {
	case h.Revoked != nil:
		return "revoked"
	case h.Mismatch:
		return "ALARM: compiled another catalog than the server"
	case h.Problem != "":
		return h.Problem
	case h.Paused != nil:
		return fmt.Sprintf("paused until %s: %s", h.Paused.Until, h.Paused.Reason)
	case h.LeaseExpired:
		return "its lease ran out: it mends drift but takes no new release"
	case h.Audit:
		return "audit only"
	}
	return ""
}

// sentence gives a message of the program, which has no capital, the look of a heading.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return strings.ToUpper(string(first)) + text[size:]
}

package alerts

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The most that is told, in bytes.
const (
	maxTitle  = 200
	maxDetail = 1000
)

// line makes foreign text one line: what could end a line or steer a terminal becomes a blank.
func line(text string) string {
	text = strings.ToValidUTF8(text, "?")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// clip is foreign text in one line and not longer than max bytes.
func clip(text string, max int) string {
	if text = line(text); len(text) <= max {
		return text
	}
	text = text[:max-len("…")]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}

// fill puts a subject, which may hold anything, into words.
func fill(words, subject string) string { return strings.Replace(words, "%s", subject, 1) }

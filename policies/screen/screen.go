// Package screen is where people read what others wrote: a terminal, or a file of lines.
//
// Whatever goes there through [Writer] can neither steer it nor reorder what stands beside it; that
// foreign text begins no line of its own is for [Margin] and [Line] to see to.
package screen

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// obeyed tells whether a terminal might obey the character, or show others in another order.
func obeyed(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// Text shows what a terminal would obey as the sign for what cannot be shown. A carriage return may end
// a line, and do nothing else.
func Text(text string) string {
	lines := strings.Split(strings.ToValidUTF8(text, string(unicode.ReplacementChar)), "\r\n")
	for i, line := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			if obeyed(r) {
				return unicode.ReplacementChar
			}
			return r
		}, line)
	}
	return strings.Join(lines, "\r\n")
}

// Line is text in one line.
func Line(text string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(Text(text))
}

// Margin moves each line of a text but the first away from the margin, where only our own lines begin.
func Margin(text string) string {
	head, rest, more := strings.Cut(strings.ReplaceAll(Text(text), "\r\n", "\n"), "\n")
	if !more {
		return head
	}
	lines := strings.Split(rest, "\n")
	for i, line := range lines {
		if line != "" && line[0] != ' ' && line[0] != '\t' {
			lines[i] = "    " + line
		}
	}
	return head + "\n" + strings.Join(lines, "\n")
}

// JSON escapes in JSON what a terminal would obey; it means the same as before.
func JSON(raw []byte) []byte {
	if utf8.Valid(raw) && !strings.ContainsFunc(string(raw), obeyed) {
		return raw
	}
	var out strings.Builder
	for _, r := range string(raw) {
		if obeyed(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return []byte(out.String())
}

// Writer passes on what is written to it as [Text]. Each Write has to end with a whole character.
func Writer(to io.Writer) io.Writer { return writer{to} }

type writer struct{ to io.Writer }

func (w writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, Text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

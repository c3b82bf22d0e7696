package lang

import (
	"fmt"
	"io"
	"strings"

	"plumb/policies"
)

// Write shows problems to a person, as Terraform does: summary, place, source line, detail.
func Write(w io.Writer, problems []policies.Problem, color bool) {
	for _, p := range problems {
		fmt.Fprint(w, render(p, paint(color)))
	}
}

// paint returns a function that puts text between terminal codes, or leaves it.
func paint(color bool) func(code, text string) string {
	return func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
}

func render(p policies.Problem, paint func(code, text string) string) string {
	var b strings.Builder
	head, code := "Error", "1;31"
	if p.Severity == "warning" {
		head, code = "Warning", "1;33"
	}
	fmt.Fprintf(&b, "%s %s\n\n", paint(code, head+":"), paint("1", plain(p.Summary)))
	if p.File != "" {
		b.WriteString(place(p))
		b.WriteString(source(p, paint))
		b.WriteString("\n")
	}
	if p.Detail != "" {
		b.WriteString(wrap(plain(p.Detail), 78) + "\n\n")
	}
	return b.String()
}

func place(p policies.Problem) string {
	text := fmt.Sprintf("  on %s line %d", plain(p.File), p.Line)
	if p.Context != "" {
		text += ", in " + plain(p.Context)
	}
	if p.Host != "" {
		text += ", for host " + plain(p.Host)
	}
	return text + ":\n"
}

func source(p policies.Problem, paint func(code, text string) string) string {
	if p.Snippet == "" {
		return ""
	}
	line := plain(p.Snippet)
	from := offsetOf(line, p.Column)
	to := min(from+max(p.Highlight, 0), len(line))
	text := fmt.Sprintf("%4d: %s%s%s\n", p.Line, line[:from], paint("4", line[from:to]), line[to:])
	if p.Values == "" {
		return text
	}
	text += "    ├────────────────\n"
	for _, one := range strings.Split(p.Values, "\n") {
		text += "    │ " + plain(one) + "\n"
	}
	return text
}

// offsetOf returns where a column, which counts characters, begins in the line.
func offsetOf(line string, column int) int {
	at := 1
	for i := range line {
		if at >= column {
			return i
		}
		at++
	}
	return len(line)
}

// plain keeps what a policy says from steering the terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}

func wrap(s string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(s) {
		switch {
		case column > 0 && column+1+len(word) > width:
			b.WriteString("\n")
			column = 0
		case column > 0:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

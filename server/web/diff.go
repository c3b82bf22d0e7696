package web

import "strings"

// diffLine is one line of a unified diff: add, del, hunk, or empty for what stays.
type diffLine struct {
	Class string
	Text  string
}

func diffLines(diff string) []diffLine {
	var lines []diffLine
	for text := range strings.Lines(diff) {
		text = strings.TrimRight(text, "\r\n")
		lines = append(lines, diffLine{Class: diffClass(text), Text: text})
	}
	return lines
}

// linesOpen is how many lines of a diff are shown at once.
const linesOpen = 12

// folded tells whether a diff is so long that it would hide what comes after it.
func folded(lines []diffLine) bool { return len(lines) > linesOpen }

func diffClass(line string) string {
	switch {
	case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"), strings.HasPrefix(line, "@@"):
		return "hunk"
	case strings.HasPrefix(line, "+"):
		return "add"
	case strings.HasPrefix(line, "-"):
		return "del"
	}
	return ""
}

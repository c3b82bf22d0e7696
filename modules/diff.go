package modules

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxDiffLines = 2000    // lines of either side that are compared
	maxDiffInput = 1 << 20 // bytes of either side that are compared
	maxDiff      = 4 << 10 // bytes of a diff in a report
	diffContext  = 3       // equal lines shown around a change
)

// TextDiff is what the pages show of a file of policy: the same as agents tell of a file.
func TextDiff(before, after []byte) string { return textDiff(before, after) }

// textDiff returns a unified diff of two texts of at most 4 KiB, empty when one of them is
// not plain text or too long to compare.
func textDiff(before, after []byte) string {
	if !isText(before) || !isText(after) {
		return ""
	}
	a, b := splitLines(before), splitLines(after)
	if len(a) > maxDiffLines || len(b) > maxDiffLines {
		return ""
	}
	return cutDiff(unified(a, b))
}

// isText tells text that is safe to show on a terminal and a page.
func isText(raw []byte) bool {
	if len(raw) > maxDiffInput || !utf8.Valid(raw) {
		return false
	}
	return !bytes.ContainsFunc(raw, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t'
	})
}

const noNewline = "\n\\ No newline at end of file"

// splitLines keeps a missing last line break visible, as diff does.
func splitLines(raw []byte) []string {
	if len(raw) == 0 {
		return nil
	}
	text := string(raw)
	if strings.HasSuffix(text, "\n") {
		return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	lines := strings.Split(text, "\n")
	lines[len(lines)-1] += noNewline
	return lines
}

// edit is one line: kept (' '), removed ('-') or added ('+').
type edit struct {
	op   byte
	line string
}

// edits finds a shortest list of edits by the longest common subsequence. Equal lines at
// both ends, which is most of them, never enter the table.
func edits(a, b []string) []edit {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	list := keep(nil, a[:start])
	list = append(list, middle(a[start:len(a)-end], b[start:len(b)-end])...)
	return keep(list, a[len(a)-end:])
}

func keep(list []edit, lines []string) []edit {
	for _, line := range lines {
		list = append(list, edit{' ', line})
	}
	return list
}

func middle(a, b []string) []edit {
	common := commonLengths(a, b)
	width := len(b) + 1
	var list []edit
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			list = append(list, edit{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[(i+1)*width+j] >= common[i*width+j+1]:
			list = append(list, edit{'-', a[i]})
			i++
		default:
			list = append(list, edit{'+', b[j]})
			j++
		}
	}
	return list
}

// commonLengths holds, for each pair of starts, how many lines the rests have in common.
func commonLengths(a, b []string) []uint16 {
	width := len(b) + 1
	table := make([]uint16, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i*width+j] = table[(i+1)*width+j+1] + 1
				continue
			}
			table[i*width+j] = max(table[(i+1)*width+j], table[i*width+j+1])
		}
	}
	return table
}

// unified writes the edits in hunks with three lines of context.
func unified(a, b []string) string {
	list := edits(a, b)
	var out strings.Builder
	for from := 0; from < len(list); {
		if list[from].op == ' ' {
			from++
			continue
		}
		start := max(0, from-diffContext)
		to := hunkEnd(list, from)
		writeHunk(&out, list, start, to)
		from = to
	}
	return out.String()
}

// hunkEnd goes on as long as the next change is near enough to share its context.
func hunkEnd(list []edit, from int) int {
	last := from
	for i := from; i < len(list) && i-last <= 2*diffContext+1; i++ {
		if list[i].op != ' ' {
			last = i
		}
	}
	return min(len(list), last+1+diffContext)
}

func writeHunk(out *strings.Builder, list []edit, start, to int) {
	oldLine, newLine := lineNumbers(list[:start])
	oldCount, newCount := lineNumbers(list[start:to])
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(oldLine, oldCount), span(newLine, newCount))
	for _, e := range list[start:to] {
		out.WriteByte(e.op)
		out.WriteString(e.line)
		out.WriteByte('\n')
	}
}

// lineNumbers counts the lines that a stretch has on either side.
func lineNumbers(list []edit) (before, after int) {
	for _, e := range list {
		if e.op != '+' {
			before++
		}
		if e.op != '-' {
			after++
		}
	}
	return before, after
}

func span(before, count int) string {
	if count == 0 {
		return fmt.Sprintf("%d,0", before)
	}
	return fmt.Sprintf("%d,%d", before+1, count)
}

// cutDiff shortens at a line break and says so.
func cutDiff(diff string) string {
	if len(diff) <= maxDiff {
		return diff
	}
	const note = "… the diff goes on\n"
	end := strings.LastIndexByte(diff[:maxDiff-len(note)], '\n') + 1
	return diff[:end] + note
}

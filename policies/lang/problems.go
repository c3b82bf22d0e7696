package lang

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"

	"plumb/policies"
)

var capsuleOf = reflect.TypeFor[budget]()

func failure(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: at.Ptr()}
}

// suggest returns " Did you mean …?" with the name that is nearest, or nothing.
func suggest(wrote string, names []string) string {
	if best := nearest(wrote, names); best != "" {
		return fmt.Sprintf(" Did you mean %q?", best)
	}
	return ""
}

func nearest(wrote string, names []string) string {
	best, least := "", max(2, len(wrote)/3)+1
	for _, name := range names {
		if d := levenshtein.Distance(wrote, name, nil); d < least {
			best, least = name, d
		}
	}
	return best
}

// flatten turns diagnostics into problems, sorted by place, each said once.
func (c *Config) flatten(diags hcl.Diagnostics, host string) []policies.Problem {
	list := []policies.Problem{}
	seen := map[policies.Problem]bool{}
	for _, d := range diags {
		p := c.problem(d)
		p.Host = host
		values := p.Values
		p.Values = "" // one mistake in a loop is one problem, with the values of the first turn
		if !seen[p] {
			seen[p] = true
			p.Values = values
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b policies.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
	})
	if more := len(list) - maxProblems; more > 0 {
		list = append(list[:maxProblems], policies.Problem{Severity: "error", Summary: "Too many mistakes",
			Detail: fmt.Sprintf("There are %d more mistakes. Mend these first.", more), Host: host})
	}
	return list
}

func (c *Config) problem(d *hcl.Diagnostic) policies.Problem {
	p := policies.Problem{Severity: "error", Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		p.Severity = "warning"
	}
	if values, ok := d.Extra.(stoodFor); ok && !strings.HasSuffix(string(values), "not known yet") {
		p.Values = string(values)
	}
	if d.Subject == nil {
		return p
	}
	at := *d.Subject
	p.File, p.Line, p.Column = at.Filename, at.Start.Line, at.Start.Column
	src := c.tree[at.Filename]
	if file := c.files[at.Filename]; file != nil {
		p.Context = contextOf(file, at.Start.Byte)
	}
	p.Snippet, p.Highlight = snippet(src, at)
	return p
}

func contextOf(file *hcl.File, offset int) string {
	if nav, ok := file.Nav.(interface{ ContextString(int) string }); ok {
		return nav.ContextString(offset)
	}
	return ""
}

// snippet returns the line on which the range starts, and how many of its bytes count.
func snippet(src []byte, at hcl.Range) (string, int) {
	start := min(max(at.Start.Byte, 0), len(src))
	end := min(max(at.End.Byte, start), len(src))
	from, to := start, start
	for from > 0 && src[from-1] != '\n' {
		from--
	}
	for to < len(src) && src[to] != '\n' && src[to] != '\r' {
		to++
	}
	const longest = 300
	if to-from > longest {
		return "", 0
	}
	return string(src[from:to]), min(end, to) - start
}

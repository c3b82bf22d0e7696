package policies

import "fmt"

// Problem is one diagnostic in its flat form: what people, pages and --json see of a
// mistake in a policy.
type Problem struct {
	// Severity is error or warning.
	Severity string `json:"severity"`
	// Summary has constant words, so that it can be searched for.
	Summary string `json:"summary"`
	// Detail says what is wrong, why it matters and what to do, in sentences.
	Detail string `json:"detail"`
	// File, Line and Column tell where; File is empty when it is nowhere in particular.
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// Snippet is the source line, and Highlight the bytes of it from Column on that matter.
	Snippet   string `json:"snippet,omitempty"`
	Highlight int    `json:"highlight,omitempty"`
	// Context names the block it stands in, such as policy "x".
	Context string `json:"context,omitempty"`
	// Values says what the names in the expression stood for, one a line: each.key is "b".
	Values string `json:"values,omitempty"`
	// Host names the host for which it was found, when it is not so for all.
	Host string `json:"host,omitempty"`
}

// String is the one-line form file:line,column: summary.
func (p Problem) String() string {
	if p.File == "" {
		return p.Summary + ": " + p.Detail
	}
	return fmt.Sprintf("%s:%d,%d: %s; %s", p.File, p.Line, p.Column, p.Summary, p.Detail)
}

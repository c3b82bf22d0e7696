package lang

import (
	"strings"
	"testing"

	"plumb/policies"
)

func TestWrite(t *testing.T) {
	_, problems := Load(site("policy \"x\" {\n  title  = \"t\"\n  foo = 1\n}\n"))
	want := `Error: Unsupported argument

  on site.hcl line 3, in policy "x":
   3:   foo = 1

An argument named "foo" is not expected here.

`
	var b strings.Builder
	Write(&b, problems, false)
	if got := b.String(); got != want {
		t.Errorf("Write() =\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	Write(&b, problems, true)
	if got := b.String(); !strings.Contains(got, "  \x1b[4mfoo\x1b[0m = 1") {
		t.Errorf("Write() in color = %q, want foo underlined", got)
	}
}

// A policy must not steer the terminal of whoever reads about its mistakes.
func TestWriteIsPlain(t *testing.T) {
	evil := "\x1b[2J\u009b1m\r\x07"
	var b strings.Builder
	Write(&b, []policies.Problem{{Severity: "warning", Summary: evil, Detail: evil, File: evil, Line: 1, Column: 3, Highlight: 50, Snippet: evil, Context: evil, Host: evil}}, false)
	if got := b.String(); strings.ContainsAny(got, "\x1b\u009b\r\x07") || !strings.HasPrefix(got, "Warning: ") {
		t.Errorf("Write() = %q, want no control characters", got)
	}
}

func TestSnippetOfWideText(t *testing.T) {
	_, problems := Load(site("locals {\n  x = \"größe\" + lcal.y\n}\n"))
	var b strings.Builder
	Write(&b, problems, true)
	if !strings.Contains(b.String(), "\x1b[4mlcal.y\x1b[0m") {
		t.Errorf("Write() = %q, want lcal.y underlined", b.String())
	}
}

func TestWriteShowsValues(t *testing.T) {
	src := "variable \"pw\" {\n  default   = \"x\"\n  sensitive = true\n}\npolicy \"p\" {\n  resource \"directory\" \"d\" {\n" +
		"    for_each = { a = 1, b = 2 }\n    path     = parseint(\"${each.key}${each.value}${var.pw}${length(fact.packages)}\", 10)\n  }\n}\n"
	var b strings.Builder
	Write(&b, problemsOf(site(src), debian()), false)
	for _, want := range []string{"    │ each.key is \"a\"\n", "    │ each.value is 1\n", "    │ var.pw is sensitive\n", "map of string with 2 elements"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("Write() =\n%s\nwant %q in it", b.String(), want)
		}
	}
}

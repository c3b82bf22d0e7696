package modules

import (
	"fmt"
	"strings"
	"testing"
)

func TestTextDiff(t *testing.T) {
	many := func(n int, word string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s %d\n", word, i)
		}
		return b.String()
	}
	cases := map[string]struct{ before, after, want string }{
		"equal":         {"a\n", "a\n", ""},
		"new":           {"", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		"gone":          {"a\n", "", "@@ -1,1 +0,0 @@\n-a\n"},
		"one line":      {"a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		"context":       {"1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n7\n", "@@ -3,4 +3,4 @@\n 3\n 4\n 5\n-6\n+7\n"},
		"two hunks":     {"a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n", "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n"},
		"shared hunk":   {"a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n", "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n"},
		"no line break": {"a", "a\n", "@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		"binary":        {"a\x00", "b", ""},
		"no text":       {"\xff", "b", ""},
		"escapes":       {"a\n", "\x1b[31mred\n", ""},
		"too long":      {many(3000, "a"), "b\n", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := textDiff([]byte(c.before), []byte(c.after)); got != c.want {
				t.Errorf("textDiff = %q, want %q", got, c.want)
			}
		})
	}
	long := textDiff([]byte(many(1500, "old")), []byte(many(1500, "new")))
	if len(long) > maxDiff || !strings.HasSuffix(long, "the diff goes on\n") {
		t.Errorf("a long diff has %d bytes and ends with %q", len(long), long[max(0, len(long)-30):])
	}
}

func FuzzEdits(f *testing.F) {
	f.Add("a\nb\n", "b\nc\n")
	f.Add("", "\n\n")
	f.Add("x", "x\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		if len(before)+len(after) > 2000 {
			return
		}
		a, b := splitLines([]byte(before)), splitLines([]byte(after))
		var left, right []string
		for _, e := range edits(a, b) {
			if e.op != '+' {
				left = append(left, e.line)
			}
			if e.op != '-' {
				right = append(right, e.line)
			}
		}
		if strings.Join(left, "\n") != strings.Join(a, "\n") || strings.Join(right, "\n") != strings.Join(b, "\n") {
			t.Errorf("edits(%q, %q) loses lines", before, after)
		}
		if diff := textDiff([]byte(before), []byte(after)); len(diff) > maxDiff || before == after && diff != "" {
			t.Errorf("textDiff(%q, %q) = %q", before, after, diff)
		}
	})
}

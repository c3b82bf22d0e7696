package hostile

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTexts is that the texts are as many as was asked for, all different, the same for a seed, and
// of each kind that others must withstand.
func TestTexts(t *testing.T) {
	list := Texts(1, 5000)
	if !slices.Equal(list, Texts(1, 5000)) || slices.Equal(list, Texts(2, 5000)) {
		t.Error("the seed does not decide what the texts are")
	}
	different := map[string]bool{}
	for _, text := range list {
		different[text] = true
	}
	if len(list) != 5000 || len(different) != 5000 {
		t.Errorf("%d texts, %d different ones", len(list), len(different))
	}
	has := func(test func(string) bool) (n int) {
		for _, text := range list {
			if test(text) {
				n++
			}
		}
		return n
	}
	for kind, test := range map[string]func(string) bool{
		"runs":             func(s string) bool { return strings.Contains(s, Canary) },
		"an element":       func(s string) bool { return strings.Contains(strings.ToLower(s), "<script") },
		"an attribute":     func(s string) bool { return strings.Contains(strings.ToLower(s), "onerror") },
		"a template":       func(s string) bool { return strings.Contains(s, "{{") || strings.Contains(s, "${") },
		"a formula":        func(s string) bool { return strings.HasPrefix(s, "=") },
		"an escape":        func(s string) bool { return strings.Contains(s, "\x1b") },
		"an eight-bit one": func(s string) bool { return strings.Contains(s, "\u009b") },
		"NUL":              func(s string) bool { return strings.Contains(s, "\x00") },
		"bidi":             func(s string) bool { return strings.Contains(s, "\u202e") },
		"a line":           func(s string) bool { return strings.Contains(s, "\n"+Forged) },
		"no UTF-8":         func(s string) bool { return !utf8.ValidString(s) },
		"overlong":         func(s string) bool { return strings.Contains(s, "\xc0\xbc") },
		"a query":          func(s string) bool { return strings.Contains(s, "DROP TABLE") },
	} {
		if n := has(test); n < 20 {
			t.Errorf("%s: %d of 5,000 texts", kind, n)
		}
	}
}

package screen

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"plumb/testenv/hostile"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain, ä → 字\n\tb": "plain, ä → 字\n\tb", "a\x1b[31mb": "a\ufffd[31mb", "a\u009b2J": "a\ufffd2J", "a\r\nb": "a\r\nb", "a\rb": "a\ufffdb",
		"a\x00\x7fb": "a\ufffd\ufffdb", "\u202egnp": "\ufffdgnp", "\xc0\xbcscript": "\ufffdscript", "a\u2028b": "a\ufffdb",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMargin(t *testing.T) {
	for in, want := range map[string]string{
		"one": "one", "one\ntwo\n  three\n": "one\n    two\n  three\n", "\nplumb: error: forged": "\n    plumb: error: forged", "a\r\nb": "a\n    b", "a\n\tb": "a\n\tb", "a\n\x1bb": "a\n    \ufffdb",
	} {
		if got := Margin(in); got != want {
			t.Errorf("Margin(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestHostileTexts is that nothing of a corpus steers a terminal or begins a line, and that JSON still says it.
func TestHostileTexts(t *testing.T) {
	for _, text := range hostile.Texts(3, 5000) {
		var out bytes.Buffer
		if _, err := Writer(&out).Write([]byte(Margin(text) + "\n" + Line(text) + "\n")); err != nil {
			t.Fatal(err)
		}
		if obeyable(out.String()) || strings.Count(out.String(), "\r") > 0 || strings.Contains(Line(text), "\n") || strings.Contains(out.String(), "\n"+hostile.Forged) {
			t.Errorf("%q is written as %q", text, out.String())
		}
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		safe := JSON(raw)
		if json.Unmarshal(raw, &before) != nil || json.Unmarshal(safe, &after) != nil || before != after || obeyable(string(safe)) {
			t.Errorf("%q became %q in JSON, which says %q", text, safe, after)
		}
	}
}

func obeyable(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune("\r\n\t", r) || unicode.Is(unicode.Bidi_Control, r)
	})
}

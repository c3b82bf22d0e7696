package format

import (
	"bytes"
	"testing"
)

func TestFormat(t *testing.T) {
	cases := map[string]struct {
		file, src, want string
		problems        int
	}{
		"aligned":     {"a.hcl", "locals {\na=1\n  bcd   = 2\n}\n", "locals {\n  a   = 1\n  bcd = 2\n}\n", 0},
		"in order":    {"a.hcl", "locals {\n  a = 1\n}\n", "locals {\n  a = 1\n}\n", 0},
		"broken":      {"a.hcl", "locals {\n", "locals {\n", 1},
		"JSON":        {"a.hcl.json", `{"locals":   {}}`, `{"locals":   {}}`, 0},
		"broken JSON": {"a.hcl.json", `{"locals"`, `{"locals"`, 2},
	}
	for name, c := range cases {
		got, problems := Format([]byte(c.src), c.file)
		if string(got) != c.want || len(problems) != c.problems {
			t.Errorf("%s: Format() = %q, %v, want %q and %d problems", name, got, problems, c.want, c.problems)
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte("locals {\na=1\n  b   = \"${x}\"\n}\n"))
	f.Add([]byte("policy \"p\" { title = <<-E\n  x\n  E\n}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		once, problems := Format(src, "a.hcl")
		if len(problems) > 0 {
			return
		}
		if _, problems := Format(once, "a.hcl"); len(problems) > 0 {
			t.Fatalf("Format(%q) = %q, which does not parse: %v", src, once, problems)
		}
		if !bytes.Equal(tokens(src), tokens(once)) {
			t.Fatalf("Format(%q) = %q, which says something else", src, once)
		}
	})
}

// tokens drops white space, all that a format may change.
func tokens(src []byte) []byte { return bytes.Join(bytes.Fields(src), nil) }

package lang

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"plumb/policies/bundle"
)

var expected = regexp.MustCompile(`# (ERROR|WARNING): ([^;#"\n]*[^;#"\n ])(?:; (.+?))?(?:"?$)`)

// Each file of testdata/errors says on the line of a mistake what is to be found there:
// "# ERROR: Summary", and after a semicolon words of the detail. Nothing else may be found.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.hcl*")
	if err != nil || len(files) < 10 {
		t.Fatalf("testdata/errors has %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { checkErrors(t, file) })
	}
}

func checkErrors(t *testing.T, file string) {
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree := bundle.Tree{filepath.Base(file): src, "files/motd.txt": []byte("hello"), "files/bad.tmpl": []byte("line\n${nmae}\n")}
	var want, got []string
	for n, line := range strings.Split(string(src), "\n") {
		for _, m := range expected.FindAllStringSubmatch(line, -1) {
			want = append(want, fmt.Sprintf("%d: %s: %s", n+1, strings.ToLower(m[1]), m[2]))
		}
	}
	details := map[string]string{}
	for _, p := range problemsOf(tree, debian()) {
		key := fmt.Sprintf("%d: %s: %s", p.Line, p.Severity, p.Summary)
		got = append(got, key)
		details[key] += p.Detail
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("problems =\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	checkDetails(t, src, details)
}

func checkDetails(t *testing.T, src []byte, details map[string]string) {
	for n, line := range bytes.Split(src, []byte("\n")) {
		for _, m := range expected.FindAllStringSubmatch(string(line), -1) {
			key := fmt.Sprintf("%d: %s: %s", n+1, strings.ToLower(m[1]), m[2])
			if m[3] != "" && !strings.Contains(details[key], m[3]) {
				t.Errorf("line %s says %q, want %q in it", key, details[key], m[3])
			}
		}
	}
}

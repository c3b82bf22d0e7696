package web

import (
	"strings"
	"testing"

	"plumb/policies"
)

// TestLongDiffsAreFolded has a file of which all differs: the page tells how many lines that are, and has them all.
func TestLongDiffsAreFolded(t *testing.T) {
	f := newFleet(t)
	f.release("Begin", start)
	short, long := edited(), edited()
	long.Changes[0].Diff = "--- a\n+++ b\n@@ -0,0 +1,40 @@\n" + strings.Repeat("+one more\n", 40)
	f.report(f.enrol("short.example.org", nil), report{results: map[string]policies.ResourceResult{dropin: short}})
	f.report(f.enrol("long.example.org", nil), report{results: map[string]policies.ResourceResult{dropin: long}})
	for address, want := range map[string]int{"/drift?host=long.example.org": 1, "/drift?host=short.example.org": 0} {
		body := f.visit(address).body
		check(t, body)
		if got := strings.Count(body, "<details class=\"long\"><summary>Diff of 43 lines</summary>"); got != want {
			t.Errorf("%s folds %d diffs, want %d", address, got, want)
		}
		if got := strings.Count(body, "one more"); got != 40*want {
			t.Errorf("%s has %d lines of the long diff, want %d", address, got, 40*want)
		}
		if !strings.Contains(body, `class="diff"`) {
			t.Errorf("%s has no diff", address)
		}
	}
}

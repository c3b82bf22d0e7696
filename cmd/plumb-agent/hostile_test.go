package main

import (
	"strconv"
	"strings"
	"testing"

	"plumb/policies/bundle"
	"plumb/policies/screen"
)

// TestHostilePolicy prints what a policy says in its diagnostics, results and catalog, and nothing of it steers the terminal.
func TestHostilePolicy(t *testing.T) {
	h := newHost(t)
	const text = "\u009b2J\u202egnp"
	good := strings.Replace(motd, "Welcome to %s", text, 1)
	bad := strings.Replace(good, `mode    = "enforce"`, "mode = "+strconv.Quote("x")+" # "+text, 1)
	dir := write(t, bundle.Tree{"main.hcl": []byte(good)})
	for _, args := range [][]string{
		{"apply", dir},
		{"apply", dir, "--audit", "--json"},
		{"why", "policy.greeting.file.motd"},
		{"status"},
		{"apply", write(t, bundle.Tree{"main.hcl": []byte(bad)})},
	} {
		stdout, stderr, _ := h.agent(args...)
		if all := stdout + stderr; all == "" || screen.Text(all) != all {
			t.Errorf("%s printed %q", args[0], all)
		}
	}
}

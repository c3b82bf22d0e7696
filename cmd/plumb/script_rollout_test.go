package main

import (
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// until N PATTERN waits until `plumb rollout show N` prints a line that matches.
func waitRollout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until N PATTERN")
	}
	pattern := regexp.MustCompile(args[1])
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if err := ts.Exec("plumb", "rollout", "show", args[0], "--data", ts.Getenv("DATA")); err != nil {
			ts.Fatalf("%v\n%s", err, ts.ReadFile("server.log"))
		}
		out := ts.ReadFile("stdout")
		if pattern.MatchString(out) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("rollout %s never matched %q:\n%s", args[0], args[1], out)
		}
	}
}

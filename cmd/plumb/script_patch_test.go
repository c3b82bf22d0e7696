package main

import (
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// offered PATTERN waits until `plumb patch status` prints what matches: the server compiles
// what policy says about a host a moment after the host has reported.
func waitOffered(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: offered PATTERN")
	}
	pattern := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if err := ts.Exec("plumb", "patch", "status", "--data", ts.Getenv("DATA")); err != nil {
			ts.Fatalf("%v\n%s", err, ts.ReadFile("server.log"))
		}
		out := ts.ReadFile("stdout")
		if pattern.MatchString(out) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("patch status never matched %q:\n%s\n%s", args[0], out, ts.ReadFile("server.log"))
		}
	}
}

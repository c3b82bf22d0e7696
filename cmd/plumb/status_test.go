package main

import (
	"bytes"
	"strings"
	"testing"

	"plumb/server/views"
)

func TestStatusTellsWhatFlaps(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "1 resource flapping", 2: "2 resources flapping"} {
		var out bytes.Buffer
		(&terminal{out: &out}).printFleet(views.Fleet{Flapping: n})
		if want == "" && strings.Contains(out.String(), "flapping") || !strings.Contains(out.String(), want) {
			t.Errorf("with %d: %q", n, out.String())
		}
	}
}

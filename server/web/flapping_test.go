package web

import (
	"testing"

	"plumb/server/views"
)

// TestFleetCountsFlapping counts the resource that two managers fight for.
func TestFleetCountsFlapping(t *testing.T) {
	f := newFleet(t)
	f.show()
	read := views.Reader{Store: f.store, Policy: policyStub{f}.Status}
	before, err := read.Fleet(t.Context(), start)
	must(t, err)
	f.fight("fight1.example.org")
	after, err := read.Fleet(t.Context(), start)
	must(t, err)
	if before.Flapping != 0 || after.Flapping != 1 {
		t.Errorf("flapping = %d and then %d, want 0 and 1", before.Flapping, after.Flapping)
	}
}

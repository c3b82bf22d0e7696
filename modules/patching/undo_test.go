package patching

import (
	"strings"
	"testing"

	"plumb/policies"
	"plumb/policies/calendar"
)

func TestUndo(t *testing.T) {
	w := newWorld(t)
	w.needs["a 2"] = []string{"n 2"}
	w.publish("n", "2")
	w.run()
	w.order.Undo = true
	status, out, err := w.run()
	if status != policies.Repaired || w.versions() != "a 1, b 1, c 1, n 2" || !out.RolledBack || out.Rollback != askedFor {
		t.Fatalf("undo = %s, %+v, %v with %s", status, out, err, w.versions())
	}
	if status, out, _ = w.run(); status != policies.Compliant || !out.RolledBack {
		t.Errorf("after the undo = %s, %+v", status, out)
	}
	w.order.Undo = false // a person says: go on
	if status, _, err = w.run(); status != policies.Repaired || w.versions() != "a 2, b 2, c 2, n 2" {
		t.Errorf("after going on = %s, %v with %s", status, err, w.versions())
	}
	w.sound("undo")
}

func TestUndoLeavesWhatOthersInstalled(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.install("b", "9")
	w.order.Undo = true
	w.run()
	if w.versions() != "a 1, b 9, c 1" {
		t.Errorf("undo = %s, want b left alone", w.versions())
	}
}

// A cycle that was done, and a package that somebody put back: undo knows the versions before both.
func TestUndoOfTwoAttempts(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.there["b"] = "1"
	w.run()
	w.order.Undo = true
	w.run()
	if w.versions() != "a 1, b 1, c 1" {
		t.Errorf("undo = %s", w.versions())
	}
}

// A cycle waits for its reboot, and the next one is undone before it began here: the reboot is still owed.
// Found by TestHistories.
func TestUndoOfTheNextCycleLeavesTheReboot(t *testing.T) {
	w := newWorld(t)
	w.spec.Reboot = "as_needed"
	w.boots["a"] = true
	w.open = map[string]bool{calendar.Package: true}
	if status, _, err := w.run(); status != policies.Pending {
		t.Fatalf("without a window for reboots = %s, %v", status, err)
	}
	w.publish("a", "3")
	w.give(2, "a 3")
	w.order.Undo = true
	w.run()
	w.open[calendar.Reboot] = true
	status, out, err := w.settleDown()
	if w.versions() != "a 2, b 2, c 2" || w.drained || w.reboots != 1 || status == policies.Pending {
		t.Errorf("it ended as %s, %+v, %v with %s after %d reboots, drained %v", status, out, err, w.versions(), w.reboots, w.drained)
	}
}

// The way back of a cycle leaves a package half configured, and the next cycle is undone before it began
// here: the host says so until the package can be mended. Found by TestHistories.
func TestUndoOfTheNextCycleTellsOfAHalfPackage(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.bad["a 2"], w.bad["a 3"] = true, true
	w.publish("a", "3")
	w.give(2, "a 3")
	w.settleDown()
	if len(w.half) == 0 {
		t.Fatalf("nothing is half done: %v", w.log)
	}
	w.publish("a", "4")
	w.give(3, "a 4")
	w.order.Undo = true
	if status, _, err := w.run(); status != policies.Failed || err == nil || !strings.Contains(err.Error(), "cannot mend a") {
		t.Errorf("with a half package = %s, %v", status, err)
	}
	w.frozen, w.bad = true, map[string]bool{}
	if status, _, err := w.run(); status != policies.Pending || len(w.half) == 0 {
		t.Errorf("while changes are frozen = %s, %v", status, err)
	}
	w.frozen = false
	w.run()
	if status, _, err := w.settleDown(); status != policies.Compliant || len(w.half) > 0 {
		t.Errorf("mended = %s, %v with %v half", status, err, w.half)
	}
}

// A host that was killed before it went back into service, to wait there for its reboot, gets a new cycle that
// fails before it touches anything. It must not stay out of service. Found by TestHistories.
func TestNextCycleThatFailsAtOncePutsTheHostBackIntoService(t *testing.T) {
	resting := func() *world {
		w := newWorld(t)
		w.boots["a"] = true
		w.open = map[string]bool{calendar.Package: true}
		return w
	}
	whole := resting()
	whole.run()
	drained := 0
	for at := 1; at <= whole.effects; at++ {
		w := resting()
		w.killAt = at
		if w.run(); w.drained {
			drained++
		}
		w.publish("a", "3")
		w.give(2, "a 3")
		w.hookFail["before"] = true
		if status, _, err := w.settleDown(); w.drained {
			t.Fatalf("killed at effect %d: it is out of service and %s, %v\n%v", at, status, err, w.log)
		}
	}
	if drained == 0 {
		t.Error("no kill left the host out of service")
	}
}

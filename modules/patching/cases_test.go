package patching

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
)

// TestOneRun tells what one run makes of one world.
func TestOneRun(t *testing.T) {
	block := func(action string, packages ...string) func(*world) {
		return func(w *world) {
			w.spec.Baseline.Rejects = []patch.Reject{{Packages: packages, Action: action, Reason: "by hand"}}
		}
	}
	both := func(list ...func(*world)) func(*world) {
		return func(w *world) {
			for _, f := range list {
				f(w)
			}
		}
	}
	cases := map[string]struct {
		make     func(*world)
		status   policies.Status
		versions string
		says     string // in the error or the outcome
	}{
		"no order":                 {func(w *world) { w.order = nil }, policies.Compliant, "a 1, b 1, c 1", "Phase:idle"},
		"nothing for this host":    {func(w *world) { w.give(1, "z 2") }, policies.Compliant, "a 1, b 1, c 1", "Phase:done"},
		"not a downgrade":          {func(w *world) { w.install("a", "3") }, policies.Repaired, "a 3, b 2, c 2", "Phase:done"},
		"not a new package":        {func(w *world) { w.give(1, "a 2", "z 2"); w.publish("z", "2") }, policies.Repaired, "a 2, b 1, c 1", "Phase:done"},
		"blocked here":             {block(patch.Block, "b"), policies.Repaired, "a 2, b 1, c 2", "Phase:done"},
		"only as a dependency":     {block(patch.AllowAsDependency, "b"), policies.Repaired, "a 2, b 1, c 2", "Phase:done"},
		"another repository":       {func(w *world) { w.spec.Baseline.Sources[0].Label = "Other" }, policies.Compliant, "a 1, b 1, c 1", "Phase:done"},
		"named by the baseline":    {func(w *world) { w.spec.Baseline.Sources = nil; w.spec.Baseline.Approved = []string{"c"} }, policies.Repaired, "a 1, b 1, c 2", "Phase:done"},
		"window closed":            {func(w *world) { w.open[calendar.Package] = false }, policies.Pending, "a 1, b 1, c 1", "waits for the window"},
		"frozen":                   {func(w *world) { w.frozen = true }, policies.Pending, "a 1, b 1, c 1", "frozen"},
		"locked":                   {func(w *world) { w.busy = 1 }, policies.Pending, "a 1, b 1, c 1", "unattended-upgr"},
		"no room":                  {func(w *world) { w.full = true }, policies.Failed, "a 1, b 1, c 1", "not enough room on /var and /usr"},
		"no room on a mount point": {func(w *world) { w.spec.MinFree = map[string]int64{"/boot": 1 << 50} }, policies.Failed, "a 1, b 1, c 1", "/boot"},
		"a clock that went wrong":  {func(w *world) { w.order.Taken = clock.Add(48 * time.Hour).Unix() }, policies.Pending, "a 1, b 1, c 1", "clock"},
		"mended first": {func(w *world) { w.half["m"] = "7"; delete(w.there, "m") },
			policies.Repaired, "a 2, b 2, c 2, m 7", "Phase:done"},
		"cannot be mended": {func(w *world) { w.half["m"] = "7"; w.bad["m 7"] = true }, policies.Failed, "a 1, b 1, c 1", "cannot mend m"},
		"one has gone": {func(w *world) { delete(w.repo, "b 2") },
			policies.Pending, "a 2, b 1, c 2", "b 2 has left the repository"},
		"one has gone, newest takes its place": {func(w *world) { delete(w.repo, "b 2"); w.publish("b", "3"); w.spec.Superseded = "newest" },
			policies.Repaired, "a 2, b 3, c 2", "Phase:done"},
		"one has gone that was fetched once": {func(w *world) { delete(w.repo, "b 2"); w.fetched["b 2"] = true },
			policies.Pending, "a 2, b 1, c 2", "b 2 has left the repository"},
		"one is in newer lists": {func(w *world) { delete(w.repo, "b 2"); w.behind = map[string]bool{"b 2": true} }, policies.Repaired, "a 2, b 2, c 2", "Phase:done"},
		"one has gone, and newer lists have the newest": {func(w *world) {
			delete(w.repo, "b 2")
			w.behind = map[string]bool{"b 3": true}
			w.spec.Superseded = "newest"
		},
			policies.Repaired, "a 2, b 3, c 2", "Phase:done"},
		"one comes from elsewhere, whatever the set says": {func(w *world) { w.from["b 2"] = "Backports"; w.publish("b", "3") },
			policies.Pending, "a 2, b 1, c 2", "only Test/Backports/one has it"},
		"one comes from elsewhere, and the newest takes its place": {func(w *world) { w.from["b 2"] = "Backports"; w.publish("b", "3"); w.spec.Superseded = "newest" },
			policies.Repaired, "a 2, b 3, c 2", "Phase:done"},
		"one comes from elsewhere and from a source": {func(w *world) { w.from["b 2"] = "Backports"; w.also["b 2"] = "Security"; w.publish("b", "3") },
			policies.Repaired, "a 2, b 2, c 2", "Phase:done"},
		"one comes from elsewhere and is named": {func(w *world) {
			w.from["b 2"] = "Backports"
			w.publish("b", "3")
			w.spec.Baseline.Approved = []string{"b"}
		}, policies.Repaired, "a 2, b 2, c 2", "Phase:done"},
		"an older one has a source": {func(w *world) {
			w.publish("b", "3")
			w.publish("b", "4")
			w.from["b 3"] = "Backports"
			w.give(1, "a 2", "b 2", "b 3", "c 2")
		}, policies.Repaired, "a 2, b 2, c 2", "Phase:done"},
		"blocked by its source, whatever the set says": {both(func(w *world) { w.source["b"] = "beta"; w.publish("b", "3") }, block(patch.Block, "beta")),
			policies.Repaired, "a 2, b 1, c 2", "Phase:done"},
		"one needs what the set says to be from a source": {func(w *world) {
			w.needs["a 2"] = []string{"b 2"}
			w.from["b 2"] = "Backports"
			w.publish("b", "3")
		}, policies.Pending, "a 1, b 1, c 2", "it needs b 2, which no source of the baseline has"},
		"one needs something new that is blocked by its source": {both(func(w *world) {
			w.needs["a 2"] = []string{"n 2"}
			w.publish("n", "2")
			w.source["n"] = "nu"
		}, block(patch.Block, "nu")), policies.Pending, "a 1, b 2, c 2", "which the baseline blocks: by hand"},
		"one is held": {func(w *world) { w.needs["b 2"] = []string{"q 1"} }, policies.Pending, "a 2, b 1, c 2", "needs q 1, which is nowhere"},
		"one removes": {func(w *world) { w.removes["b 2"] = "mailer" }, policies.Pending, "a 2, b 1, c 2", "mailer would be removed"},
		"one needs an update of the set": {func(w *world) { w.give(1, "a 2"); w.needs["a 2"] = []string{"b 2"} },
			policies.Repaired, "a 2, b 2, c 1", "Phase:done"},
		"one needs an update from elsewhere": {both(func(w *world) { w.needs["a 2"] = []string{"b 2"}; w.give(1, "a 2", "c 2") },
			func(w *world) { w.spec.Baseline = patch.Baseline{Approved: []string{"a", "c"}} }),
			policies.Pending, "a 1, b 1, c 2", "no source of the baseline has"},
		"one needs what is blocked": {both(func(w *world) { w.needs["a 2"] = []string{"n 2"}; w.publish("n", "2") }, block(patch.Block, "n")),
			policies.Pending, "a 1, b 2, c 2", "which the baseline blocks: by hand"},
		"one needs what is allowed as a dependency": {both(func(w *world) { w.needs["a 2"] = []string{"b 2"} }, block(patch.AllowAsDependency, "b")),
			policies.Repaired, "a 2, b 2, c 2", "Phase:done"},
		"one needs an older version": {func(w *world) { w.install("b", "3"); w.needs["a 2"] = []string{"b 2"} },
			policies.Pending, "a 1, b 3, c 2", "would go from 3 back to 2"},
		"something new is told": {func(w *world) { w.needs["a 2"] = []string{"n 2"}; w.publish("n", "2") },
			policies.Repaired, "a 2, b 2, c 2, n 2", "n 2 is new"},
		"a conffile holds": {func(w *world) { w.spec.Conffiles = "hold"; w.changed = []string{"b"} },
			policies.Pending, "a 2, b 1, c 2", "another /etc/b"},
		"a conffile that is kept is told": {func(w *world) { w.changed = []string{"b"} }, policies.Repaired, "a 2, b 2, c 2", "Path:/etc/b Package:b Policy:keep"},
		"the window closes on the way":    {func(w *world) { w.closing = 4 }, policies.Pending, "a 2, b 1, c 1", "a part of the updates is in"},
		"the window closes before":        {func(w *world) { w.closing = 3 }, policies.Pending, "a 1, b 1, c 1", "waits for the window"},
		"a failing script":                {func(w *world) { w.bad["b 2"] = true }, policies.Failed, "a 1, b 1, c 1", "RolledBack:true"},
		"a failing probe":                 {func(w *world) { w.sick["b 2"] = true }, policies.Failed, "a 1, b 1, c 1", "b does not answer"},
		"no way back wanted":              {func(w *world) { w.sick["b 2"] = true; w.spec.Rollback = "none" }, policies.Failed, "a 2, b 2, c 2", "as the rollout says"},
		"no way back there": {func(w *world) { w.bad["b 2"] = true; delete(w.repo, "b 1") },
			policies.Failed, "a 1, c 1", "there may be no way back to b 1"},
		"the drain fails":        {func(w *world) { w.hookFail["drain"] = true }, policies.Failed, "a 1, b 1, c 1", "no package was touched"},
		"the hook after fails":   {func(w *world) { w.hookFail["after"] = true }, policies.Repaired, "a 2, b 2, c 2", "the hook after failed"},
		"the hook undrain fails": {func(w *world) { w.hookFail["undrain"] = true }, policies.Failed, "a 2, b 2, c 2", "the hook undrain failed"},
		"a reboot is wanted":     {func(w *world) { w.boots["a"] = true }, policies.Pending, "a 2, b 2, c 2", "waits for the reboot: a"},
		"a reboot waits":         {func(w *world) { w.boots["a"] = true; w.open[calendar.Reboot] = false }, policies.Pending, "a 2, b 2, c 2", "a reboot is needed (a): waits"},
		"a reboot is only told":  {func(w *world) { w.boots["a"] = true; w.spec.Reboot = "services_only" }, policies.Repaired, "a 2, b 2, c 2", "Reboot:[a]"},
		"nothing is restarted":   {func(w *world) { w.spec.Reboot = "never" }, policies.Repaired, "a 2, b 2, c 2", "Stale:[a.service b.service c.service]"},
		"the agent is not restarted": {func(w *world) {
			w.install("plumb-agent", "1")
			w.publish("plumb-agent", "2")
			w.give(1, "plumb-agent 2")
		}, policies.Repaired, "a 1, b 1, c 1, plumb-agent 2", "Stale:[plumb-agent.service]"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.make(w)
			status, out, err := w.run()
			said := fmt.Sprintf("%v %+v", err, *out)
			if status != c.status || w.versions() != c.versions || !strings.Contains(said, c.says) {
				t.Errorf("run = %s with %s:\n%s\nwant %s with %s and %q\n%v", status, w.versions(), said, c.status, c.versions, c.says, w.log)
			}
			for _, wrong := range w.wrongs {
				t.Error(wrong)
			}
		})
	}
}

func TestCheckAsksLittle(t *testing.T) {
	w := newWorld(t)
	w.needs["b 2"] = []string{"q 1"} // stays held
	w.run()
	w.calls = map[string]int{}
	if status, _, _ := w.run(); status != policies.Pending || w.calls["plan"]+w.calls["offers"]+w.calls["update"] > 0 {
		t.Errorf("a run in which nothing changed is %s and asked %v", status, w.calls)
	}
	w.publish("q", "1")
	if status, _, err := w.run(); status != policies.Repaired || w.versions() != "a 2, b 2, c 2, q 1" {
		t.Errorf("with what was missing = %s, %v, %s", status, err, w.versions())
	}
	w.order, w.calls = nil, map[string]int{}
	if w.run(); len(w.calls) > 0 {
		t.Errorf("without an order it asked %v", w.calls)
	}
}

func TestFailedSetIsNotTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.bad["b 2"] = true
	w.run()
	count := w.effects
	status, out, err := w.run()
	if status != policies.Failed || w.effects != count || !out.RolledBack || out.Phase != policies.PhaseRolledBack || !strings.Contains(err.Error(), "the script of b 2 failed") {
		t.Fatalf("the run after = %s, %+v, %v", status, out, err)
	}
	w.publish("b", "3")
	w.give(2, "a 2", "b 3", "c 2")
	if status, _, err := w.settleDown(); status != policies.Repaired || w.versions() != "a 2, b 3, c 2" {
		t.Fatalf("the next cycle = %s, %v, %s", status, err, w.versions())
	}
}

func TestPresses(t *testing.T) {
	hours := func(n int) int64 { return clock.Add(time.Duration(n) * time.Hour).Unix() }
	cases := map[string]struct {
		make func(*world)
		want string
	}{
		"nothing begun":   {func(w *world) {}, ""},
		"begun":           {func(w *world) { w.killAt = 20; w.run() }, "was begun"},
		"done":            {func(w *world) { w.run() }, ""},
		"waits to reboot": {func(w *world) { w.boots["a"] = true; w.open[calendar.Reboot] = false; w.run() }, ""},
		"deadline over": {func(w *world) {
			w.spec.Deadline = 24 * time.Hour
			w.order.Offered, w.order.Taken = hours(-25), hours(-25)
		}, "the deadline of patch cycle 1 was 2026-11-21 11:00 UTC"},
		"deadline ahead": {func(w *world) { w.spec.Deadline = 24 * time.Hour; w.order.Offered = hours(-23) }, ""},
		"grace ahead": {func(w *world) {
			w.spec.Deadline, w.spec.Grace = 24*time.Hour, 2*time.Hour
			w.order.Offered, w.order.Taken = hours(-25), hours(-1)
		}, ""},
		"grace over, too": {func(w *world) {
			w.spec.Deadline, w.spec.Grace = 24*time.Hour, 2*time.Hour
			w.order.Offered, w.order.Taken = hours(-25), hours(-3)
		}, "the deadline"},
		"failed here": {func(w *world) { w.bad["a 2"] = true; w.run(); w.spec.Deadline = 1; w.order.Offered = hours(-3) }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.make(w)
			got := w.machine().Presses(clock)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("Presses = %q, want %q", got, c.want)
			}
		})
	}
}

// One damaged copy of the journal loses nothing, whichever it is and wherever the run was cut off.
func TestOneDamagedCopy(t *testing.T) {
	for at := 7; at < 50; at++ {
		for i := range 2 {
			w := newWorld(t)
			w.bad["c 2"] = true
			w.killAt = at
			w.run()
			path := w.machine().shelf.copies()[i]
			if _, err := os.Stat(path); err != nil {
				continue
			}
			if err := os.WriteFile(path, []byte(`{"sum":"0","body":{"stage":"done"}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			if w.settleDown(); w.versions() != "a 1, b 1, c 1" {
				t.Fatalf("killed at %d, copy %d damaged: it ended with %s\n%v", at, i, w.versions(), w.log)
			}
			w.sound(fmt.Sprintf("killed at %d, copy %d damaged", at, i))
		}
	}
}

// Without any copy nobody knows the way back, but the host ends whole, in service, and says so.
func TestLostJournal(t *testing.T) {
	for at := 9; at < 60; at++ {
		w := newWorld(t)
		w.killAt = at
		w.run()
		for _, path := range w.machine().shelf.copies() {
			if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		status, out, err := w.settleDown()
		if w.versions() != "a 2, b 2, c 2" || !strings.Contains(fmt.Sprint(out.Notes), "damaged") {
			t.Fatalf("killed at %d: %s with %s, %+v, %v\n%v", at, status, w.versions(), out, err, w.log)
		}
		w.sound(fmt.Sprintf("lost at %d", at))
		w.order.Undo = true
		if status, _, err = w.run(); status != policies.Failed || !strings.Contains(err.Error(), "not known any more") {
			t.Fatalf("undo of a lost journal = %s, %v", status, err)
		}
	}
}

func FuzzJournal(f *testing.F) {
	good, err := seal(journal{Rollout: "r", Stage: stageInstall, Moves: []move{{Name: "a", Before: "1", After: "2"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("{}"))
	f.Add([]byte(`{"sum":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","body":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		j, err := unseal(raw, "r")
		if err == nil && (j.Rollout != "r" || j.Step < 0 || j.Step > len(j.Steps)) {
			t.Errorf("unseal(%q) = %+v", raw, j)
		}
	})
}

// A set that failed is history when a new one has nothing for the host.
func TestOldFailureIsHistory(t *testing.T) {
	w := newWorld(t)
	w.bad["b 2"] = true
	w.run()
	w.give(2, "z 1")
	if status, out, err := w.run(); status != policies.Compliant || out.Phase != policies.PhaseDone || out.Cycle != 2 {
		t.Errorf("with the next set = %s, %+v, %v", status, out, err)
	}
}

// A run that was cut off finishes its own cycle and then takes the newer one.
func TestNewerCycleComesOnTheWay(t *testing.T) {
	for at := 1; at < 60; at++ {
		w := newWorld(t)
		w.bad["b 2"] = true
		w.killAt = at
		w.run()
		w.killAt = 0
		w.publish("b", "3")
		w.give(2, "a 2", "b 3", "c 2")
		if status, _, err := w.run(); status != policies.Repaired || w.versions() != "a 2, b 3, c 2" {
			t.Fatalf("killed at %d: %s with %s, %v", at, status, w.versions(), err)
		}
		w.sound(fmt.Sprintf("killed at %d", at))
	}
}

func withKernel(t *testing.T) *world {
	w := newWorld(t)
	w.kernels = []system.Kernel{{Package: "linux-9", Release: "9"}, {Package: "linux-10", Release: "10"}, {Package: "linux-11", Release: "11", Running: true, Newest: true}}
	w.boots["linux"] = true
	w.install("linux", "11")
	w.publish("linux", "12")
	w.give(1, "linux 12")
	return w
}

func TestKernelIsBootedAndOldOnesGo(t *testing.T) {
	one := 1
	w := withKernel(t)
	w.spec.Kernels = &one
	status, out, err := w.settleDown()
	if status != policies.Repaired || w.reboots != 1 || err != nil {
		t.Fatalf("it ended as %s after %d reboots: %+v, %v", status, w.reboots, out, err)
	}
	want := []string{"linux-9", "linux-10"} // 12 runs and is the newest, 11 is the one more
	if !slices.Equal(out.Kernels, want) && !slices.Equal(out.Kernels, []string{"linux-10", "linux-9"}) || len(w.kernels) != 2 {
		t.Errorf("removed %v, left %v; want %v removed", out.Kernels, w.kernels, want)
	}
}

func TestWrongKernelGoesBack(t *testing.T) {
	w := withKernel(t)
	w.stuck = true
	status, out, err := w.settleDown()
	if status != policies.Failed || w.there["linux"] != "11" || !out.RolledBack || !strings.Contains(err.Error(), "runs the kernel 11 and not the new one, 12") {
		t.Errorf("it ended as %s with %s: %+v, %v", status, w.versions(), out, err)
	}
}

// One version before cannot be had any more: the others come back, and in spite of what is broken.
func TestBringBackWhatCanBe(t *testing.T) {
	w := newWorld(t)
	w.needs["c 2"] = []string{"b 2"}
	w.give(1, "a 2", "c 2")
	w.bad["c 2"] = true
	delete(w.repo, "a 1")
	status, out, err := w.run()
	if status != policies.Failed || w.versions() != "a 2, b 1, c 1" || out.RolledBack || !strings.Contains(err.Error(), "cannot bring back a 1") {
		t.Errorf("run = %s with %s, %+v, %v", status, w.versions(), out, err)
	}
	w.sound("brought back in part")
}

// A new package whose script fails has no version before: that it stays broken is said.
func TestNewPackageThatIsBroken(t *testing.T) {
	w := newWorld(t)
	w.needs["b 2"] = []string{"n 2"}
	w.publish("n", "2")
	w.bad["n 2"] = true
	status, out, err := w.settleDown()
	if status != policies.Failed || w.versions() != "a 1, b 1, c 1" || w.drained || out.RolledBack || !strings.Contains(err.Error(), "cannot mend n") {
		t.Errorf("it ended as %s with %s, drained %v: %+v, %v", status, w.versions(), w.drained, out, err)
	}
}

// The reboot was permitted and did not happen before the window closed: the host goes back into service.
func TestRebootThatCameTooLate(t *testing.T) {
	w := newWorld(t)
	w.boots["a"] = true
	if w.run(); w.wanted == "" || !w.drained {
		t.Fatalf("no reboot is wanted: %v", w.log)
	}
	w.open[calendar.Reboot] = false
	status, out, err := w.run()
	if status != policies.Pending || w.wanted != "" || w.drained || out.Phase != policies.PhaseReboot {
		t.Errorf("with the window closed = %s, %+v, %v; wanted %q, drained %v", status, out, err, w.wanted, w.drained)
	}
	w.open[calendar.Reboot] = true
	if status, _, err := w.settleDown(); status != policies.Repaired || w.reboots != 1 {
		t.Errorf("in the next window = %s, %v after %d reboots", status, err, w.reboots)
	}
}

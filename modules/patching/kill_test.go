package patching

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
)

// scenes are worlds with what their end must be.
func scenes() map[string]struct {
	make func(*world)
	end  []string // versions that are fine at the end
} {
	updated, before := "a 2, b 2, c 2", "a 1, b 1, c 1"
	type scene = struct {
		make func(*world)
		end  []string
	}
	return map[string]scene{
		"good":             {func(w *world) {}, []string{updated}},
		"a step of two":    {func(w *world) { w.needs["a 2"] = []string{"b 2"} }, []string{updated}},
		"a new dependency": {func(w *world) { w.needs["b 2"] = []string{"n 2"}; w.publish("n", "2") }, []string{"a 2, b 2, c 2, n 2"}},
		"reboot":           {func(w *world) { w.boots["b"] = true }, []string{updated}},
		"reboot later":     {func(w *world) { w.boots["b"] = true; w.open[calendar.Reboot] = false }, []string{updated}},
		"always reboots":   {func(w *world) { w.spec.Reboot = "always" }, []string{updated}},
		"snapshot":         {func(w *world) { snapshots(w) }, []string{updated}},
		"a script fails":   {func(w *world) { w.bad["b 2"] = true }, []string{before}},
		"a service breaks": {func(w *world) { w.sick["c 2"] = true }, []string{before}},
		"it breaks by the reboot": {func(w *world) { w.boots["c"] = true; w.sick["c 2"] = true; w.spec.Probes = nil },
			[]string{before}},
		"a script fails after a snapshot": {func(w *world) { snapshots(w); w.bad["b 2"] = true }, []string{before}},
		"the snapshot cannot be restored": {func(w *world) { snapshots(w); w.bad["b 2"] = true; w.hookFail["restore"] = true }, []string{before}},
		"the drain hook fails":            {func(w *world) { w.hookFail["drain"] = true }, []string{before}},
		"no rollback":                     {func(w *world) { w.spec.Rollback = "none"; w.sick["c 2"] = true }, []string{updated}},
		"a kernel": {func(w *world) {
			none := 0
			w.spec.Kernels = &none
			w.kernels = []system.Kernel{{Package: "k0", Release: "10"}, {Package: "k1", Release: "11", Running: true, Newest: true}}
		}, []string{updated}},
	}
}

func snapshots(w *world) {
	w.spec.Rollback = "snapshot"
	w.spec.Hooks.Snapshot, w.spec.Hooks.Restore, w.spec.Hooks.Discard = []string{"snapshot"}, []string{"restore"}, []string{"discard"}
}

// Whatever effect is the last one of a run, the next runs bring the host to the same end.
func TestKilledAtEveryEffect(t *testing.T) {
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			whole := newWorld(t)
			scene.make(whole)
			whole.settleDown()
			if whole.effects < 10 {
				t.Fatalf("there were only %d effects", whole.effects)
			}
			for at := 1; at <= whole.effects; at++ {
				w := newWorld(t)
				scene.make(w)
				w.killAt = at
				w.settleDown()
				w.open[calendar.Reboot] = true
				status, out, err := w.settleDown()
				when := fmt.Sprintf("killed at effect %d", at)
				if !slices.Contains(scene.end, w.versions()) {
					t.Errorf("%s: it ended with %s (%s, %v), want %v\n%v", when, w.versions(), status, err, scene.end, w.log)
				}
				if w.reboots > 1 {
					t.Errorf("%s: it rebooted %d times", when, w.reboots)
				}
				if out == nil || out.Phase != policies.PhaseDone && status != policies.Failed {
					t.Errorf("%s: it ended as %s: %+v, %v", when, status, out, err)
				}
				w.sound(when)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// The host may lose power at each effect, too, and boot again.
func TestPowerCutAtEveryEffect(t *testing.T) {
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			whole := newWorld(t)
			scene.make(whole)
			whole.settleDown()
			for at := 1; at <= whole.effects; at++ {
				w := newWorld(t)
				scene.make(w)
				w.killAt = at
				w.run()
				w.powerCut()
				w.settleDown()
				w.open[calendar.Reboot] = true
				status, _, err := w.settleDown()
				when := fmt.Sprintf("power cut at effect %d", at)
				if !slices.Contains(scene.end, w.versions()) {
					t.Fatalf("%s: it ended with %s (%s, %v), want %v\n%v", when, w.versions(), status, err, scene.end, w.log)
				}
				w.sound(when)
			}
		})
	}
}

// Histories of everything at once: kills, power cuts, windows that open and close, freezes,
// locks, new cycles, undos, failing packages and hooks.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.spec.Reboot = rapid.SampledFrom([]string{"as_needed", "never", "always", "services_only"}).Draw(rt, "reboot")
		if rapid.Bool().Draw(rt, "snapshots") {
			snapshots(w)
		}
		cycle, acts := uint64(1), rapid.IntRange(5, 40).Draw(rt, "acts")
		for range acts {
			cycle = act(rt, w, cycle)
			none(rt, w)
		}
		w.killAt, w.closing, w.busy, w.frozen, w.hookFail = 0, 0, 0, false, map[string]bool{}
		w.open = map[string]bool{calendar.Package: true, calendar.Reboot: true}
		status, out, err := w.settleDown()
		if !w.machineAtRest() || len(w.half) > 0 && status != policies.Failed || w.drained || status == policies.Pending {
			rt.Fatalf("it ended as %s: %+v, %v; %v half, drained %v\n%v", status, out, err, w.half, w.drained, w.log)
		}
		if status != policies.Failed && !w.order.Undo && w.versions() != wantedOf(*w.order) {
			rt.Fatalf("it ended as %s with %s, want %s", status, w.versions(), wantedOf(*w.order))
		}
		none(rt, w)
	})
}

// act lets one thing happen and returns the newest cycle.
func act(rt *rapid.T, w *world, cycle uint64) uint64 {
	switch rapid.SampledFrom([]string{"run", "kill", "cut", "window", "close", "freeze", "busy", "cycle", "undo", "fault", "hook", "order"}).Draw(rt, "act") {
	case "run":
		w.run()
		w.rebootIfWanted()
	case "kill":
		w.killAt = w.effects + rapid.IntRange(1, 60).Draw(rt, "effect")
		w.run()
	case "cut":
		w.powerCut()
	case "window":
		w.open = map[string]bool{calendar.Package: rapid.Bool().Draw(rt, "package"), calendar.Reboot: rapid.Bool().Draw(rt, "reboot")}
	case "close":
		w.closing = rapid.IntRange(1, 6).Draw(rt, "questions")
	case "freeze":
		w.frozen = !w.frozen
	case "busy":
		w.busy = rapid.IntRange(0, 3).Draw(rt, "busy")
	case "cycle":
		cycle++
		version := fmt.Sprint(cycle + 1)
		items := []string{}
		for _, name := range []string{"a", "b", "c"} {
			w.publish(name, version)
			items = append(items, name+" "+version)
			w.boots[name] = rapid.Bool().Draw(rt, "boots")
		}
		w.give(cycle, items...)
	case "undo":
		w.order.Undo = !w.order.Undo
	case "fault":
		key := rapid.SampledFrom([]string{"a ", "b ", "c "}).Draw(rt, "package") + fmt.Sprint(cycle+1)
		kind := rapid.SampledFrom([]map[string]bool{w.bad, w.sick}).Draw(rt, "kind")
		kind[key] = !kind[key]
	case "hook":
		hook := rapid.SampledFrom([]string{"before", "drain", "undrain", "after", "snapshot", "restore"}).Draw(rt, "hook")
		w.hookFail[hook] = !w.hookFail[hook]
	case "order":
		w.order.Taken++
	}
	return cycle
}

// none fails for what must never happen, at any instant: a package of which neither version is
// left, an installation or a reboot without permission.
func none(rt *rapid.T, w *world) {
	if len(w.wrongs) > 0 {
		rt.Fatalf("%v\n%v", w.wrongs, w.log)
	}
	for _, name := range []string{"a", "b", "c"} {
		if w.there[name] == "" && w.half[name] == "" {
			rt.Fatalf("both versions of %s are lost: %v", name, w.log)
		}
	}
}

func wantedOf(o patch.Order) string {
	w := world{there: map[string]string{}}
	for _, item := range o.Set.Items {
		w.there[item.Package] = item.Version
	}
	return (&w).versions()
}

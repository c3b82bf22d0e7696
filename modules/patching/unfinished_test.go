package patching

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/modules/system"
	"plumb/policies/calendar"
)

// A rollout may leave the policy at any instant of its cycle. What was begun is ended from the
// journal alone: nothing is half done or drained then, and nothing new was begun.
func TestRolloutThatWentIsBroughtToItsEnd(t *testing.T) {
	for name, scene := range scenes() {
		t.Run(name, func(t *testing.T) {
			whole := newWorld(t)
			scene.make(whole)
			whole.settleDown()
			begun := 0
			for at := 1; at <= whole.effects; at++ {
				w := newWorld(t)
				scene.make(w)
				w.killAt = at
				w.run()
				w.order, w.open = nil, map[string]bool{calendar.Package: true} // no window is known any more
				begun += w.endWithoutPolicy()
				when := fmt.Sprintf("gone at effect %d", at)
				w.sound(when)
				if list := Unfinished(w.state); len(list) > 0 { // it waits until somebody boots the host
					w.powerCut()
					w.endWithoutPolicy()
					w.sound(when + " and booted")
				}
				if list := Unfinished(w.state); len(list) > 0 || w.reboots > 0 {
					t.Errorf("%s: %v is left after %d reboots\n%v", when, list, w.reboots, w.log)
				}
				if t.Failed() {
					return
				}
			}
			if begun == 0 {
				t.Error("no cycle was under way at any effect")
			}
		})
	}
}

// endWithoutPolicy goes on as long as something changes, and tells how often there was something.
func (w *world) endWithoutPolicy() (begun int) {
	for range 10 {
		list := Unfinished(w.state)
		if len(list) == 0 {
			break
		}
		begun++
		if diff := cmp.Diff(w.spec, list[0]); diff != "" {
			w.t.Fatalf("the journal has another spec (-want +got):\n%s", diff)
		}
		w.run()
	}
	return begun
}

func TestUnfinishedIsWhatWasBegun(t *testing.T) {
	w := newWorld(t)
	if list := Unfinished(w.state); len(list) > 0 {
		t.Errorf("a host that never patched has %v", list)
	}
	w.hookFail["undrain"] = true
	w.run()
	if list := Unfinished(w.state); len(list) != 1 || list[0].Rollout != "patches" {
		t.Errorf("a host that cannot be put into service has %v", list)
	}
	for _, path := range shelfOf(w.state, "patches").copies() {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw[:len(raw)/2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if list := Unfinished(w.state); len(list) > 0 {
		t.Errorf("a journal that nobody can read is of %v", list)
	}
	w.hookFail["undrain"] = false
	w.settleDown()
	if list := Unfinished(w.state); len(list) > 0 {
		t.Errorf("a host at rest has %v", list)
	}
}

// An order that the server still gives for a rollout that went begins nothing; see package run,
// which takes the orders away. Without one a machine asks for nothing either.
func TestWithoutAnOrderNothingBegins(t *testing.T) {
	w := newWorld(t)
	w.order = nil
	m := New(w.spec, &system.System{Root: w.state, State: w.state, Manager: fakeManager{w}})
	if err := m.Apply(context.Background()); err != nil && !errors.Is(err, ErrWait) || w.effects > 0 {
		t.Errorf("Apply = %v after %v", err, w.log)
	}
}

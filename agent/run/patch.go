package run

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"plumb/agent/cause"
	"plumb/modules"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
)

const (
	patchKind     = "patch"
	emergencyLane = "emergency"
	// patchShare is how many times the limit of another resource a patch resource has.
	patchShare = 6
)

// Refusal is a patch order that is not believed.
type Refusal struct {
	// Cycle and Set name it, Why says what is wrong with it.
	Cycle    uint64
	Set, Why string
}

// terms are what a run itself has to know of a patch resource.
type terms struct {
	Rollout  string `json:"rollout"`
	Deadline int64  `json:"deadline"` // seconds
	Grace    int64  `json:"grace"`    // seconds
}

func (w *work) terms() (t terms) {
	_ = json.Unmarshal(w.res.Attributes, &t) // the kind has read it already
	return t
}

// order is what the server gave the host for the rollout of the resource.
func (w *work) order() (patch.Order, bool) {
	rollout := w.terms().Rollout
	for _, one := range w.System.Orders {
		if one.Rollout == rollout {
			return one, true
		}
	}
	return patch.Order{}, false
}

// leave tells whether a patch resource is not looked at in this run: its order is not believed.
// What is under way goes on in spite of a new order.
func (w *work) leave() bool {
	if w.res.Kind != patchKind {
		return false
	}
	no, refused := w.Refused[w.terms().Rollout]
	if !refused || w.begun() {
		return false
	}
	w.fail(fmt.Errorf("the order of patch cycle %d is not believed: %s", no.Cycle, no.Why))
	w.out.Patched = &policies.Patched{Cycle: no.Cycle, Set: no.Set, Phase: policies.PhaseIdle}
	return true
}

// permit says why a change of the class must not begin now for the resource, and is empty when
// it may. It is what System.Permit asks.
func (w *work) permit(class string) string {
	why := w.forbids(class)
	w.waits = w.waits || why != ""
	return why
}

// barred says why Apply must not even be called. A patch resource asks for each step itself; one
// that has no more to do than a reboot needs the permission for that only.
func (w *work) barred() string {
	if w.Trial && w.res.Kind == patchKind {
		return "waits until the release has shown that this host can live with it"
	}
	why := w.forbids(w.res.Class())
	if why != "" && w.res.Kind == patchKind && w.outcome() == policies.PhaseReboot && w.forbids(calendar.Reboot) == "" {
		return ""
	}
	w.waits = w.waits || why != ""
	return why
}

// outcome is the phase that a patch resource is in.
func (w *work) outcome() (phase string) {
	patcher, ok := w.one.(modules.Patcher)
	if !ok {
		return ""
	}
	w.note(w.guard(context.Background(), func(context.Context) error {
		if p := patcher.Patched(); p != nil {
			phase = p.Phase
		}
		return nil
	}))
	return phase
}

// forbids is permit. A patch cycle that was begun is brought to its end whatever the calendar says, but
// for its reboot. One whose deadline is over needs no window any more, and neither does one that a
// person takes back, for that mends harm; freezes hold all the same.
func (w *work) forbids(class string) string {
	if w.res.Kind != patchKind {
		return w.shut(w.res.Window, class, "")
	}
	if w.astray && class == calendar.Reboot {
		return "the policy has nothing of its rollout any more"
	}
	begun := w.begun()
	if begun && class == calendar.Package {
		return ""
	}
	if w.Frozen {
		return "changes are frozen"
	}
	if w.Lapsed != "" && class == calendar.Package {
		return w.Lapsed
	}
	if w.overdue(begun) || w.undone() && class == calendar.Package {
		return w.shut(nil, class, w.lane())
	}
	return w.shut(w.res.Window, class, w.lane())
}

// undone tells whether a person wants the versions before back.
func (w *work) undone() bool {
	one, ok := w.order()
	return ok && one.Undo
}

func (w *work) lane() string {
	if one, ok := w.order(); ok && one.Emergency {
		return emergencyLane
	}
	return ""
}

// begun tells whether a cycle is under way on the host. No deadline is over at the zero time, so
// what presses then presses because it was begun.
func (w *work) begun() bool { return w.presses(time.Time{}) }

// overdue tells whether the deadline of the resource is over: the later of the deadline, from
// when the cycle was offered, and the grace, from when the host took it. Without a clock that
// can be believed it never is.
func (w *work) overdue(begun bool) bool {
	if w.Untimed != "" {
		return false
	}
	now := w.clock()
	if !begun && w.presses(now) {
		return true
	}
	one, ok := w.order()
	t := w.terms()
	return ok && t.Deadline > 0 && now.Unix() >= max(one.Offered+t.Deadline, one.Taken+t.Grace)
}

func (w *work) presses(at time.Time) bool {
	one, ok := w.one.(modules.Pressing)
	if !ok {
		return false
	}
	why := ""
	if err := w.guard(context.Background(), func(context.Context) error { why = one.Presses(w.System, at); return nil }); err != nil {
		w.broken = err
	}
	return why != ""
}

// tell adds how the patch cycle fares, and when to look again.
func (w *work) tell() {
	if w.broken != nil {
		w.fail(w.broken)
	}
	patcher, ok := w.one.(modules.Patcher)
	if !ok {
		return
	}
	w.note(w.guard(context.Background(), func(context.Context) error {
		w.fares = patcher.Patched()
		return nil
	}))
	if w.fares == nil {
		return
	}
	shown := *w.fares
	w.out.Patched = &shown
	w.Soon = w.Soon || w.out.Status == policies.Pending && !w.waits && underWay(shown.Phase)
	for _, name := range w.res.Window {
		if next, ok := w.catalog.Windows[name].Next(w.clock(), w.Zone); ok {
			w.wake(next.Start)
		}
	}
}

func underWay(phase string) bool {
	switch phase {
	case "", policies.PhaseIdle, policies.PhaseDone, policies.PhaseRolledBack:
		return false
	}
	return true
}

// why is the cause of a difference. A patch cycle is always meant; what our own patching did to
// another resource is neither meant nor somebody's doing.
func (w *work) why() policies.Cause {
	if w.res.Kind == patchKind {
		return policies.Intentional
	}
	why := w.Memory.Of(w.res.Address, w.wanted)
	switch {
	case why == policies.RevertedWaiver:
		return w.reverted()
	case why == policies.Corrective && w.upstream():
		return policies.Upstream
	}
	return why
}

// meant adds between which commits policy came to want what it wants, where that is the cause.
func (w *work) meant() {
	if w.out.Cause == policies.Intentional && w.res.Kind != patchKind {
		w.out.From, w.out.To = w.Memory.Between(w.res.Address, w.wanted, w.Commit)
	}
}

// packages are what a patch resource has brought in its cycle, to be remembered.
func (w *work) packages() map[string]cause.Brought {
	if w.fares == nil || len(w.fares.Installed) == 0 {
		return nil
	}
	list, before := map[string]cause.Brought{}, w.Memory[w.res.Address].Packages
	for _, one := range w.fares.Installed {
		list[one.Name] = cause.Brought{Version: one.After, New: before[one.Name].Version != one.After}
	}
	return list
}

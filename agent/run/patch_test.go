package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
)

// cycle is a test kind: a patch cycle that takes a step for each class in asks.
type cycle struct {
	asks    []string
	begun   bool
	presses time.Time // from when on its deadline presses, by its own account
	fares   *policies.Patched
	fails   bool
	panics  bool
	// done is set by Apply; went holds the steps that it took.
	done bool
	went []string
	// limit is the time that Apply was given.
	limit time.Duration
}

func (c *cycle) Identity() string            { return "web" }
func (c *cycle) Validate() []modules.Mistake { return nil }
func (c *cycle) Patched() *policies.Patched  { return c.fares }

func (c *cycle) Check(context.Context, *system.System) ([]policies.Change, error) {
	if c.done {
		return nil, nil
	}
	return []policies.Change{{Attribute: "bash", Before: "1", After: "2"}}, nil
}

func (c *cycle) Apply(ctx context.Context, sys *system.System, _ []policies.Change) error {
	if at, ok := ctx.Deadline(); ok {
		c.limit = time.Until(at)
	}
	if c.fails {
		return errors.New("a postinst failed")
	}
	for _, class := range c.asks {
		if why := sys.Permit(class); why != "" {
			return fmt.Errorf("%s: %w", why, modules.ErrWait)
		}
		c.went = append(c.went, class)
	}
	c.done = true
	return nil
}

func (c *cycle) Presses(_ *system.System, at time.Time) string {
	switch {
	case c.panics:
		panic("a fault")
	case c.begun:
		return "it was begun"
	case !c.presses.IsZero() && !at.Before(c.presses):
		return "its deadline is over"
	}
	return ""
}

const (
	aDay = 24 * 60 * 60
	week = 7 * aDay
)

// patches is a bench for one patch resource in the window night, with a deadline of a week and a
// grace of a day; its order was offered and taken an hour before the clock.
func patches(t *testing.T, clock time.Time, one *cycle, more ...func(*Runner)) (*bench, policies.Resource) {
	b := timed(t)
	if one.asks == nil {
		one.asks = []string{calendar.Package, calendar.Reboot}
	}
	b.at(clock, func(r *Runner) {
		decode := r.Decode
		r.Decode = func(res policies.Resource) (modules.Resource, error) {
			if res.Kind == patchKind {
				return one, nil
			}
			return decode(res)
		}
		hourAgo := clock.Add(-time.Hour).Unix()
		r.System.Orders = []patch.Order{{Rollout: "db", Emergency: true}, {Rollout: "web", Cycle: 3, Offered: hourAgo, Taken: hourAgo}}
		for _, edit := range more {
			edit(r)
		}
	})
	raw := json.RawMessage(fmt.Sprintf(`{"rollout":"web","deadline":%d,"grace":%d}`, week, aDay))
	return b, policies.Resource{Address: "rollout.web", Kind: patchKind, Policy: "web", Mode: policies.Enforce, Window: []string{"night"}, Attributes: raw}
}

func TestWhatAPatchCycleMayDo(t *testing.T) {
	offered := func(ago, taken time.Duration) func(*Runner) {
		return func(r *Runner) {
			r.System.Orders[1].Offered, r.System.Orders[1].Taken = r.Now().Add(-ago).Unix(), r.Now().Add(-taken).Unix()
		}
	}
	late := offered(8*24*time.Hour, 8*24*time.Hour)
	frozen := func(r *Runner) { r.Frozen = true }
	undo := func(r *Runner) { r.System.Orders[1].Undo = true }
	untimed := func(r *Runner) { r.Untimed = "the clock is off" }
	freeze := func(b *bench) {
		b.times.Freezes = []calendar.Freeze{{Name: "year_end", From: saturday, Until: saturday.AddDate(0, 1, 0), Allow: []string{"emergency"}}}
	}
	for name, c := range map[string]struct {
		clock time.Time
		one   cycle
		edit  func(*Runner)
		bench func(*bench)
		want  string // the steps it took
		says  string
	}{
		"in its window":                          {clock: open, want: "package reboot"},
		"outside of it":                          {clock: saturday, says: "waits for the window night, which opens Sat 2026-11-21 22:00 UTC"},
		"begun, outside of it":                   {clock: saturday, one: cycle{begun: true}, want: "package", says: "waits for the window night"},
		"past its deadline":                      {clock: saturday, edit: late, want: "package reboot"},
		"begun and past its deadline":            {clock: saturday, one: cycle{begun: true}, edit: late, want: "package reboot"},
		"the grace runs from the taking":         {clock: saturday, edit: offered(30*24*time.Hour, time.Hour), says: "waits for the window night"},
		"grace and deadline are over":            {clock: saturday, edit: offered(30*24*time.Hour, 25*time.Hour), want: "package reboot"},
		"the kind says that it presses":          {clock: saturday, one: cycle{presses: saturday}, want: "package reboot"},
		"the kind's deadline is to come":         {clock: saturday, one: cycle{presses: open}, says: "waits for the window night"},
		"a freeze":                               {clock: open, bench: freeze, says: "frozen by year_end"},
		"a freeze, past its deadline":            {clock: saturday, edit: late, bench: freeze, says: "frozen by year_end"},
		"a freeze, begun":                        {clock: open, one: cycle{begun: true}, bench: freeze, want: "package", says: "frozen by year_end"},
		"a freeze that lets an emergency pass":   {clock: open, edit: func(r *Runner) { r.System.Orders[1].Emergency = true }, bench: freeze, want: "package reboot"},
		"an emergency past its deadline":         {clock: saturday, edit: func(r *Runner) { late(r); r.System.Orders[1].Emergency = true }, bench: freeze, want: "package reboot"},
		"an emergency outside of its window":     {clock: saturday, edit: func(r *Runner) { r.System.Orders[1].Emergency = true }, says: "waits for the window night"},
		"taken back by a person":                 {clock: saturday, edit: undo, want: "package", says: "waits for the window night"},
		"a freeze, taken back":                   {clock: saturday, edit: undo, bench: freeze, says: "frozen by year_end"},
		"frozen by the server, taken back":       {clock: saturday, edit: func(r *Runner) { undo(r); frozen(r) }, says: "changes are frozen"},
		"frozen by the server":                   {clock: open, edit: frozen, says: "changes are frozen"},
		"frozen by the server, past deadline":    {clock: open, edit: func(r *Runner) { frozen(r); late(r) }, says: "changes are frozen"},
		"frozen by the server, begun":            {clock: open, one: cycle{begun: true}, edit: frozen, want: "package", says: "changes are frozen"},
		"a clock that is off":                    {clock: open, edit: untimed, says: "the clock is off"},
		"a clock that is off, past its deadline": {clock: open, one: cycle{presses: saturday}, edit: func(r *Runner) { untimed(r); late(r) }, says: "the clock is off"},
		"a clock that is off, begun":             {clock: open, one: cycle{begun: true}, edit: untimed, want: "package", says: "the clock is off"},
		"lapsed":                                 {clock: open, edit: func(r *Runner) { r.Lapsed = "the lease has run out" }, says: "the lease has run out"},
		"lapsed, past its deadline":              {clock: open, edit: func(r *Runner) { late(r); r.Lapsed = "the lease has run out" }, says: "the lease has run out"},
		"lapsed, begun":                          {clock: open, one: cycle{begun: true}, edit: func(r *Runner) { r.Lapsed = "the lease has run out" }, want: "package reboot"},
		"lapsed, waits for its reboot": {clock: open, one: cycle{asks: []string{calendar.Reboot}, fares: &policies.Patched{Phase: policies.PhaseReboot}},
			edit: func(r *Runner) { r.Lapsed = "the lease has run out" }, want: "reboot"},
		"no order any more, begun": {clock: saturday, one: cycle{begun: true}, edit: func(r *Runner) { r.System.Orders = nil }, want: "package", says: "waits for the window night"},
	} {
		t.Run(name, func(t *testing.T) {
			one := c.one
			var runner *Runner
			b, res := patches(t, c.clock, &one, func(r *Runner) {
				runner = r
				if c.edit != nil {
					c.edit(r)
				}
			})
			if c.bench != nil {
				c.bench(b)
			}
			got := b.run(res)[0]
			if steps := strings.Join(one.went, " "); steps != c.want || !strings.Contains(got.Message, c.says) {
				t.Errorf("it did %q and says %q, want %q and %q", steps, got.Message, c.want, c.says)
			}
			want := policies.Repaired
			if c.says != "" {
				want = policies.Pending
			}
			if got.Status != want || got.Cause != policies.Intentional {
				t.Errorf("it is %s for the cause %s, want %s", got.Status, got.Cause, want)
			}
			if runner.System.Permit != nil {
				t.Error("the permission of one resource outlives it")
			}
		})
	}
}

func TestAPausedHostTakesNothingBack(t *testing.T) {
	one := &cycle{}
	b, res := patches(t, open, one, func(r *Runner) { r.System.Orders[1].Undo, r.Audit = true, true })
	if got := b.run(res)[0]; got.Status != policies.Noncompliant || len(one.went) > 0 {
		t.Errorf("a paused host is %s and did %v", got.Status, one.went)
	}
}

// A freeze of the server's lets drift be mended; a new cycle on a host that was in order looks
// like drift, and is none.
func TestAFreezeIsNoTimeForTheNextCycle(t *testing.T) {
	one := &cycle{}
	b, res := patches(t, open, one)
	b.run(res)
	if got := brief(b.run(res)); got != "compliant" {
		t.Fatalf("after the first cycle: %s", got)
	}
	one.done, one.went = false, nil
	before := b.edit
	b.edit = func(r *Runner) { before(r); r.Frozen = true }
	if got := brief(b.run(res)); got != "pending/intentional" || one.went != nil {
		t.Errorf("in the freeze: %s, it did %v", got, one.went)
	}
}

func TestAReleaseOnTrialDoesNotPatch(t *testing.T) {
	one := &cycle{begun: true, fares: &policies.Patched{Cycle: 3}}
	b, res := patches(t, open, one, func(r *Runner) { r.Trial = true })
	if got := b.run(res)[0]; got.Status != policies.Pending || one.went != nil || got.Patched == nil || got.Patched.Cycle != 3 {
		t.Errorf("got %+v, it did %v", got, one.went)
	}
	one.done = true // what is in stays in: a new release is no reason to soak again
	if got := b.run(res)[0]; got.Status != policies.Compliant || got.Patched == nil || got.Patched.Cycle != 3 {
		t.Errorf("a cycle that is in: %+v", got)
	}
}

func TestAnOrderThatIsNotBelieved(t *testing.T) {
	refused := func(r *Runner) {
		r.Refused = map[string]Refusal{"web": {Cycle: 4, Set: "abc", Why: "the patch set is not in order"}}
	}
	one := &cycle{fares: &policies.Patched{Cycle: 3}}
	b, res := patches(t, open, one, refused)
	got := b.run(res)[0]
	want := &policies.Patched{Cycle: 4, Set: "abc", Phase: policies.PhaseIdle}
	if diff := cmp.Diff(want, got.Patched); diff != "" || got.Status != policies.Failed || one.went != nil {
		t.Errorf("got %s, %q, it did %v (-want +got):\n%s", got.Status, got.Message, one.went, diff)
	}
	one = &cycle{begun: true}
	if b, res = patches(t, open, one, refused); b.run(res)[0].Status != policies.Repaired {
		t.Error("what was begun did not go on")
	}
}

// A host that has all packages and only waits for its reboot gets it in a window for reboots. The
// kind asks for each of its steps, so no package comes in there.
func TestAWindowForRebootsOnly(t *testing.T) {
	one := &cycle{asks: []string{calendar.Reboot}, fares: &policies.Patched{Phase: policies.PhaseReboot}}
	b, res := patches(t, open, one)
	night := b.times.Windows["night"]
	night.Classes = []string{calendar.Reboot}
	b.times.Windows["night"] = night
	if got := brief(b.run(res)); got != "repaired/intentional" || len(one.went) != 1 {
		t.Errorf("a reboot: %s, it did %v", got, one.went)
	}
	one.done, one.went, one.asks = false, nil, []string{calendar.Package}
	if got := brief(b.run(res)); got != "pending/intentional" || one.went != nil {
		t.Errorf("packages: %s, it did %v", got, one.went)
	}
	night.Classes = []string{calendar.Config}
	b.times.Windows["night"] = night
	one.asks = []string{}
	if got := brief(b.run(res)); got != "pending/intentional" {
		t.Errorf("a window for neither: %s", got)
	}
	night.Classes = []string{calendar.Reboot}
	b.times.Windows["night"] = night
	one.fares = &policies.Patched{Phase: policies.PhaseIdle}
	if got := brief(b.run(res)); got != "pending/intentional" {
		t.Errorf("a cycle that was not begun, in a window for reboots: %s", got)
	}
}

func TestAPatchResourceHasTime(t *testing.T) {
	one := &cycle{}
	b, res := patches(t, open, one, func(r *Runner) { r.Limit = time.Hour })
	b.run(res)
	if one.limit < 5*time.Hour || one.limit > 6*time.Hour {
		t.Errorf("it had %s, want six times an hour", one.limit)
	}
	one.done, res.Timeout = false, 60
	if b.run(res); one.limit > time.Minute {
		t.Errorf("it had %s, want the minute that policy gives it", one.limit)
	}
}

func TestAFaultInPressingIsAnError(t *testing.T) {
	b, res := patches(t, saturday, &cycle{panics: true})
	if got := b.run(res)[0]; got.Status != policies.Failed || !strings.Contains(got.Message, "a fault of the agent") {
		t.Errorf("got %s, %q", got.Status, got.Message)
	}
}

func TestWhenToLookAtAPatchCycleAgain(t *testing.T) {
	for name, c := range map[string]struct {
		clock time.Time
		one   cycle
		soon  bool
		opens time.Time
	}{
		"idle":                      {saturday, cycle{done: true, fares: &policies.Patched{Phase: policies.PhaseIdle}}, false, open},
		"idle in its window":        {open, cycle{done: true, fares: &policies.Patched{Phase: policies.PhaseIdle}}, false, open.AddDate(0, 0, 7)},
		"under way":                 {open, cycle{asks: []string{"-"}, fares: &policies.Patched{Phase: policies.PhaseReboot}}, true, open.AddDate(0, 0, 7)},
		"waits for its window":      {saturday, cycle{begun: true, fares: &policies.Patched{Phase: policies.PhaseReboot}}, false, open},
		"waits for the lock, begun": {saturday, cycle{begun: true, asks: []string{"-"}, fares: &policies.Patched{Phase: policies.PhasePreflight}}, true, open},
		"waits and is not begun":    {open, cycle{asks: []string{"-"}, fares: &policies.Patched{Phase: policies.PhaseIdle}}, false, open.AddDate(0, 0, 7)},
	} {
		t.Run(name, func(t *testing.T) {
			one := c.one
			var runner *Runner
			b, res := patches(t, c.clock, &one, func(r *Runner) { runner = r })
			decode := b.edit
			b.edit = func(r *Runner) {
				decode(r)
				if one.asks[0] == "-" { // it waits for something else than the calendar
					inner := r.Decode
					r.Decode = func(res policies.Resource) (modules.Resource, error) {
						found, err := inner(res)
						return &busyCycle{found.(*cycle)}, err
					}
				}
			}
			b.run(res)
			if runner.Soon != c.soon || !runner.Opens.Equal(c.opens) {
				t.Errorf("Soon = %t, Opens = %s, want %t, %s", runner.Soon, runner.Opens, c.soon, c.opens)
			}
		})
	}
}

// busyCycle waits for something else than the calendar, such as a lock or a boot.
type busyCycle struct{ *cycle }

func (b *busyCycle) Apply(context.Context, *system.System, []policies.Change) error {
	return fmt.Errorf("the host boots: %w", modules.ErrWait)
}

func TestTheOutcomeOfACycleIsCapped(t *testing.T) {
	fares := &policies.Patched{Cycle: 3, Phase: policies.PhaseInstall, Probes: []string{"it says \x1b[31m" + strings.Repeat("x", 5000)}}
	for i := range 900 {
		one := policies.PatchedPackage{Name: fmt.Sprint("p", i), After: strings.Repeat("9", 500)}
		fares.Installed, fares.Missing = append(fares.Installed, one), append(fares.Missing, one)
	}
	for range 300 {
		fares.Held = append(fares.Held, policies.Held{Name: "h", Chain: make([]string, 50)})
		fares.Stale = append(fares.Stale, "x.service")
	}
	b, res := patches(t, open, &cycle{fares: fares})
	got := b.run(res)[0]
	p := got.Patched
	if len(p.Missing) != 900 || len(p.Installed) != 100 || len(p.Held) != maxHeld || len(p.Held[0].Chain) != maxChain || len(p.Stale) != maxWords {
		t.Errorf("%d missing, %d installed, %d held, %d stale", len(p.Missing), len(p.Installed), len(p.Held), len(p.Stale))
	}
	if len(p.Missing[0].After) > maxWord || len(p.Probes[0]) > maxValue || strings.Contains(p.Probes[0], "\x1b") {
		t.Errorf("the words are too long or wild: %q", p.Probes[0])
	}
	if got.Message != "800 more packages are not listed" {
		t.Errorf("message = %q", got.Message)
	}
	if len(fares.Installed) != 900 || len(fares.Missing[0].After) != 500 || len(fares.Held[0].Chain) != 50 {
		t.Error("what the kind holds was changed")
	}
	result := policies.Result{Resources: []policies.ResourceResult{got}}
	Strip(&result)
	if diff := cmp.Diff(&policies.Patched{Cycle: 3, Phase: policies.PhaseInstall}, result.Resources[0].Patched); diff != "" {
		t.Errorf("stripped (-want +got):\n%s", diff)
	}
}

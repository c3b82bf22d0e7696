package run

import (
	"os"
	"strings"
	"testing"
	"time"

	"plumb/policies"
	"plumb/policies/calendar"
)

// timed is a bench whose window opens on Saturdays at 22:00 for two hours; it is Saturday noon.
func timed(t *testing.T) *bench {
	b := newBench(t)
	night := calendar.Window{Name: "night", RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 7200, Cutoff: 3600, Timezone: "host"}
	b.times.Windows = map[string]calendar.Window{"night": night}
	return b
}

func inNight(r *policies.Resource, _ *box) { r.Window = []string{"night"} }

// at sets the clock of the runs to come.
func (b *bench) at(clock time.Time, more ...func(*Runner)) {
	b.edit = func(r *Runner) {
		r.Now = func() time.Time { return clock }
		for _, edit := range more {
			edit(r)
		}
	}
}

var (
	saturday = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	open     = saturday.Add(10 * time.Hour)
	cutoff   = open.Add(time.Hour)
)

func TestAChangeWaitsForItsWindow(t *testing.T) {
	for name, c := range map[string]struct {
		clock  time.Time
		edit   func(*policies.Resource, *box)
		runner func(*Runner)
		want   string
		says   string
	}{
		"before it":             {open.Add(-time.Second), nil, nil, "pending/initial", "waits for the window night, which opens Sat 2026-11-21 22:00 UTC"},
		"when it opens":         {open, nil, nil, "repaired/initial", ""},
		"past its cutoff":       {cutoff, nil, nil, "pending/initial", "opens Sat 2026-11-28 22:00 UTC"},
		"in the zone of a host": {open, nil, func(r *Runner) { r.Zone = time.FixedZone("CET", 3600) }, "pending/initial", "opens Sat 2026-11-28 22:00 CET"},
		"audit only measures":   {saturday, func(r *policies.Resource, _ *box) { r.Mode = policies.Audit }, nil, "noncompliant/initial", ""},
		"a clock that is off":   {open, nil, func(r *Runner) { r.Untimed = "the clock is off" }, "pending/initial", "the clock is off"},
		"no such window":        {open, func(r *policies.Resource, _ *box) { r.Window = []string{"day"} }, nil, "pending/initial", "does not say when its window day is open"},
		"frozen by the server":  {open, nil, func(r *Runner) { r.Frozen = true }, "pending/initial", "changes are frozen"},
	} {
		t.Run(name, func(t *testing.T) {
			b := timed(t)
			b.at(c.clock, func(r *Runner) {
				if c.runner != nil {
					c.runner(r)
				}
			})
			got := b.run(b.box("a", func(r *policies.Resource, one *box) {
				inNight(r, one)
				if c.edit != nil {
					c.edit(r, one)
				}
			}))
			if brief(got) != c.want || !strings.Contains(got[0].Message, c.says) {
				t.Errorf("got %s, %q, want %s, %q", brief(got), got[0].Message, c.want, c.says)
			}
		})
	}
}

func TestAClockThatIsOffStopsOnlyWhatNeedsIt(t *testing.T) {
	b := timed(t)
	b.at(open, func(r *Runner) { r.Untimed = "the clock is off" })
	if got := brief(b.run(b.box("a", inNight), b.box("b", nil))); got != "pending/initial repaired/initial" {
		t.Errorf("got %s", got)
	}
}

func TestOutsideOfItsWindow(t *testing.T) {
	b := timed(t)
	b.at(open)
	b.run(b.box("a", inNight), b.box("b", nil))
	b.at(saturday)
	if got := brief(b.run(b.box("a", inNight), b.box("b", nil))); got != "compliant compliant" {
		t.Errorf("in order: %s", got)
	}
	for _, name := range []string{"a", "b"} {
		os.WriteFile(b.path(name), []byte("bad"), 0o600)
	}
	if got := brief(b.run(b.box("a", inNight), b.box("b", nil))); got != "pending/corrective repaired/corrective" {
		t.Errorf("drift: %s", got)
	}
	b.at(open)
	if got := brief(b.run(b.box("a", inNight), b.box("b", nil))); got != "repaired/corrective compliant" {
		t.Errorf("in the window again: %s", got)
	}
}

// A run that begins in the window and outlasts it starts nothing after the cutoff.
func TestALongRunStopsAtTheCutoff(t *testing.T) {
	b := timed(t)
	clock := cutoff.Add(-20 * time.Minute)
	b.edit = func(r *Runner) {
		r.Now = func() time.Time { defer func() { clock = clock.Add(15 * time.Minute) }(); return clock }
	}
	got := brief(b.run(b.box("a", inNight), b.box("b", inNight), b.box("c", inNight)))
	if want := "repaired/initial repaired/initial pending/initial"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAFreezeStopsEverything(t *testing.T) {
	b := timed(t)
	b.run(b.box("a", nil))
	os.WriteFile(b.path("a"), []byte("bad"), 0o600)
	b.times.Freezes = []calendar.Freeze{
		{Name: "reboots", From: saturday, Until: open, Classes: []string{calendar.Reboot}},
		{Name: "year_end", From: saturday, Until: open, Reason: "Year-end closing"},
	}
	b.at(saturday)
	got := b.run(b.box("a", nil), b.box("b", nil))
	if brief(got) != "pending/corrective pending/initial" || got[0].Message != "frozen by year_end until Sat 2026-11-21 22:00 UTC: Year-end closing" {
		t.Errorf("in the freeze: %s, %q", brief(got), got[0].Message)
	}
	b.at(open)
	if got := brief(b.run(b.box("a", nil), b.box("b", nil))); got != "repaired/corrective repaired/initial" {
		t.Errorf("after the freeze: %s", got)
	}
}

// The file changes at any time, the service that reads it restarts in its window only.
func TestARefreshWaitsForTheWindow(t *testing.T) {
	b := timed(t)
	b.at(open)
	service := b.box("service", inNight)
	b.run(service)
	b.trace()
	file := b.box("file", func(r *policies.Resource, _ *box) { r.Notify = []string{"box.service"} })
	b.at(saturday)
	got := b.run(file, service)
	want := "it is to be refreshed after a change of box.file: waits for the window night, which opens Sat 2026-11-21 22:00 UTC"
	if brief(got) != "repaired/initial compliant" || got[1].Message != want || b.trace() != "apply file" {
		t.Errorf("outside of the window: %s, %q", brief(got), got[1].Message)
	}
	b.at(open)
	if got := brief(b.run(file, service)); got != "compliant compliant+refreshed" {
		t.Errorf("in the window: %s", got)
	}
}

// What was refused once is asked again when its window has opened meanwhile.
func TestALongRunMeetsItsWindow(t *testing.T) {
	b := timed(t)
	clock := open.Add(-20 * time.Minute)
	b.edit = func(r *Runner) {
		r.Now = func() time.Time { defer func() { clock = clock.Add(15 * time.Minute) }(); return clock }
	}
	got := brief(b.run(b.box("a", inNight), b.box("b", inNight), b.box("c", inNight)))
	if want := "pending/initial pending/initial repaired/initial"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhenTheFirstWaitingChangeMayStart(t *testing.T) {
	b := timed(t)
	b.times.Windows["monday"] = calendar.Window{Name: "monday", Cron: "0 3 * * 1", Duration: 3600}
	var runner *Runner
	b.at(saturday, func(r *Runner) { runner = r })
	b.run(b.box("a", func(r *policies.Resource, _ *box) { r.Window = []string{"monday"} }), b.box("b", inNight))
	if !runner.Opens.Equal(open) {
		t.Errorf("Opens = %s, want %s", runner.Opens, open)
	}
	b.at(open, func(r *Runner) { runner = r })
	b.run(b.box("b", inNight))
	if !runner.Opens.IsZero() {
		t.Errorf("Opens = %s though nothing waits", runner.Opens)
	}
}

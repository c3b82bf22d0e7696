package patching

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/patch"
)

var clock = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// killed is what ends a run of the agent at an effect.
type killed struct{}

// world is a host in memory: a package manager whose every effect can be the last one of a run.
// Versions are numbers, so "10" is newer than "9".
type world struct {
	t     *testing.T
	state string
	spec  Spec
	order *patch.Order

	there   map[string]string // name → version that is completely installed
	half    map[string]string // name → version that is unpacked and not configured
	repo    map[string]bool   // "name version" that can be fetched
	behind  map[string]bool   // what the package lists have after the next update of them
	from    map[string]string // "name version" → label of its repository, where it is not Security
	also    map[string]string // "name version" → label of one more repository that has it
	source  map[string]string // name → source package
	fetched map[string]bool
	needs   map[string][]string // "name version" → "name version"
	removes map[string]string   // "name version" → package that would go
	bad     map[string]bool     // "name version" whose script fails
	sick    map[string]bool     // "name version" that makes its service and its probe fail
	boots   map[string]bool     // names that need a reboot
	changed []string            // conffiles: names with a changed file
	kernels []system.Kernel

	stale    map[string]bool // services that use old files
	reason   map[string]bool // why a reboot is needed
	failing  map[string]bool // units
	hookFail map[string]bool
	full     bool
	stuck    bool // the boot loader takes the old kernel
	busy     int  // how many more times the lock is held
	boot     int
	drained  bool
	frozen   bool
	open     map[string]bool // classes that are permitted
	closing  int             // after so many more questions the windows close; 0 never

	effects, killAt int
	log             []string
	answered        map[string]string // the last answer for a class
	begun           map[string]bool   // installations that were begun with permission
	reboots         int
	wanted          string // of the last run
	wrongs          []string
	calls           map[string]int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, state: quickDir(t),
		there: map[string]string{}, half: map[string]string{}, repo: map[string]bool{}, from: map[string]string{}, also: map[string]string{}, source: map[string]string{}, fetched: map[string]bool{}, needs: map[string][]string{},
		removes: map[string]string{}, bad: map[string]bool{}, sick: map[string]bool{}, boots: map[string]bool{}, stale: map[string]bool{},
		reason: map[string]bool{}, failing: map[string]bool{}, hookFail: map[string]bool{}, answered: map[string]string{}, begun: map[string]bool{}, calls: map[string]int{},
		open: map[string]bool{calendar.Package: true, calendar.Reboot: true}, boot: 1}
	w.spec = Spec{Rollout: "patches", Conffiles: "keep", Superseded: "wait", Rollback: "downgrade", Reboot: "as_needed",
		Baseline: patch.Baseline{Name: "b", Sources: []patch.Source{{Origin: "Test", Label: "Security"}}},
		Hooks:    &policies.Hooks{Before: []string{"before"}, Drain: []string{"drain"}, Undrain: []string{"undrain"}, After: []string{"after"}},
		Probes:   []policies.Probe{{Name: "web", TCP: "127.0.0.1:80", Within: 4}}}
	for _, name := range []string{"a", "b", "c"} {
		w.install(name, "1")
		w.publish(name, "2")
	}
	w.give(1, "a 2", "b 2", "c 2")
	return w
}

// quickDir is a folder in memory where there is one: thousands of runs write their journals.
func quickDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "patching")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (w *world) install(name, version string) {
	w.there[name] = version
	w.repo[name+" "+version] = true
}

func (w *world) publish(name, version string) { w.repo[name+" "+version] = true }

// give orders a set of "name version".
func (w *world) give(cycle uint64, items ...string) {
	set := patch.Set{Rollout: "patches", Baseline: "b"}
	for _, one := range items {
		name, version, _ := strings.Cut(one, " ")
		set.Items = append(set.Items, patch.Item{Manager: "apt", Package: name, Source: name, Arch: "all", Version: version, Repository: "Test/Security/one"})
	}
	w.order = &patch.Order{Rollout: "patches", Cycle: cycle, Digest: fmt.Sprint(items), Set: set, Offered: clock.Unix() - 60, Taken: clock.Unix() - 30}
}

// effect is one change of the host; the agent may be killed before it.
func (w *world) effect(format string, args ...any) {
	w.effects++
	if w.effects == w.killAt {
		panic(killed{})
	}
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *world) wrong(format string, args ...any) {
	w.wrongs = append(w.wrongs, fmt.Sprintf(format, args...))
}

func (w *world) machine() *Machine {
	sys := &system.System{Root: w.state, State: w.state, Manager: fakeManager{w}, Frozen: w.frozen, Now: func() time.Time { return clock }, Permit: w.permit}
	if w.order != nil {
		sys.Orders = []patch.Order{*w.order}
	}
	m := New(w.spec, sys)
	m.host = fakeHost{w}
	m.shelf.put = func(path string, raw []byte) error {
		w.effect("journal")
		return os.WriteFile(path, raw, 0o600) // to sync thousands of times takes long
	}
	return m
}

func (w *world) permit(class string) string {
	if w.closing > 0 {
		if w.closing--; w.closing == 0 {
			w.open = map[string]bool{}
		}
	}
	w.answered[class] = ""
	if !w.open[class] {
		w.answered[class] = "waits for the window"
	}
	return w.answered[class]
}

// run is one run of the agent as package run does it: check, apply, check.
func (w *world) run() (status policies.Status, out *policies.Patched, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != (killed{}) {
				panic(r)
			}
			status, err = "", errors.New("killed")
			w.answered = map[string]string{}
		}
	}()
	w.wanted = ""
	m := w.machine()
	changes, err := m.Check(context.Background())
	status = policies.Compliant
	if err == nil && len(changes) > 0 {
		a := w.machine()
		err = a.Apply(context.Background())
		w.wanted = a.sys.RebootWanted
		status = policies.Repaired
		m = w.machine()
		left, checkErr := m.Check(context.Background())
		if err == nil && checkErr == nil && len(left) > 0 {
			checkErr = fmt.Errorf("it was applied and still differs: %v", left)
		}
		if err == nil {
			err = checkErr
		}
	}
	switch {
	case errors.Is(err, ErrWait):
		status = policies.Pending
	case err != nil:
		status = policies.Failed
	}
	return status, m.Patched(), err
}

// reboots as the agent does when it is wanted.
func (w *world) rebootIfWanted() {
	if w.wanted == "" {
		return
	}
	if w.answered[calendar.Reboot] != "" {
		w.wrong("a reboot that was not permitted: %s", w.wanted)
	}
	if !w.drained && w.spec.Hooks != nil && len(w.spec.Hooks.Drain) > 0 {
		w.wrong("a reboot of a host in service")
	}
	w.reboots++
	w.powerCut()
}

func (w *world) powerCut() {
	w.boot++
	w.reason, w.stale, w.failing = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for name, version := range w.there {
		w.failing[name+".service"] = w.sick[name+" "+version]
	}
	for i := range w.kernels {
		if !w.stuck {
			w.kernels[i].Running = w.kernels[i].Newest
		}
	}
	w.wanted = ""
}

// settleDown runs until nothing is left to do, and returns the last run.
func (w *world) settleDown() (status policies.Status, out *policies.Patched, err error) {
	for range 40 {
		status, out, err = w.run()
		if err != nil && err.Error() == "killed" {
			continue
		}
		if w.wanted != "" {
			w.rebootIfWanted()
			continue
		}
		if status == policies.Compliant || status == policies.Repaired || status == policies.Failed && w.machineAtRest() {
			return status, out, err
		}
	}
	return status, out, err
}

func (w *world) machineAtRest() bool {
	m := w.machine()
	_, _ = m.open()
	return m.j.Stage.resting()
}

// sound is what must hold at every end.
func (w *world) sound(when string) {
	w.t.Helper()
	for _, wrong := range w.wrongs {
		w.t.Errorf("%s: %s\n%s", when, wrong, strings.Join(w.log, "\n"))
	}
	if len(w.half) > 0 {
		w.t.Errorf("%s: half done is left: %v\n%s", when, w.half, strings.Join(w.log, "\n"))
	}
	if w.drained {
		w.t.Errorf("%s: the host is left drained\n%s", when, strings.Join(w.log, "\n"))
	}
	w.wrongs = nil
}

// versions says what is installed, in one line.
func (w *world) versions() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(w.there)) {
		list = append(list, name+" "+w.there[name])
	}
	return strings.Join(list, ", ")
}

// fakeHost is the rest of the world.
type fakeHost struct{ w *world }

func (h fakeHost) BootID() (string, error) { return strconv.Itoa(h.w.boot), nil }

func (h fakeHost) Free(string) (string, int64, error) {
	if h.w.full {
		return "disk", 1 << 20, nil
	}
	return "disk", 1 << 40, nil
}

func (h fakeHost) Hook(_ context.Context, argv []string) error {
	h.w.effect("hook %s", argv[0])
	if argv[0] == "drain" {
		h.w.drained = true // a hook that fails may have done its work
	}
	if h.w.hookFail[argv[0]] {
		return errors.New("it said no")
	}
	switch argv[0] {
	case "undrain":
		h.w.drained = false
	case "restore":
		for name := range h.w.there {
			h.w.there[name] = "1"
		}
		for name := range h.w.half {
			h.w.there[name] = "1"
		}
		h.w.half, h.w.failing = map[string]string{}, map[string]bool{}
	}
	h.w.effect("hook %s ended", argv[0])
	return nil
}

func (h fakeHost) FailedUnits(context.Context) ([]string, error) {
	var list []string
	for unit, failed := range h.w.failing {
		if failed {
			list = append(list, unit)
		}
	}
	return list, nil
}

func (h fakeHost) Restart(_ context.Context, unit string) error {
	h.w.effect("restart %s", unit)
	name := strings.TrimSuffix(unit, ".service")
	delete(h.w.stale, unit)
	h.w.failing[unit] = h.w.sick[name+" "+h.w.there[name]]
	return nil
}

func (h fakeHost) Booted(context.Context) {}

func (h fakeHost) Probe(context.Context, policies.Probe) error {
	for name, version := range h.w.there {
		if h.w.sick[name+" "+version] {
			return fmt.Errorf("%s does not answer", name)
		}
	}
	return nil
}

func (h fakeHost) Sleep(context.Context, time.Duration) {}

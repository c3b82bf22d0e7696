package system

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// solver is a world of packages in version 1 with a version 2 to go to, which knows what each
// needs, and what cannot be.
type solver struct {
	needs   map[string][]string // of version 2
	removes map[string]string
	broken  map[string]bool
	// only can be installed together with all others of it, and is not drawn in.
	only  []string
	asked int
}

// lacks tells whether a package is asked for without the others that it cannot be without.
func (s *solver) lacks(name string, wanted []Target) bool {
	return slices.Contains(s.only, name) && slices.ContainsFunc(s.only, func(other string) bool {
		return !slices.ContainsFunc(wanted, func(w Target) bool { return w.Name == other })
	})
}

func (s *solver) simulate(_ context.Context, wanted []Target) (rpmTransaction, error) {
	s.asked++
	var t rpmTransaction
	for i := 0; i < len(wanted); i++ {
		name := wanted[i].Name
		if s.broken[name] || s.lacks(name, wanted) {
			return rpmTransaction{problem: []string{"nothing provides what " + name + " needs"}}, nil
		}
		if gone, ok := s.removes[name]; ok {
			t.removed = append(t.removed, gone)
		}
		t.changes = append(t.changes, wanted[i])
		for _, need := range s.needs[name] {
			name, version, _ := strings.Cut(need, " ")
			if !slices.ContainsFunc(wanted, func(w Target) bool { return w.Name == name }) {
				wanted = append(slices.Clone(wanted), Target{name, "noarch", version})
			}
		}
	}
	t.download = int64(len(t.changes))
	return t, nil
}

// planOf plans version 2 of names, of which all are there in version 1.
func planOf(t *testing.T, s *solver, source map[string]string, names ...string) PatchPlan {
	t.Helper()
	p := rpmPlanner{simulate: s.simulate, available: map[Target]rpmAvailable{}}
	var wanted []Target
	for _, name := range names {
		target := Target{name, "noarch", "2-1"}
		wanted = append(wanted, target)
		p.available[target] = rpmAvailable{}
		one := rpmPackage{Target: Target{name, "noarch", "1-1"}, source: name}
		if source[name] != "" {
			one.source = source[name]
		}
		p.installed = append(p.installed, one)
	}
	plan, err := p.run(t.Context(), wanted)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func rpmStepNames(p PatchPlan) []string {
	var steps []string
	for _, step := range p.Steps {
		var names []string
		for _, t := range step {
			names = append(names, t.Name)
		}
		steps = append(steps, strings.Join(names, " "))
	}
	return steps
}

func TestRPMPlan(t *testing.T) {
	cases := map[string]struct {
		solver             solver
		source             map[string]string
		wanted             []string
		steps, added, held []string
		removed            []string
	}{
		"each alone":             {wanted: []string{"b", "a"}, steps: []string{"a", "b"}},
		"one source together":    {wanted: []string{"a", "b", "c"}, source: map[string]string{"a": "s", "c": "s"}, steps: []string{"b", "a c"}},
		"a need is drawn in":     {solver: solver{needs: map[string][]string{"a": {"new 1-1"}}}, wanted: []string{"a", "b"}, steps: []string{"a new", "b"}, added: []string{"new"}},
		"a shared need is once":  {solver: solver{needs: map[string][]string{"a": {"new 1-1"}, "b": {"new 1-1"}}}, wanted: []string{"a", "b"}, steps: []string{"a new", "b"}, added: []string{"new"}},
		"a wanted need":          {solver: solver{needs: map[string][]string{"a": {"b 2-1"}}}, wanted: []string{"a", "b"}, steps: []string{"a b"}},
		"the wanted version":     {solver: solver{needs: map[string][]string{"a": {"b 3-1"}}}, wanted: []string{"a", "b"}, steps: []string{"a b"}},
		"needs in a ring":        {solver: solver{needs: map[string][]string{"a": {"b 2-1"}, "b": {"a 2-1"}}}, wanted: []string{"a", "b"}, steps: []string{"a b"}},
		"held alone":             {solver: solver{broken: map[string]bool{"a": true}}, wanted: []string{"a", "b"}, steps: []string{"b"}, held: []string{"a"}},
		"held out of a source":   {solver: solver{broken: map[string]bool{"a": true}}, source: map[string]string{"a": "s", "b": "s"}, wanted: []string{"a", "b"}, steps: []string{"b"}, held: []string{"a"}},
		"held by a need":         {solver: solver{broken: map[string]bool{"b": true}, needs: map[string][]string{"a": {"b 9-1"}}}, wanted: []string{"a", "b"}, held: []string{"a", "b"}},
		"only together":          {solver: solver{only: []string{"a", "c"}}, wanted: []string{"a", "b", "c"}, steps: []string{"b", "a c"}},
		"nothing may be removed": {solver: solver{removes: map[string]string{"a": "old"}}, wanted: []string{"a", "b"}, steps: []string{"b"}, held: []string{"a"}, removed: []string{"old"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			plan := planOf(t, &c.solver, c.source, c.wanted...)
			var added, held []string
			for _, a := range plan.Added {
				added = append(added, a.Name)
			}
			for _, h := range plan.Held {
				held = append(held, h.Name)
			}
			got := [][]string{rpmStepNames(plan), added, held, plan.Removed}
			if diff := cmp.Diff([][]string{c.steps, c.added, c.held, c.removed}, got); diff != "" {
				t.Errorf("steps, added, held, removed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRPMPlanLeavesOutWhatIsThereOrGone(t *testing.T) {
	there, gone := Target{"a", "noarch", "2-1"}, Target{"b", "noarch", "2-1"}
	s := &solver{}
	p := rpmPlanner{simulate: s.simulate, installed: []rpmPackage{{Target: there}}, available: map[Target]rpmAvailable{there: {}}}
	plan, err := p.run(t.Context(), []Target{there, gone})
	if err != nil || s.asked > 0 || len(plan.Steps) > 0 || !slices.Equal(plan.Gone, []Target{gone}) {
		t.Errorf("plan = %+v, %v after %d questions, want b gone and nothing else", plan, err, s.asked)
	}
}

// TestRPMPlanIsBounded has more updates than there are questions.
func TestRPMPlanIsBounded(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("p%03d", i))
	}
	s := &solver{}
	plan := planOf(t, s, nil, names...)
	if s.asked > maxSimulations || len(slices.Concat(plan.Steps...)) != 100 {
		t.Errorf("%d questions for %d packages, want at most %d for 100", s.asked, len(slices.Concat(plan.Steps...)), maxSimulations)
	}
}

func TestRPMPlanFailsWithItsSolver(t *testing.T) {
	busy := func(context.Context, []Target) (rpmTransaction, error) { return rpmTransaction{}, ErrBusy }
	a := Target{"a", "noarch", "2-1"}
	p := rpmPlanner{simulate: busy, available: map[Target]rpmAvailable{a: {}}}
	if plan, err := p.run(t.Context(), []Target{a}); !errors.Is(err, ErrBusy) {
		t.Errorf("plan = %+v, %v, want %v", plan, err, ErrBusy)
	}
}

func TestParseDnfTransaction(t *testing.T) {
	got := parseDnfTransaction(string(recordedRPM(t, "dnf-install.txt")))
	const want = "kernel-core-0:5.14.0-2.x86_64 new-0:1.0-1.noarch epochal-1:0.5-1.noarch gadget-0:1.1-1.noarch " +
		"libthing-0:1.1-1.noarch thing-0:1.1-1.noarch widget-0:1.1-1.noarch helper-0:0.1-1.noarch"
	if list := listOfTargets(got.changes); list != want || !slices.Equal(got.removed, []string{"old"}) {
		t.Errorf("changes %s, removed %q, want %s and old", list, got.removed, want)
	}
}

// TestParseDnfTables has what the recorded host did not show.
func TestParseDnfTables(t *testing.T) {
	cases := map[string]struct{ out, changes, removed string }{
		"wide columns": {"Upgrading:\n a-very-long-name-indeed\n                 noarch      20260101.1-1.very.long\n                                          updates       6.3 k\n b  noarch  1-1  updates  9 k\n",
			"a-very-long-name-indeed-0:20260101.1-1.very.long.noarch b-0:1-1.noarch", ""},
		"bytes":           {"Installing:\n a noarch 1-1 updates 931\n b noarch 1-1 updates 9 M\n", "a-0:1-1.noarch b-0:1-1.noarch", ""},
		"removals":        {"Removing:\n a noarch 1-1 @base 9 k\nRemoving dependent packages:\n b noarch 1-1 @base 9 k\n", "", "a b"},
		"skipped":         {"Skipping packages with conflicts:\n a noarch 1-1 updates 9 k\n", "", ""},
		"version before":  {"Upgrading:\n a noarch 2-1 updates 9 k\n   replacing a noarch 1-1 updates 9 k\n", "a-0:2-1.noarch", ""},
		"nothing":         {"Dependencies resolved.\nNothing to do.\nComplete!\n", "", ""},
		"below no header": {" a noarch 1-1 updates 9 k\n", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := parseDnfTransaction(c.out)
			if changes, removed := listOfTargets(got.changes), strings.Join(got.removed, " "); changes != c.changes || removed != c.removed {
				t.Errorf("changes %q, removed %q, want %q and %q", changes, removed, c.changes, c.removed)
			}
		})
	}
}

func TestParseDnfProblem(t *testing.T) {
	cases := map[string]struct {
		stderr string
		want   []string
	}{
		"recorded": {string(recordedRPM(t, "dnf-held.txt")), []string{"nothing provides absent >= 2 needed by clash-1.1-1.noarch"}},
		"a chain": {"Error: \n Problem: package a-2-1.noarch requires b = 2, but none of the providers can be installed\n  - cannot install both b-2-1.noarch and b-1-1.noarch\n  - conflicting requests\n",
			[]string{"package a-2-1.noarch requires b = 2, but none of the providers can be installed", "cannot install both b-2-1.noarch and b-1-1.noarch", "conflicting requests"}},
		"excluded": {"Error: Unable to find a match: a-0:2-1.noarch\n", []string{"Unable to find a match: a-0:2-1.noarch: it is excluded or locked on this host, or in no repository"}},
		"no":       {"Operation aborted.\n", nil},
		"other":    {"Error: Failed to download metadata\n  - not a reason\n", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parseDnfProblem(c.stderr)); diff != "" {
				t.Errorf("parseDnfProblem(%q) (-want +got):\n%s", c.stderr, diff)
			}
		})
	}
}

func TestParseDnfCheck(t *testing.T) {
	free := parseDnfCheck(string(recordedRPM(t, "dnf-check-update.txt")))
	if len(free) != 8 || !free["kernel-core.x86_64"] || free["new.noarch"] {
		t.Errorf("parseDnfCheck = %v, want eight, and not what takes another's place", free)
	}
}

func TestParseZypper(t *testing.T) {
	a, err := parseZypper(recordedRPM(t, "zypper-install.xml"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "gadget-0:1.1-1.noarch widget-0:1.0-1.noarch helper-0:0.1-1.noarch new-0:1.0-1.noarch"
	if got := listOfTargets(a.changes); got != want || !slices.Equal(a.removed, []string{"old"}) || a.download < 1000 {
		t.Errorf("changes %s, removed %q, download %d, want %s, old, and some thousand", got, a.removed, a.download, want)
	}
	held, err := parseZypper(recordedRPM(t, "zypper-held.xml"))
	if err != nil || !slices.Equal(held.problem, []string{"nothing provides absent >= 2 needed by clash-1.1-1.noarch"}) {
		t.Errorf("problem = %q, %v", held.problem, err)
	}
	updates, err := parseZypper(recordedRPM(t, "zypper-updates.xml"))
	if err != nil || len(updates.updates) != 7 || updates.updates[0].Source.Alias != "updates" {
		t.Errorf("updates = %+v, %v, want seven from updates", updates.updates, err)
	}
	search, err := parseZypper(recordedRPM(t, "zypper-search.xml"))
	if err != nil || len(search.found) != 4 {
		t.Errorf("search = %+v, %v, want four versions", search.found, err)
	}
	locks, err := parseZypper(recordedRPM(t, "zypper-locks.xml"))
	if err != nil || !slices.Equal(locks.locks, []string{"gadget"}) || !zypperLocks(locks.locks, "gadget") || zypperLocks([]string{"k*"}, "gadget") {
		t.Errorf("locks = %q, %v, want gadget", locks.locks, err)
	}
}

func FuzzRPMParsers(f *testing.F) {
	for _, name := range []string{"dnf-install.txt", "dnf-held.txt", "dnf-check-update.txt", "rpm-dump.txt", "rpm-qa.txt", "rpm-verify.txt",
		"repomd.xml", "updateinfo.xml", "zypper-install.xml", "zypper-held.xml", "zypper-updates.xml", "zypper-locks.xml"} {
		f.Add(recordedRPM(f, name))
	}
	f.Fuzz(fuzzRPMText)
}

package release

import (
	"slices"
	"testing"

	"plumb/policies"
)

func TestCalendarOfTheNewestRelease(t *testing.T) {
	w := newWorld(t)
	count := &counting{Compiler: w.desk.Compiler}
	if c, err := w.desk.Calendar(w.ctx); err != nil || c.Release != 0 || len(c.Windows) != 0 {
		t.Errorf("before the first release: %+v, %v", c, err)
	}
	const window = "window \"night\" {\n  cron = \"0 22 * * 6\"\n  duration = \"5h\"\n}\n"
	const freeze = "freeze \"year_end\" {\n  from = \"2026-12-18T00:00:00Z\"\n  until = \"2027-01-04T06:00:00Z\"\n}\n"
	for n, text := range []string{window, window + freeze} {
		w.commit(map[string]string{"a.hcl": goodPolicy, "windows.hcl": text})
		w.push("main")
		w.desk.Compiler, count.asked = count, 0
		for range 3 {
			c, err := w.desk.Calendar(w.ctx)
			if err != nil || c.Release != uint64(n+1) || len(c.Windows) != 1 || c.Windows[0].Name != "night" || len(c.Freezes) != n {
				t.Errorf("of release %d: %+v, %v", n+1, c, err)
			}
		}
		if count.asked != 1 {
			t.Errorf("compiled %d times for release %d, want once", count.asked, n+1)
		}
	}
}

func TestCalendarHasThePolicies(t *testing.T) {
	w := newWorld(t)
	w.commit(map[string]string{"a.hcl": goodPolicy, "b.hcl": "policy \"next\" {\n  title = \"Next\"\n  version = \"1.0.0\"\n  mode = \"audit\"\n  applies_to = false\n}\n"})
	w.push("main")
	c, err := w.desk.Calendar(w.ctx)
	if err != nil || len(c.Policies) != 2 {
		t.Fatalf("Calendar() = %+v, %v, want two policies", c, err)
	}
	want := policies.PolicyInfo{Name: "next", Title: "Next", Version: "1.0.0", Mode: policies.Audit, AppliesTo: "false", Source: policies.Position{File: "b.hcl", Line: 1}}
	if !slices.Contains(c.Policies, want) {
		t.Errorf("policies = %+v, want %+v among them", c.Policies, want)
	}
}

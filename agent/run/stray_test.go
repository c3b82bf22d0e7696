package run

import (
	"encoding/json"
	"strings"
	"testing"

	"plumb/modules"
	"plumb/policies"
	"plumb/policies/calendar"
)

// A patch cycle whose rollout the catalog does not have goes on, but for its reboot, and the
// result says nothing of it.
func TestStraysGoOn(t *testing.T) {
	for name, c := range map[string]struct {
		one    cycle
		edit   func(*Runner)
		want   string
		status policies.Status
		says   string
	}{
		"begun":                {one: cycle{begun: true}, want: "package", status: policies.Pending, says: "nothing of its rollout any more"},
		"begun, no reboot":     {one: cycle{begun: true, asks: []string{calendar.Package}}, want: "package", status: policies.Repaired},
		"frozen by the server": {one: cycle{begun: true, asks: []string{calendar.Package}}, edit: func(r *Runner) { r.Frozen = true }, want: "package", status: policies.Repaired},
		"ended meanwhile":      {one: cycle{done: true}, status: policies.Compliant},
		"on trial":             {one: cycle{begun: true}, edit: func(r *Runner) { r.Trial = true }, status: policies.Pending, says: "has to show first"},
		"paused":               {one: cycle{begun: true}, edit: func(r *Runner) { r.Audit = true }, status: policies.Noncompliant},
		"it fails":             {one: cycle{begun: true, fails: true}, status: policies.Failed, says: "a postinst failed"},
		"it breaks down":       {one: cycle{begun: true, panics: true}, status: policies.Failed, says: "a fault"},
	} {
		t.Run(name, func(t *testing.T) {
			one := c.one
			var runner *Runner
			b, res := patches(t, saturday, &one, func(r *Runner) {
				runner = r
				if c.edit != nil {
					c.edit(r)
				}
			})
			b.edit = also(b.edit, func(r *Runner) { r.Strays = []policies.Resource{res} })
			got := b.run(b.box("a", nil))
			if len(got) != 1 || got[0].Address != "box.a" {
				t.Errorf("the result has %+v", got)
			}
			if len(runner.Astray) != 1 {
				t.Fatalf("Astray = %+v", runner.Astray)
			}
			told := runner.Astray[0]
			if steps := strings.Join(one.went, " "); steps != c.want || told.Status != c.status || !strings.Contains(told.Message, c.says) || told.Address != "rollout.web" {
				t.Errorf("it did %q and is %+v, want %q, %s and %q", steps, told, c.want, c.status, c.says)
			}
			if len(runner.System.Orders) != 2 || runner.System.Permit != nil {
				t.Error("the run has lost its orders, or the permission outlives the resource")
			}
		})
	}
}

func TestARolloutOfTheCatalogIsNoStray(t *testing.T) {
	one := &cycle{begun: true}
	var runner *Runner
	b, res := patches(t, open, one, func(r *Runner) { runner = r })
	b.edit = also(b.edit, func(r *Runner) { r.Strays = []policies.Resource{res} })
	if got := b.run(res); len(got) != 1 || len(runner.Astray) > 0 || strings.Join(one.went, " ") != "package reboot" {
		t.Errorf("the result is %+v, Astray %+v, it did %v", got, runner.Astray, one.went)
	}
}

// What is left of a rollout ends before another one begins, or two cycles would drain one host.
func TestStraysComeFirst(t *testing.T) {
	old, next := &cycle{begun: true, asks: []string{calendar.Package}}, &cycle{}
	var order []string
	b, res := patches(t, open, next)
	gone := res
	gone.Address, gone.Attributes = "rollout.old", json.RawMessage(`{"rollout":"old"}`)
	b.edit = also(b.edit, func(r *Runner) {
		decode := r.Decode
		r.Strays = []policies.Resource{gone}
		r.Decode = func(one policies.Resource) (modules.Resource, error) {
			if one.Address == gone.Address {
				if len(next.went) == 0 {
					order = append(order, "old")
				}
				return old, nil
			}
			return decode(one)
		}
	})
	b.run(res)
	if strings.Join(order, " ") != "old" || len(old.went) == 0 || len(next.went) == 0 {
		t.Errorf("old ones came first: %v, they did %v and %v", order, old.went, next.went)
	}
}

func also(first, second func(*Runner)) func(*Runner) {
	return func(r *Runner) { first(r); second(r) }
}

package rollout

import (
	"testing"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

func TestCycleFollowsPolicy(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	rings := func(names ...string) policies.Rollout {
		r := policies.Rollout{Name: "os", Carries: "patch_baseline.x"}
		for _, name := range names {
			r.Rings = append(r.Rings, policies.Ring{Name: name, Group: name})
		}
		return r
	}
	windowed := rings("canary", "rest")
	windowed.Rings[1].Windows = []string{"night"}
	cases := map[string]struct {
		plans     []policies.Rollout
		change    func(*State)
		bundle    string
		changed   bool
		withdrawn bool
		windows   int
	}{
		"the same bundle":          {plans: nil, bundle: "old"},
		"the same rollout":         {plans: []policies.Rollout{rings("canary", "rest")}, bundle: "new", changed: true},
		"another window":           {plans: []policies.Rollout{windowed}, bundle: "new", changed: true, windows: 1},
		"other rings":              {plans: []policies.Rollout{rings("canary", "early", "rest")}, bundle: "new", changed: true, withdrawn: true},
		"rings in another order":   {plans: []policies.Rollout{rings("rest", "canary")}, bundle: "new", changed: true, withdrawn: true},
		"no such rollout any more": {plans: nil, bundle: "new", changed: true, withdrawn: true},
		"done before it left":      {plans: nil, bundle: "new", change: func(s *State) { s.Done = now }},
		"done, another window":     {plans: []policies.Rollout{windowed}, bundle: "new", change: func(s *State) { s.Done = now }, changed: true, windows: 1},
		"superseded":               {plans: nil, bundle: "new", change: func(s *State) { s.Superseded = 2 }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := Cycle{Plan: rings("canary", "rest"), Bundle: "old", Set: "set"}.state(1, now)
			s.Rings[0].Phase, s.Rings[0].Soaked = Soaking, time.Hour
			if c.change != nil {
				c.change(&s)
			}
			next, changed := s.follow(store.Release{Number: 9, Bundle: c.bundle}, c.plans, now)
			if changed != c.changed || (next.Withdrawn != nil) != c.withdrawn || len(next.Plan.Rings[1].Windows) != c.windows {
				t.Errorf("changed %t, withdrawn %v, windows %v", changed, next.Withdrawn, next.Plan.Rings[1].Windows)
			}
			if next.Rings[0].Soaked != time.Hour {
				t.Error("what was soaked is lost")
			}
			if c.withdrawn && (next.Active() || !next.Over() || next.reaches(store.Host{})) {
				t.Error("a withdrawn cycle goes on")
			}
		})
	}
}

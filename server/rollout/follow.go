package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// Follow lets patch cycles go on under the newest release: windows, gates and limits are those
// that policy names now, for a cycle may take weeks. One whose rollout left the policy, or whose
// rings are others now, ends: what it was to be tested in is no more. Plans are the rollouts of
// the release that carry patches.
func (d *Driver) Follow(ctx context.Context, release store.Release, plans []policies.Rollout) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.followed == release.Bundle { // a cycle that begins later begins with it
		return nil
	}
	if err := d.load(ctx); err != nil {
		return err
	}
	var changed []State
	for name, t := range d.tracks {
		if name == "" || len(t.book) == 0 {
			continue
		}
		if next, ok := t.book[0].follow(release, plans, d.Now().UTC()); ok {
			changed = append(changed, next)
		}
	}
	if err := d.save(ctx, changed...); err != nil {
		return err
	}
	d.followed = release.Bundle
	if len(changed) == 0 {
		return nil
	}
	for _, s := range changed {
		d.tracks[s.Rollout].hours = nil
		d.Log.Info("rollout", "of", s.Title(), "follows release", release.Number, "withdrawn", s.Withdrawn != nil)
	}
	return d.settle(ctx)
}

// follow returns the cycle as the release wants it, and false when that changes nothing.
func (s State) follow(release store.Release, plans []policies.Rollout, now time.Time) (State, bool) {
	if s.Bundle == release.Bundle || s.Superseded > 0 || s.Withdrawn != nil {
		return s, false
	}
	i := slices.IndexFunc(plans, func(p policies.Rollout) bool { return p.Name == s.Rollout })
	if i < 0 {
		return s.withdraw(now, fmt.Sprintf("release %d has no such rollout any more", release.Number))
	}
	if plan := plans[i]; !slices.EqualFunc(plan.Rings, s.Plan.Rings, sameRing) {
		return s.withdraw(now, fmt.Sprintf("its rings are others in release %d", release.Number))
	}
	before := *s.Plan
	s = s.clone()
	s.Bundle, s.Plan = release.Bundle, &plans[i]
	if !samePlan(before, plans[i]) {
		s.note(Entry{At: now, What: "policy", Why: fmt.Sprintf("release %d changed its rollout", release.Number)})
	}
	return s, true
}

// withdraw ends a cycle that is under way; one that is done stays what it is.
func (s State) withdraw(now time.Time, why string) (State, bool) {
	if !s.Active() {
		return s, false
	}
	s = s.clone()
	s.Withdrawn = &Act{At: now, Why: why}
	s.note(Entry{At: now, What: "withdrawn", Why: why})
	return s, true
}

func sameRing(a, b policies.Ring) bool { return a.Name == b.Name }

// samePlan compares two rollout blocks but for where they stand.
func samePlan(a, b policies.Rollout) bool {
	a.Source, b.Source = policies.Position{}, policies.Position{}
	one, err := json.Marshal(a)
	if err != nil {
		return false
	}
	other, err := json.Marshal(b)
	return err == nil && string(one) == string(other)
}

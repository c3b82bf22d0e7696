package patching

import (
	"context"
	"fmt"
	"slices"

	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/rollout"
)

// New begins a cycle because a person asks for it, and returns its number. It takes the place of
// one that is under way. The error is a [rollout.Refusal] when there is nothing to carry.
func (m *Maker) New(ctx context.Context, name string, by rollout.Act) (uint64, error) {
	if err := by.Check(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	plan, bundle, err := m.plan(ctx, name)
	if err != nil {
		return 0, err
	}
	seen, err := m.look(ctx)
	if err != nil {
		return 0, err
	}
	p, err := m.past(ctx, plan)
	if err != nil {
		return 0, err
	}
	members := seen.members(plan)
	items := seen.compose(members, p.items, m.Now())
	if err := worth(name, p, items); err != nil {
		return 0, err
	}
	return m.begin(ctx, seen, members, rollout.Cycle{Plan: plan, Bundle: bundle, By: &by}, items)
}

func (m *Maker) plan(ctx context.Context, name string) (policies.Rollout, string, error) {
	plans, release, err := m.plans(ctx)
	if err != nil {
		return policies.Rollout{}, "", err
	}
	i := slices.IndexFunc(plans, func(r policies.Rollout) bool { return r.Name == name })
	if i < 0 {
		return policies.Rollout{}, "", &rollout.Refusal{Text: fmt.Sprintf("the newest release has no rollout %q that carries patches", name),
			Hint: "a rollout does with carries = patch_baseline.NAME"}
	}
	return plans[i], release.Bundle, nil
}

// worth refuses a cycle that would bring nothing.
func worth(name string, p past, items []patch.Item) error {
	if len(items) == 0 {
		return &rollout.Refusal{Text: "nothing is approved for any host of " + name, Hint: "`plumb patch status` says what each update waits for"}
	}
	if p.newest != nil && !p.newest.Over() && !differs(p.items, items) {
		return &rollout.Refusal{Text: fmt.Sprintf("cycle %d of %s is under way with the same packages", p.newest.Release, name),
			Hint: fmt.Sprintf("`plumb patch set show %s` shows them", name)}
	}
	return nil
}

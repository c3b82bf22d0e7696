package patching

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"plumb/policies"
	"plumb/policies/compiler"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
)

// Maker makes patch sets and begins the cycles that carry them. Call Run once.
type Maker struct {
	Store    *store.Store
	Rollouts Rollouts
	Compiler Compiler
	// Now is the clock.
	Now func() time.Time
	// Log gets what is made and what goes wrong.
	Log *slog.Logger

	mu      sync.Mutex // one look at a time
	looker  Looker
	lanes   lanes
	exposed exposed
	once    sync.Once
	poke    chan struct{}
}

// Rollouts takes cycles through rings; rollout.Driver does.
type Rollouts interface {
	// BeginCycle returns the number of the cycle, which is stored then. A cycle of the same
	// rollout that is under way ends there.
	BeginCycle(ctx context.Context, c rollout.Cycle) (uint64, error)
	// Follow lets cycles go on under the newest release.
	Follow(ctx context.Context, release store.Release, plans []policies.Rollout) error
}

// Compiler reads the tree of a release; compiler.Compiler does.
type Compiler interface {
	Compile(ctx context.Context, req compiler.Request) (compiler.Response, error)
}

// The maker looks this often by itself, and at the earliest this long after it looked last: many
// hosts report at once.
const (
	every = time.Minute
	rest  = 500 * time.Millisecond
)

// maxItems is more packages than any fleet gets updates for; a set of so many still fits into one
// answer. A host that tells of more does not fill sets with them.
const maxItems = 20_000

// Poke makes Run look soon.
func (m *Maker) Poke() {
	select {
	case m.pokes() <- struct{}{}:
	default:
	}
}

func (m *Maker) pokes() chan struct{} {
	m.once.Do(func() { m.poke = make(chan struct{}, 1) })
	return m.poke
}

// Run looks until ctx ends: each minute, and soon after a poke. A large fleet is looked at less often.
func (m *Maker) Run(ctx context.Context) {
	m.run(ctx, func(ctx context.Context) {
		if err := m.Step(ctx); err != nil && ctx.Err() == nil {
			m.Log.Error("cannot make patch sets", "error", err)
		}
	})
}

func (m *Maker) run(ctx context.Context, look func(context.Context)) {
	for ctx.Err() == nil {
		began := time.Now()
		look(ctx)
		sleep(ctx, max(rest, 20*time.Since(began)))
		select {
		case <-time.After(every):
		case <-m.pokes():
		case <-ctx.Done():
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Step notes what hosts lack, and begins the cycles that are due. What cannot be done for one
// rollout does not keep others from it.
func (m *Maker) Step(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen, err := m.look(ctx)
	if err != nil {
		return err
	}
	failed := m.expose(ctx, seen)
	plans, release, err := m.plans(ctx)
	if err != nil || release.Number == 0 {
		return errors.Join(failed, err)
	}
	if err := m.Rollouts.Follow(ctx, release, plans); err != nil {
		return errors.Join(failed, err)
	}
	for _, plan := range plans {
		if err := m.rollout(ctx, seen, plan, release); err != nil {
			failed = errors.Join(failed, fmt.Errorf("rollout %s: %w", plan.Name, err))
		}
	}
	return failed
}

func (m *Maker) look(ctx context.Context) (*Sight, error) {
	m.looker.Store = m.Store
	return m.looker.Look(ctx)
}

// plans returns the rollouts of the newest release that carry patches.
func (m *Maker) plans(ctx context.Context) ([]policies.Rollout, store.Release, error) {
	release, err := m.Store.LatestRelease(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return nil, release, nil
	}
	if err != nil {
		return nil, release, err
	}
	m.lanes.store, m.lanes.compiler, m.lanes.log = m.Store, m.Compiler, m.Log
	all, err := m.lanes.rollouts(ctx, release.Bundle)
	return slices.DeleteFunc(slices.Clone(all), func(r policies.Rollout) bool { return r.Baseline() == "" }), release, err
}

// Plans returns the rollouts of the newest release that carry patches.
func (m *Maker) Plans(ctx context.Context) ([]policies.Rollout, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	plans, _, err := m.plans(ctx)
	return plans, err
}

// rollout begins a cycle of a rollout when one is due: an emergency at once, else when what is
// approved differs from what the newest cycle carries, and that one is over.
func (m *Maker) rollout(ctx context.Context, seen *Sight, plan policies.Rollout, release store.Release) error {
	past, err := m.past(ctx, plan)
	if err != nil {
		return err
	}
	members := seen.members(plan)
	if plan.Emergency != nil {
		begun, err := m.emergency(ctx, seen, members, plan, release, past)
		if begun || err != nil {
			return err
		}
	}
	if past.newest != nil && !past.newest.Over() {
		return nil
	}
	items := seen.compose(members, past.items, m.Now())
	again := past.newest != nil && past.newest.Withdrawn != nil && len(items) > 0
	if !again && !differs(past.items, items) {
		return nil
	}
	_, err = m.begin(ctx, seen, members, rollout.Cycle{Plan: plan, Bundle: release.Bundle}, items)
	return err
}

func differs(before, after []patch.Item) bool {
	added, removed := patch.Difference(before, after)
	return len(after) > 0 && len(added)+len(removed) > 0
}

// begin stores the set and begins the cycle that carries it.
func (m *Maker) begin(ctx context.Context, seen *Sight, members []member, c rollout.Cycle, items []patch.Item) (uint64, error) {
	if len(items) > maxItems {
		return 0, fmt.Errorf("the set would have %d packages; %d is the most", len(items), maxItems)
	}
	var err error
	if c.Set, err = m.keep(ctx, patch.Set{Rollout: c.Plan.Name, Baseline: c.Plan.Baseline(), Items: items}.Normal()); err != nil {
		return 0, err
	}
	if err := m.Store.PutAnswers(ctx, c.Set, seen.answers(members, items)); err != nil {
		return 0, err
	}
	number, err := m.Rollouts.BeginCycle(ctx, c)
	if err != nil {
		return 0, fmt.Errorf("cannot begin a patch cycle: %w", err)
	}
	m.Log.Info("patch cycle begun", "rollout", c.Plan.Name, "cycle", number, "set", c.Set, "packages", len(items), "emergency", c.Emergency)
	return number, nil
}

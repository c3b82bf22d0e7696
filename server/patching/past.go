package patching

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
)

// past is what came before in a rollout.
type past struct {
	// newest is the newest cycle, nil before the first; items are those of its set.
	newest *rollout.State
	items  []patch.Item
	// tested are the items that an emergency is added to: see [Maker.tested].
	tested []patch.Item
}

func (m *Maker) past(ctx context.Context, plan policies.Rollout) (past, error) {
	newest, err := m.cycles(ctx, plan.Name, 1, 0)
	if err != nil || len(newest) == 0 {
		return past{}, err
	}
	p := past{newest: &newest[0]}
	if p.items, err = m.carried(ctx, plan, p.newest.Set); err != nil {
		return past{}, err
	}
	p.tested, err = m.tested(ctx, plan, p)
	return p, err
}

// carried returns the items of a set. What another baseline approved, which the rollout carried
// before, counts no more.
func (m *Maker) carried(ctx context.Context, plan policies.Rollout, digest string) ([]patch.Item, error) {
	set, err := ReadSet(ctx, m.Store, digest)
	if err != nil || set.Baseline != plan.Baseline() {
		return nil, err
	}
	return set.Items, nil
}

func (m *Maker) cycles(ctx context.Context, name string, most int, before uint64) ([]rollout.State, error) {
	rows, err := m.Store.Cycles(ctx, name, most, before)
	if err != nil {
		return nil, err
	}
	all := make([]rollout.State, len(rows))
	for i, row := range rows {
		if all[i], err = rollout.ReadCycle(row); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tested returns the items that an emergency cycle is added to. Those of a cycle that is still on
// its way have not been through all rings: they must not come in by the short lane. What a person
// rolled back is not begun again by itself.
func (m *Maker) tested(ctx context.Context, plan policies.Rollout, p past) ([]patch.Item, error) {
	if p.newest.Over() || p.newest.Emergency {
		return p.items, nil
	}
	for before := p.newest.Release; ; {
		some, err := m.cycles(ctx, p.newest.Rollout, 20, before)
		if err != nil || len(some) == 0 {
			return nil, err
		}
		if i := slices.IndexFunc(some, func(s rollout.State) bool { return !s.Done.IsZero() }); i >= 0 {
			return m.carried(ctx, plan, some[i].Set)
		}
		before = some[len(some)-1].Release
	}
}

// ReadSet returns a stored patch set.
func ReadSet(ctx context.Context, s *store.Store, digest string) (patch.Set, error) {
	var set patch.Set
	raw, err := s.Object(ctx, store.Ref{Kind: store.KindSet, Digest: digest})
	if err != nil {
		return set, fmt.Errorf("cannot read the patch set %.12s: %w", digest, err)
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return set, fmt.Errorf("cannot read the patch set %.12s: %w", digest, err)
	}
	return set, nil
}

// keep stores a set and returns its digest.
func (m *Maker) keep(ctx context.Context, set patch.Set) (string, error) {
	raw, err := json.Marshal(set)
	if err != nil {
		return "", fmt.Errorf("cannot encode a patch set: %w", err)
	}
	digest := inventory.Digest(raw)
	return digest, m.Store.PutObject(ctx, store.Ref{Kind: store.KindSet, Digest: digest}, raw, m.Now())
}

// answers says which advisories the items answer on some of the hosts, by package.
func (s *Sight) answers(members []member, items []patch.Item) map[string][]string {
	in := map[patch.Item]bool{}
	for _, i := range items {
		i.Level, i.Dependency = "", false
		in[i] = true
	}
	all := map[string][]string{}
	for _, a := range members {
		for _, o := range a.Offers.List {
			if !in[patch.ItemOf(o)] {
				continue
			}
			for _, one := range s.Answered(a.Alike, o) {
				if !slices.Contains(all[o.Package], one.ID) {
					all[o.Package] = append(all[o.Package], one.ID)
				}
			}
		}
	}
	return all
}

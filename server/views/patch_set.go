package views

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"plumb/policies/patch"
	"plumb/server/patching"
	"plumb/server/rollout"
	"plumb/server/store"
)

// PatchSet is what one patch cycle carries, in short.
type PatchSet struct {
	Rollout string `json:"rollout"`
	Cycle   uint64 `json:"cycle"`
	// Set is the digest that hosts verify.
	Set       string    `json:"set"`
	Made      time.Time `json:"made"`
	Emergency bool      `json:"emergency"`
	// By is who asked for it and why, empty when the server made it by itself.
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
	// Phase is as in Rollout.
	Phase string `json:"phase"`
	// Packages counts its packages; Added and Removed compare with the cycle before.
	Packages int `json:"packages"`
	Added    int `json:"added"`
	Removed  int `json:"removed"`
}

// PatchSetDetail is all of it.
type PatchSetDetail struct {
	PatchSet
	// Baseline is the patch baseline that approved it.
	Baseline string         `json:"baseline"`
	Items    []PatchSetItem `json:"items"`
	// Gone are the items of the cycle before that are no longer in it, without those that got a
	// newer version.
	Gone []patch.Item `json:"gone"`
	// Answers are the advisories that it answered on some host when it was made, the worst first.
	Answers []PatchSetAnswer `json:"answers"`
}

// PatchSetItem is one package of a set.
type PatchSetItem struct {
	patch.Item
	// New is true when the cycle before did not have this version; From is the one that it had.
	New  bool   `json:"new"`
	From string `json:"from,omitempty"`
	// Advisories are those that it answers.
	Advisories []string `json:"advisories"`
}

// PatchSetAnswer is one advisory that a set answers.
type PatchSetAnswer struct {
	ID        string   `json:"id"`
	Severity  string   `json:"severity"`
	Exploited bool     `json:"exploited"`
	Summary   string   `json:"summary,omitempty"`
	Packages  []string `json:"packages"`
}

// PatchSets returns what the newest cycles of a rollout carry ("": of all rollouts), the newest
// first.
func (r Reader) PatchSets(ctx context.Context, name string, limit int) ([]PatchSet, error) {
	names := []string{name}
	var err error
	if name == "" {
		if names, err = r.Store.CycleRollouts(ctx); err != nil {
			return nil, err
		}
	}
	all := []PatchSet{}
	for _, name := range names {
		rows, err := r.Store.Cycles(ctx, name, limit+1, 0)
		if err != nil {
			return nil, err
		}
		for i := range rows[:min(limit, len(rows))] {
			one, err := r.patchSet(ctx, rows[i:])
			if err != nil {
				return nil, err
			}
			all = append(all, one.PatchSet)
		}
	}
	slices.SortStableFunc(all, func(a, b PatchSet) int { return b.Made.Compare(a.Made) })
	return all[:min(limit, len(all))], nil
}

// patchSet reads the set of the first of the cycles, which are the newest first, and what its
// packages were in the one before.
func (r Reader) patchSet(ctx context.Context, rows []store.Cycle) (PatchSetDetail, error) {
	state, err := rollout.ReadCycle(rows[0])
	if err != nil {
		return PatchSetDetail{}, err
	}
	set, err := patching.ReadSet(ctx, r.Store, state.Set)
	if err != nil {
		return PatchSetDetail{}, err
	}
	var before patch.Set
	if len(rows) > 1 {
		if before, err = patching.ReadSet(ctx, r.Store, rows[1].Set); err != nil {
			return PatchSetDetail{}, err
		}
	}
	added, removed := patch.Difference(before.Items, set.Items)
	v := PatchSetDetail{Baseline: set.Baseline, Items: []PatchSetItem{}, Answers: []PatchSetAnswer{}}
	for _, i := range set.Items {
		v.Items = append(v.Items, PatchSetItem{Item: i, New: slices.Contains(added, i), From: versionIn(removed, i), Advisories: []string{}})
	}
	v.Gone = slices.DeleteFunc(slices.Clone(list(removed)), func(old patch.Item) bool { return versionIn(set.Items, old) != "" })
	v.PatchSet = PatchSet{Rollout: state.Rollout, Cycle: state.Release, Set: state.Set, Made: state.Made.UTC(), Emergency: state.Emergency,
		Phase: rolloutPhase(state), Packages: len(set.Items), Added: len(added), Removed: len(v.Gone)}
	if begun := slices.IndexFunc(state.History, func(e rollout.Entry) bool { return e.What == "begun" }); begun >= 0 {
		v.By, v.Why = state.History[begun].Who, state.History[begun].Why
	}
	return v, nil
}

// versionIn returns the version that the items have of the same package, empty for none.
func versionIn(items []patch.Item, of patch.Item) string {
	i := slices.IndexFunc(items, func(i patch.Item) bool {
		return i.Manager == of.Manager && i.Repository == of.Repository && i.Package == of.Package && i.Arch == of.Arch
	})
	if i < 0 {
		return ""
	}
	return items[i].Version
}

// PatchSet returns what a cycle of a rollout carries; number 0 is the newest. store.ErrNotFound
// when there is no such cycle.
func (r Reader) PatchSet(ctx context.Context, name string, number uint64) (PatchSetDetail, error) {
	before := uint64(0)
	if number > 0 {
		before = number + 1
	}
	rows, err := r.Store.Cycles(ctx, name, 2, before)
	if err != nil {
		return PatchSetDetail{}, err
	}
	if len(rows) == 0 || number > 0 && rows[0].Number != number {
		return PatchSetDetail{}, fmt.Errorf("cannot find cycle %d of %s: %w", number, name, store.ErrNotFound)
	}
	v, err := r.patchSet(ctx, rows)
	if err != nil {
		return v, err
	}
	answers, err := r.Store.Answers(ctx, v.Set)
	if err != nil {
		return v, err
	}
	for i := range v.Items {
		v.Items[i].Advisories = list(answers[v.Items[i].Package])
	}
	v.Answers, err = r.setAnswers(ctx, answers)
	return v, err
}

// setAnswers turns packages and their advisories into advisories and their packages.
func (r Reader) setAnswers(ctx context.Context, answers map[string][]string) ([]PatchSetAnswer, error) {
	packages := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		for _, id := range answers[name] {
			packages[id] = append(packages[id], name)
		}
	}
	found := []PatchSetAnswer{}
	known, err := r.advisoriesByID(ctx, slices.Sorted(maps.Keys(packages)))
	if err != nil {
		return nil, err
	}
	for id, names := range packages {
		a := known[id]
		found = append(found, PatchSetAnswer{ID: id, Severity: cmp.Or(a.Severity, "unknown"), Exploited: a.Exploited, Summary: a.Summary, Packages: names})
	}
	slices.SortFunc(found, func(a, b PatchSetAnswer) int {
		return cmp.Or(compareSeverity(a.Severity, b.Severity), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

// advisoriesByID returns those of the advisories that are known.
func (r Reader) advisoriesByID(ctx context.Context, ids []string) (map[string]store.Advisory, error) {
	const atOnce = 500
	known := map[string]store.Advisory{}
	for some := range slices.Chunk(ids, atOnce) {
		all, err := r.Store.Advisories(ctx, store.AdvisoryFilter{IDs: some})
		if err != nil {
			return nil, err
		}
		for _, a := range all {
			known[a.ID] = a
		}
	}
	return known, nil
}

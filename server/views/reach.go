package views

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/server/kpi"
	"plumb/server/store"
)

// Reached is when a release came to one host, and how it fared there.
type Reached struct {
	Host string    `json:"host"`
	At   time.Time `json:"at"`
	// Converged and Failed are the first time of each.
	Converged *time.Time `json:"converged,omitempty"`
	Failed    *time.Time `json:"failed,omitempty"`
}

// noting yields the hosts on, and notes when a release came to them.
func noting(hosts iter.Seq[kpi.Host], release uint64, into *[]Reached) iter.Seq[kpi.Host] {
	return func(yield func(kpi.Host) bool) {
		for h := range hosts {
			if one, is := reachedBy(h, release); is {
				*into = append(*into, one)
			}
			if !yield(h) {
				return
			}
		}
	}
}

// reachedBy tells how a release fared on a host, by the same rules as the figures.
func reachedBy(h kpi.Host, release uint64) (Reached, bool) {
	one := Reached{Host: h.Name}
	for _, i := range h.Intervals {
		if i.Release != release || i.Silent {
			continue
		}
		if one.At.IsZero() {
			one.At = i.Since.UTC()
		}
		if i.Sound && one.Converged == nil {
			one.Converged = stamp(i.Since)
		}
	}
	for _, e := range h.Events {
		own := e.Kind == store.EventRefused || e.Kind == store.EventFailed && e.Cause != string(policies.Corrective)
		if !own || e.Release != release {
			continue
		}
		if one.Failed == nil {
			one.Failed = stamp(e.At)
		}
		if one.At.IsZero() || e.At.Before(one.At) {
			one.At = e.At.UTC()
		}
	}
	return one, !one.At.IsZero()
}

// RingRecord is when a release, or a patch cycle, took one ring.
type RingRecord struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	Phase string `json:"phase"`
	// Begun is when it began to roll there, Passed when it had passed.
	Begun  *time.Time `json:"begun,omitempty"`
	Passed *time.Time `json:"passed,omitempty"`
}

// ringRecords are the rings of a course in their order.
func (c course) ringRecords() []RingRecord {
	list := []RingRecord{}
	for i, ring := range c.Rings {
		one := RingRecord{Name: ring.Name, Phase: string(ring.Phase)}
		if c.Plan != nil && i < len(c.Plan.Rings) {
			one.Group = c.Plan.Rings[i].Group
		}
		for _, e := range c.History {
			switch {
			case e.Ring != ring.Name:
			case e.What == "rolling" && one.Begun == nil:
				one.Begun = stamp(e.At)
			case e.What == "passed":
				one.Passed = stamp(e.At)
			}
		}
		list = append(list, one)
	}
	return list
}

// ChangedFile is one file in which a release differs from the one before.
type ChangedFile struct {
	Path string `json:"path"`
	// What is added, removed or changed.
	What string `json:"what"`
	// Before and After are its bytes.
	Before, After []byte `json:"-"`
}

// ChangedFiles compares the tree of a release with that of the release before, by path.
func (r Reader) ChangedFiles(ctx context.Context, number uint64) ([]ChangedFile, error) {
	after, err := r.tree(ctx, number)
	if err != nil {
		return nil, err
	}
	before := bundle.Tree{}
	if number > 1 {
		if before, err = r.tree(ctx, number-1); err != nil {
			return nil, err
		}
	}
	files := []ChangedFile{}
	for _, path := range slices.Sorted(maps.Keys(bothTrees(before, after))) {
		old, was := before[path]
		now, is := after[path]
		if was && is && string(old) == string(now) {
			continue
		}
		files = append(files, ChangedFile{Path: path, What: whatOf(was, is), Before: old, After: now})
	}
	return files, nil
}

func bothTrees(a, b bundle.Tree) bundle.Tree {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func whatOf(was, is bool) string {
	switch {
	case !was:
		return "added"
	case !is:
		return "removed"
	}
	return "changed"
}

func (r Reader) tree(ctx context.Context, number uint64) (bundle.Tree, error) {
	release, err := r.Store.Release(ctx, number)
	if err != nil {
		return nil, err
	}
	raw, err := r.Store.Object(ctx, store.Ref{Kind: store.KindBundle, Digest: release.Bundle})
	if err != nil {
		return nil, err
	}
	return bundle.Unpack(raw)
}

// ChangedResource counts the hosts on which a release changed, or could not change, one resource.
type ChangedResource struct {
	Address string `json:"address"`
	Changed int    `json:"changed"`
	Failed  int    `json:"failed"`
}

// ChangedResources lists what a release did by itself, the resource with the most failures first.
func (r Reader) ChangedResources(ctx context.Context, release uint64) ([]ChangedResource, error) {
	rows, err := r.Store.ReachByAddress(ctx, release)
	if err != nil {
		return nil, err
	}
	by := map[string]ChangedResource{}
	for _, row := range rows {
		one := by[row.Address]
		switch one.Address = row.Address; row.Kind {
		case store.EventRepaired:
			one.Changed = row.Hosts
		case store.EventFailed:
			one.Failed = row.Hosts
		}
		by[row.Address] = one
	}
	all := slices.Collect(maps.Values(by))
	slices.SortFunc(all, func(a, b ChangedResource) int {
		return cmp.Or(cmp.Compare(b.Failed, a.Failed), cmp.Compare(b.Changed, a.Changed), cmp.Compare(a.Address, b.Address))
	})
	return all, nil
}

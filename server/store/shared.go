package store

import (
	"cmp"
	"slices"
)

// putShared stores what reports of several hosts may bring at once: objects, versions and advisories. Each kind goes in an order of
// its own, for all of the deliveries together: two servers that store the same ones then wait for each other in one direction only.
func (w *writing) putShared(good []*delivery) error {
	var notices []Advisory
	var objects, versions [][]any
	for _, d := range good {
		for _, step := range d.steps {
			for _, one := range step.Notices {
				notices = append(notices, Advisory{one, d.now})
			}
			for _, o := range step.Objects {
				objects = append(objects, objectRow(o, d.now))
			}
			versions = append(versions, versionRows(step.Offered, d.now)...)
		}
	}
	if err := noteAdvisories(w.ctx, w.tx, notices); err != nil {
		return err
	}
	slices.SortStableFunc(objects, compareRows(2))
	slices.SortStableFunc(versions, compareRows(4))
	if err := w.put(insertObject, objects, nil); err != nil {
		return err
	}
	return w.put(insertVersion, versions, nil)
}

// compareRows orders rows by the texts that are their key: as many as that, from the first on.
func compareRows(key int) func(a, b []any) int {
	return func(a, b []any) int {
		for i := range key {
			if c := cmp.Compare(a[i].(string), b[i].(string)); c != 0 {
				return c
			}
		}
		return 0
	}
}

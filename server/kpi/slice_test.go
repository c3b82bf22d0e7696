package kpi

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestSlices is that each slice has the counts of the figures of its own time.
func TestSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, f, _ := history(t)
		q := Query{From: at(2), To: at(length), AsOf: at(length), Step: time.Duration(rapid.IntRange(1, 2*length).Draw(t, "step")) * time.Minute}
		var want []Slice
		for from := q.From; from.Before(q.To); from = from.Add(q.Step) {
			part := Query{From: from, To: from.Add(q.Step), AsOf: q.AsOf}
			if part.To.After(q.To) {
				part.To = q.To
			}
			own := compute(part, f.changes, f.hosts...)
			want = append(want, Slice{from, own.Changes.Succeeded, own.Changes.Failed, own.Drift.Episodes, own.Drift.Mended})
		}
		if diff := cmp.Diff(want, compute(q, f.changes, f.hosts...).Course); diff != "" {
			t.Fatalf("slices of %s differ from figures of their own (-want +got):\n%s", q.Step, diff)
		}
	})
}

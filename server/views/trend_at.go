package views

import (
	"context"
	"maps"
	"time"

	"plumb/server/store"
)

// TrendAt is [Reader.Trend] as it was seen at an instant, which is its last point. Few ask, and each about another
// instant: nothing of it is kept.
func (r Reader) TrendAt(ctx context.Context, period string, t time.Time) (Trend, error) {
	step, n := pace(period)
	last := t.UTC().Truncate(step)
	var spans []store.Span
	for i := n; i > 0; i-- {
		spans = append(spans, store.Span{After: last.Add(-time.Duration(i) * step), At: last.Add(-time.Duration(i-1) * step)})
	}
	if last.Before(t) {
		spans = append(spans, store.Span{After: last, At: t})
	}
	spans = append(spans, store.Span{After: t})
	turns, stands, err := r.Store.TurnsIn(ctx, spans)
	if err != nil {
		return Trend{}, err
	}
	trend := Trend{Period: period, Points: make([]TrendPoint, len(spans))}
	for i := len(spans) - 1; i >= 0; i-- {
		for status, change := range turns[i] {
			stands[status] -= change
		}
		trend.Points[i] = TrendPoint{spans[i].After.UTC(), Tally(maps.Clone(stands)).clean()}
	}
	return trend, nil
}

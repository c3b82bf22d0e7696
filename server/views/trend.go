package views

import (
	"context"
	"maps"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// Trend is how the fleet stood at past instants.
type Trend struct {
	// Period is one of Periods.
	Period string `json:"period"`
	// Points are in order of time; the last one is now.
	Points []TrendPoint `json:"points"`
}

// TrendPoint is how the fleet stood at one instant.
type TrendPoint struct {
	At time.Time `json:"at"`
	// Status counts enrolled hosts.
	Status Tally `json:"status"`
}

// Periods are what a trend can go back to, the shortest first.
func Periods() []string { return []string{"24h", "7d", "30d", "90d"} }

const day = 24 * time.Hour

// pace is how far apart the points of a period are, and how many there are besides now.
func pace(period string) (step time.Duration, points int) {
	switch period {
	case "24h":
		return 30 * time.Minute, 48
	case "30d":
		return 12 * time.Hour, 60
	case "90d":
		return day, 90
	}
	return 3 * time.Hour, 56
}

const (
	// settled is the age from which no report changes the past any more, but for hosts that come
	// back after the server itself was away.
	settled = day
	// turnsKept is for how long the past is remembered as it was counted.
	turnsKept = 6 * time.Hour
)

// Trend counts how the fleet stood, at instants that lie the same for everybody who asks: the
// past is counted once.
func (r Reader) Trend(ctx context.Context, period string, now time.Time) (Trend, error) {
	step, n := pace(period)
	last := now.UTC().Truncate(step)
	spans := make([]store.Span, 0, n+1)
	for i := n; i > 0; i-- {
		spans = append(spans, store.Span{After: last.Add(-time.Duration(i) * step), At: last.Add(-time.Duration(i-1) * step)})
	}
	spans = append(spans, store.Span{After: last})
	turns, stands, err := r.memory().turned(ctx, r.Store, spans, now)
	if err != nil {
		return Trend{}, err
	}
	t := Trend{Period: period, Points: make([]TrendPoint, len(spans)+1)}
	t.Points[len(spans)] = TrendPoint{now.UTC(), Tally(maps.Clone(stands)).clean()}
	for i := len(spans) - 1; i >= 0; i-- {
		for status, change := range turns[i] {
			stands[status] -= change
		}
		t.Points[i] = TrendPoint{spans[i].After, Tally(maps.Clone(stands)).clean()}
	}
	return t, nil
}

// turned is what happened in each span, and how the fleet stands now.
func (m *Memory) turned(ctx context.Context, s *store.Store, spans []store.Span, now time.Time) ([]store.Turns, store.Turns, error) {
	m.past.Lock()
	defer m.past.Unlock()
	if age := now.Sub(m.begun); m.turns == nil || age < 0 || age > turnsKept {
		m.turns, m.begun = map[store.Span]store.Turns{}, now
	}
	var ask []store.Span
	for _, span := range spans {
		if m.turns[span] == nil {
			ask = append(ask, span)
		}
	}
	found, stands, err := s.TurnsIn(ctx, ask)
	if err != nil {
		return nil, nil, err
	}
	turns := make([]store.Turns, len(spans))
	for i, span := range spans {
		if turns[i] = m.turns[span]; turns[i] != nil {
			continue
		}
		turns[i], found = found[0], found[1:]
		if !span.At.IsZero() && now.Sub(span.At) > settled {
			m.turns[span] = turns[i]
		}
	}
	return turns, stands, nil
}

// Hosts is how many hosts there were.
func (p TrendPoint) Hosts() int { return p.Status.Hosts() }

// Fine counts those that needed nobody.
func (p TrendPoint) Fine() int { return p.Status.Passing() + p.Status[policies.NotApplicable] }

package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plumb/policies"
)

// Span is a time from after After until At, both in whole milliseconds.
type Span struct {
	After, At time.Time
}

// Turns counts the intervals of each status that began in a span, less those that ended in it.
type Turns map[policies.Status]int

// TurnsIn returns the turns of each span, which makes of how the fleet stood at the begin of one how it
// stood at its end, and how the fleet stands now, revoked hosts left out. A span whose At is
// zero goes on for ever. All is of one moment.
func (s *Store) TurnsIn(ctx context.Context, spans []Span) (turns []Turns, now Turns, err error) {
	type row struct {
		span   int
		status policies.Status
		n      int
	}
	found, err := s.r.QueryContext(ctx, turnsQuery(spans))
	rows, err := list(found, err, func(scan func(...any) error) (r row, err error) { return r, scan(&r.span, &r.status, &r.n) })
	if err != nil {
		return nil, nil, fmt.Errorf("cannot count intervals: %w", err)
	}
	turns, now = make([]Turns, len(spans)), Turns{}
	for i := range turns {
		turns[i] = Turns{}
	}
	for _, r := range rows {
		switch {
		case r.n == 0:
		case r.span < 0:
			now[r.status] = r.n
		default:
			turns[r.span][r.status] = r.n
		}
	}
	return turns, now, nil
}

// forever is later than any time in a column.
const forever = 1 << 62

// turnsQuery holds nothing but numbers and words of ours. Each count is a walk along one stretch
// of an index. The index of ends leaves out what lasts, so the question has to say so, and by <>: SQLite
// would begin its walk at "until > 0" and go through all that ever ended.
func turnsQuery(spans []Span) string {
	const now = `SELECT -1, status, COUNT(*) FROM hosts WHERE revoked = 0 GROUP BY status`
	if len(spans) == 0 {
		return now
	}
	var bounds, words []string
	for i, span := range spans {
		until := int64(forever)
		if !span.At.IsZero() {
			until = ms(span.At)
		}
		bounds = append(bounds, fmt.Sprintf("(%d, CAST(%d AS BIGINT), CAST(%d AS BIGINT))", i, ms(span.After), until))
	}
	for _, status := range policies.Statuses {
		words = append(words, "('"+string(status)+"')")
	}
	return `WITH b (span, past, until) AS (VALUES ` + strings.Join(bounds, ", ") + `), w (status) AS (VALUES ` + strings.Join(words, ", ") + `)
		SELECT b.span, w.status, (SELECT COUNT(*) FROM intervals i WHERE i.status = w.status AND i.since > b.past AND i.since <= b.until)
			- (SELECT COUNT(*) FROM intervals i WHERE i.status = w.status AND i.until <> 0 AND i.until > b.past AND i.until <= b.until) FROM b, w
		UNION ALL ` + now
}

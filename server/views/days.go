package views

import (
	"context"
	"maps"
	"sync"
	"time"

	"plumb/server/store"
)

// Day is how hosts stood with each policy and each control when a day began, in UTC.
type Day struct {
	At                 time.Time
	Policies, Controls map[string]Tally
}

// days remembers how hosts stood on days whose past is settled, as they were counted from begun on.
type days struct {
	mu    sync.Mutex
	known map[time.Time]Day
	begun time.Time
}

// Days tells how hosts stood when the last n days began, the oldest first. All that are not known are counted at once:
// a month takes hardly longer than a day.
func (r Reader) Days(ctx context.Context, n int, now time.Time) ([]Day, error) {
	d := &r.memory().days
	d.mu.Lock()
	defer d.mu.Unlock()
	if age := now.Sub(d.begun); d.known == nil || age > turnsKept {
		d.known, d.begun = map[time.Time]Day{}, now
	}
	list, ask := make([]Day, n), []*Day{}
	for i := range list {
		at := now.UTC().Truncate(day).AddDate(0, 0, i+1-n)
		one, known := d.known[at]
		if list[i] = one; !known {
			list[i] = Day{At: at, Policies: map[string]Tally{}, Controls: map[string]Tally{}}
			ask = append(ask, &list[i])
		}
	}
	if len(ask) == 0 {
		return list, nil
	}
	if err := r.countDays(ctx, ask); err != nil {
		return nil, err
	}
	for _, one := range ask {
		if now.Sub(one.At) > settled {
			d.known[one.At] = *one
		}
	}
	return list, nil
}

// group is what some hosts stood at, as a day sees them.
type group struct {
	pair
	silent bool
}

// countDays counts hosts that stood alike at once, on all of the days.
func (r Reader) countDays(ctx context.Context, ask []*Day) error {
	turns := map[group][]int{}
	err := r.Store.StoodOver(ctx, ask[0].At, ask[len(ask)-1].At, func(one store.Stood) {
		from := dayAfter(ask, one.Since)
		upTo := len(ask)
		if !one.Until.IsZero() {
			upTo = dayAfter(ask, one.Until)
		}
		if from >= upTo || !answered(one.Catalog, one.Result) {
			return
		}
		g := group{pair{one.Catalog, one.Result}, one.Silent}
		if turns[g] == nil {
			turns[g] = make([]int, len(ask)+1)
		}
		turns[g][from]++
		turns[g][upTo]--
	})
	if err != nil {
		return err
	}
	s := r.stoodAt(time.Time{})
	for g := range turns {
		if err := s.learn(ctx, store.Standing{Catalog: g.catalog, Result: g.result}); err != nil {
			return err
		}
	}
	for i, one := range ask {
		s.day(one, i, turns)
	}
	return nil
}

// dayAfter is the place of the first day that begins at an instant or later.
func dayAfter(list []*Day, t time.Time) int {
	for i, one := range list {
		if !one.At.Before(t) {
			return i
		}
	}
	return len(list)
}

// day counts the hosts of one day, the i-th: those of the day before and the turns since.
func (s *stood) day(one *Day, i int, turns map[group][]int) {
	c := newCensus()
	for g, n := range turns {
		if i > 0 {
			n[i] += n[i-1]
		}
		if n[i] > 0 {
			c.stand(store.Standing{Catalog: g.catalog, Result: g.result, Silent: g.silent, Hosts: n[i]}, s.m.catalogs[g.catalog], s.m.faults[g.pair])
		}
	}
	for catalog, n := range c.catalogs {
		for _, name := range s.m.catalogs[catalog].policies {
			tallyOf(c.policies, name).add(n)
		}
		for _, name := range s.m.catalogs[catalog].controls {
			tallyOf(c.controls, name).add(n)
		}
	}
	one.Policies, one.Controls = c.policies, c.controls
	for _, all := range []map[string]Tally{c.policies, c.controls} {
		maps.DeleteFunc(all, func(_ string, t Tally) bool { return len(t.clean()) == 0 })
	}
}

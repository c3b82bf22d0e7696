package rollout

import (
	"context"
	"time"
)

// Asker answers the queries of gates; server/prometheus does.
type Asker interface {
	// Ask tells whether the answer to a query is good. An error means that there is no answer.
	Ask(ctx context.Context, query string) (bool, error)
}

const (
	// askEvery is how often one query is asked at most.
	askEvery = 15 * time.Second
	// fresh is how long an answer counts.
	fresh = time.Minute
)

// nobody is why there is no answer without an Asker.
const nobody = "the server was not told of a Prometheus (prometheus in its config)"

// askAlong asks the queries that rings wait for, until ctx ends. Nothing waits for it.
func (d *Driver) askAlong(ctx context.Context) {
	for ctx.Err() == nil {
		if d.inquire(ctx) {
			d.Poke()
		}
		sleep(ctx, every)
	}
}

// inquire asks once what is due, and tells whether there was anything.
func (d *Driver) inquire(ctx context.Context) bool {
	queries := d.queries()
	for _, q := range queries {
		good, err := d.Asker.Ask(ctx, q)
		a := Answer{At: d.Now(), Good: good && err == nil}
		if err != nil {
			a.Problem = err.Error()
		}
		d.mu.Lock()
		d.answers[q] = a
		d.mu.Unlock()
	}
	return len(queries) > 0
}

// queries lists what rings wait for and was not asked lately, and forgets the rest.
func (d *Driver) queries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept, due := map[string]Answer{}, []string{}
	for _, t := range d.tracks {
		if len(t.book) == 0 || !t.book[0].Active() {
			continue
		}
		for i, r := range t.book[0].Rings {
			q := t.book[0].Plan.Rings[i].Gate.Query
			if q == "" || r.Phase != Soaking {
				continue
			}
			old, asked := d.answers[q]
			if kept[q] = old; !asked || !within(d.Now(), old.At, askEvery) {
				due = append(due, q)
			}
		}
	}
	d.answers = kept
	return due
}

// within tells whether at lies in the time before now.
func within(now, at time.Time, span time.Duration) bool {
	age := now.Sub(at)
	return age >= 0 && age < span
}

// answer puts the answers of now into the rings that wait for one, and tells whether that is news.
func (d *Driver) answer(s *State, now time.Time) (news bool) {
	for i := range s.Rings {
		r, q := &s.Rings[i], s.Plan.Rings[i].Gate.Query
		old := r.Asked
		r.Asked = nil
		if q == "" || r.Phase != Soaking {
			continue
		}
		if a, asked := d.answers[q]; d.Asker == nil {
			r.Asked = &Answer{Problem: nobody}
		} else if asked && within(d.Now(), a.At, fresh) {
			a.At = a.At.UTC()
			r.Asked = &a
		}
		news = news || (old == nil) != (r.Asked == nil) || old != nil && (old.Good != r.Asked.Good || old.Problem != r.Asked.Problem)
	}
	return news
}

package kpi

import (
	"iter"
	"slices"
	"time"
)

// Compute derives the figures from the changes, in order of making, and from the hosts. It looks
// at one host at a time, so that a large fleet need not be in memory.
func Compute(q Query, changes []Change, hosts iter.Seq[Host]) Figures {
	return tallied(q, changes, hosts).figures()
}

func tallied(q Query, changes []Change, hosts iter.Seq[Host]) *tally {
	t := begin(q, changes)
	for h := range hosts {
		if h, known := h.asOf(q.AsOf); known {
			t.hosts++
			t.drift(h)
			t.incidents(h)
			t.change(h)
		}
	}
	return t
}

// tally is what adds up over the hosts.
type tally struct {
	Query
	hosts      int
	changes    []*journey
	releases   map[uint64]*journey
	cycles     map[string][]*journey // by the address of their resource
	executions Executions
	episodes   Drift
	detect     []time.Duration
	repair     []time.Duration
	counted    Incidents
	course     []Slice
}

func begin(q Query, changes []Change) *tally {
	t := &tally{Query: q, course: q.slices(), releases: map[uint64]*journey{}, cycles: map[string][]*journey{}}
	for _, c := range changes {
		if c.Made.After(q.AsOf) {
			continue
		}
		j := newJourney(c, q.AsOf)
		t.changes = append(t.changes, j)
		if c.Kind == Release {
			t.releases[c.Number] = j
		} else {
			t.cycles[cycleAddress(c.Rollout)] = append(t.cycles[cycleAddress(c.Rollout)], j)
		}
		for _, h := range j.halts {
			if q.in(h.at) {
				t.counted.Halts++
			}
		}
	}
	return t
}

func (t *tally) figures() Figures {
	f := Figures{From: t.From, To: t.To, AsOf: t.AsOf, Hosts: t.hosts, Drift: t.episodes, Incidents: t.counted,
		Executions: t.executions, List: []Record{}, Course: t.course}
	f.Executions.Success = rate(f.Executions.Converged, f.Executions.Converged+f.Executions.Failed)
	t.changeFigures(&f)
	f.Drift.Detect, f.Drift.Repair = spread(t.detect), spread(t.repair)
	if f.Drift.Episodes > 0 && (t.Policy == "" || f.Drift.InOrder > 0) {
		between := f.Drift.InOrder / float64(f.Drift.Episodes)
		f.Drift.Between = &between
	}
	f.Incidents.Drift = f.Drift.Episodes - f.Drift.AtOnce
	i := &f.Incidents
	i.Total = i.Halts + i.Drift + i.Silent + i.Refused + i.Mismatches
	return f
}

func (t *tally) changeFigures(f *Figures) {
	var lead, lead95, restore []time.Duration
	for _, j := range t.changes {
		r := j.close(t.AsOf)
		if r.Outcome == Open || t.in(r.Closed) {
			f.List = append(f.List, r)
			f.Changes.count(r, j, t.AsOf)
			t.slice(r.Closed).count(r)
		}
		if r.Outcome == Succeeded && t.in(r.Closed) {
			lead, lead95 = j.leads(lead, lead95, t.AsOf)
		}
		if t.in(j.begun(t.AsOf)) {
			f.Frequency.Count++
		}
		restore = j.restores(t.Query, restore, &f.Restore)
	}
	f.Changes.Success = rate(f.Changes.Succeeded, f.Changes.Succeeded+f.Changes.Failed)
	f.Changes.Failure = rate(f.Changes.Failed, f.Changes.Succeeded+f.Changes.Failed)
	f.LeadTime, f.LeadTime95, f.Restore.Spread = spread(lead), spread(lead95), spread(restore)
	if weeks := t.To.Sub(t.From).Hours() / (7 * 24); weeks > 0 {
		perWeek := float64(f.Frequency.Count) / weeks
		f.Frequency.PerWeek = &perWeek
	}
	slices.SortStableFunc(f.List, func(a, b Record) int { return a.Made.Compare(b.Made) })
}

func (s *Slice) count(r Record) {
	switch r.Outcome {
	case Succeeded:
		s.Succeeded++
	case Failed:
		s.Failed++
	}
}

func (c *Changes) count(r Record, j *journey, asOf time.Time) {
	switch r.Outcome {
	case Succeeded:
		c.Succeeded++
	case Failed:
		c.Failed++
	case Void:
		c.Void++
	default:
		c.Open++
		if j.stopped(asOf) {
			c.Halted++
		}
	}
}

// incidents counts what happened to a host as a whole.
func (t *tally) incidents(h Host) {
	for _, e := range h.Events {
		if !t.in(e.At) {
			continue
		}
		switch e.Kind {
		case "stale":
			t.counted.Silent++
		case "mismatch":
			t.counted.Mismatches++
		}
	}
}

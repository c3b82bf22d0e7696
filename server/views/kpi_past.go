package views

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/kpi"
	"plumb/server/store"
)

// soundStatuses are those with which a host counts as converged, as the rollout engine has it. That a
// noncompliant resource is in audit mode is not in an interval.
var soundStatuses = []policies.Status{policies.Compliant, policies.Repaired, policies.Waived, policies.NotApplicable, policies.Noncompliant}

// standing is what the counts of an interval say.
type standing struct {
	sound, waits bool
	inOrder      int
}

func standingOf(status, column string) (standing, error) {
	counts := map[policies.Status]int{}
	if err := json.Unmarshal([]byte(column), &counts); err != nil {
		return standing{}, fmt.Errorf("cannot read the counts of an interval: %w", err)
	}
	s := standing{sound: slices.Contains(soundStatuses, policies.Status(status)), waits: counts[policies.Pending] > 0,
		inOrder: counts[policies.Compliant] + counts[policies.Repaired]}
	for one, n := range counts {
		s.sound = s.sound && (n == 0 || slices.Contains(soundStatuses, one))
	}
	return s, nil
}

// past reads histories.
type past struct {
	store *store.Store
	ctx   context.Context
	// since leaves out what was over by then; zero leaves out nothing.
	since time.Time
	// enough tells whether the rows since then tell all of a host, whose rows are all read otherwise.
	// Nil is content with them.
	enough func(kpi.Host) bool
	// whole is true where the hosts are all there are.
	whole bool
	// kept are the histories that are in memory, nil for none.
	kept *histories
	// policy is the one whose resources are counted apart, empty for none.
	policy *policyCounts
	err    error
}

// pastBatch is how many hosts are read with one query: as few rows in memory as makes no difference in time.
const pastBatch = 200

// hosts yields the history of each host. Events and intervals are read at the same time, and
// while the batch before is looked at. What goes wrong is in err, and ends it.
func (p *past) hosts(list []store.PastHost) iter.Seq[kpi.Host] {
	return func(yield func(kpi.Host) bool) {
		ctx, cancel := context.WithCancel(p.ctx)
		defer cancel()
		batches := slices.Collect(slices.Chunk(list, pastBatch))
		var next <-chan batch
		if len(batches) > 0 {
			next = p.read(ctx, batches[0])
		}
		for i := range batches {
			now := <-next
			if p.err = now.err; p.err != nil {
				return
			}
			if i+1 < len(batches) {
				next = p.read(ctx, batches[i+1])
			}
			for _, h := range now.hosts {
				if !yield(h) {
					return
				}
			}
		}
	}
}

type batch struct {
	hosts []kpi.Host
	err   error
}

// read reads hosts, and a second time those of which too little was read.
func (p *past) read(ctx context.Context, list []store.PastHost) <-chan batch {
	out := make(chan batch, 1)
	go func() {
		now := p.recent(ctx, list)
		if p.enough == nil || now.err != nil {
			out <- now
			return
		}
		var places []int
		var again []store.PastHost
		for i, h := range now.hosts {
			if !p.enough(h) {
				places, again = append(places, i), append(again, list[i])
			}
		}
		whole := p.rows(ctx, again, time.Time{}, false)
		for i, h := range whole.hosts {
			now.hosts[places[i]] = h
		}
		now.err = whole.err
		out <- now
	}()
	return out
}

// rows reads the rows of hosts, events and intervals at the same time.
func (p *past) rows(ctx context.Context, list []store.PastHost, since time.Time, all bool) batch {
	if len(list) == 0 {
		return batch{}
	}
	hosts := make([]kpi.Host, len(list))
	place, ids := map[inventory.HostID]*kpi.Host{}, make([]inventory.HostID, len(list))
	for i, h := range list {
		hosts[i] = kpi.Host{Name: h.Name, Enrolled: h.Enrolled, Revoked: h.Revoked}
		place[h.ID], ids[i] = &hosts[i], h.ID
	}
	of, failed := store.PastRange{Hosts: ids, Whole: all}, make(chan error, 1)
	go func() {
		failed <- p.store.PastEvents(ctx, of, since, func(e store.PastEvent) {
			h := place[e.Host]
			if h == nil {
				return // it has come since the hosts were listed
			}
			h.Events = append(h.Events, kpi.Event{At: e.At, Checked: e.Checked, Kind: e.Kind, Cause: e.Cause, Status: e.Status, Address: e.Address, Release: e.Release})
		})
	}()
	err := p.intervals(ctx, of, list, since, func(id inventory.HostID, i kpi.Interval) {
		if h := place[id]; h != nil {
			h.Intervals = append(h.Intervals, i)
		}
	})
	return batch{hosts, errors.Join(err, <-failed)}
}

// intervals reads what hosts were like. One that lasts was last known when its host last called.
func (p *past) intervals(ctx context.Context, of store.PastRange, hosts []store.PastHost, since time.Time, each func(inventory.HostID, kpi.Interval)) error {
	seen := map[inventory.HostID]time.Time{}
	for _, h := range hosts {
		seen[h.ID] = h.LastSeen
	}
	known := map[[2]string]standing{}
	var bad error
	read := p.store.PastIntervals
	if p.policy != nil {
		read = p.store.PastResults
	}
	err := read(ctx, of, since, func(i store.PastInterval) {
		key := [2]string{i.Status, i.Counts}
		s, is := known[key]
		if !is {
			var err error
			s, err = standingOf(i.Status, i.Counts)
			bad = errors.Join(bad, err)
			known[key] = s
		}
		if i.Until.IsZero() {
			i.LastCheckIn = seen[i.Host]
		}
		ofPolicy, err := p.policy.inOrder(ctx, i.Result)
		bad = errors.Join(bad, err)
		each(i.Host, kpi.Interval{Since: i.Since, Until: i.Until, LastCheckIn: i.LastCheckIn, Release: i.Release,
			Silent: i.Status == string(policies.Stale), Sound: s.sound, Waits: s.waits, InOrder: s.inOrder, PolicyInOrder: ofPolicy})
	})
	return errors.Join(err, bad)
}

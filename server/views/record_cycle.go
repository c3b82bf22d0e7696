package views

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/kpi"
	"plumb/server/patching"
	"plumb/server/rollout"
	"plumb/server/store"
)

// cycleRecords returns the records of the newest patch cycles.
func (r Reader) cycleRecords(ctx context.Context, limit int) ([]ChangeRecord, error) {
	rows, err := r.Store.RecentCycles(ctx, limit)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	turnout := newTurnout()
	if err := r.Store.EachPatchHost(ctx, "", turnout.add); err != nil {
		return nil, err
	}
	var records []ChangeRecord
	next := map[string]time.Time{} // by rollout: when the cycle after was made
	for _, row := range rows {     // those made last come first
		record, err := r.cycle(ctx, row, next[row.Rollout], turnout)
		if err != nil {
			return nil, err
		}
		next[row.Rollout] = row.Made
		records = append(records, record)
	}
	return records, nil
}

// turnout counts the hosts of each rollout, and how those stand whose newest report is about one of its cycles.
type turnout struct {
	hosts  map[string]int
	cycles map[rollout.ID]*CycleRecord
}

func newTurnout() turnout {
	return turnout{map[string]int{}, map[rollout.ID]*CycleRecord{}}
}

func (t turnout) add(h store.PatchHost) {
	id := rollout.ID{Rollout: h.Rollout, Number: h.Cycle}
	if t.hosts[h.Rollout]++; t.cycles[id] == nil {
		t.cycles[id] = &CycleRecord{}
	}
	t.cycles[id].count(h)
}

// cycle is the record of a cycle, without what only the record of one change has.
func (r Reader) cycle(ctx context.Context, row store.Cycle, next time.Time, t turnout) (ChangeRecord, error) {
	id := rollout.ID{Rollout: row.Rollout, Number: row.Number}
	record := ChangeRecord{ID: id.String(), Kind: kpi.Cycle, People: []RolloutEvent{}}
	var course course
	if err := json.Unmarshal([]byte(row.State), &course); err != nil {
		return record, fmt.Errorf("cannot read the patch cycle %s: %w", id, err)
	}
	course.tell(&record)
	set, err := patching.ReadSet(ctx, r.Store, row.Set)
	if err != nil {
		return record, err
	}
	counts, err := r.Store.CycleReach(ctx, row.Rollout, row.Made, next)
	if err != nil {
		return record, err
	}
	c := &CycleRecord{}
	if told := t.cycles[id]; told != nil {
		c = told
	}
	c.Rollout, c.Set, c.Emergency, c.Packages, c.Items = row.Rollout, row.Set, course.Emergency, len(set.Items), set.Items
	record.Number, record.Made, record.Cycle = row.Number, row.Made.UTC(), c
	record.Subject = Count(len(set.Items), "package") + " by " + row.Rollout
	if c.Emergency {
		record.Subject += ", emergency"
	}
	record.Changed, record.Failed = counts[store.EventRepaired], counts[store.EventFailed]
	record.Hosts, record.Reached = t.hosts[row.Rollout], c.Converged+c.RolledBack+c.Failed+c.Waiting
	return record, nil
}

// count adds how a host stands, in the words of the rollout engine.
func (c *CycleRecord) count(h store.PatchHost) {
	over := h.Phase == policies.PhaseDone || h.Phase == policies.PhaseIdle
	switch {
	case h.Phase == policies.PhaseRolledBack:
		c.RolledBack++
	case h.Status == policies.Failed:
		c.Failed++
	case h.Status.Passing() && over:
		c.Converged++
	default:
		c.Waiting++
	}
}

// cycleRecord returns the record of one patch cycle; number 0 is the newest.
func (r Reader) cycleRecord(ctx context.Context, id rollout.ID) (ChangeRecord, error) {
	row, next, err := r.findCycle(ctx, id)
	if err != nil {
		return ChangeRecord{}, err
	}
	turnout, hosts := newTurnout(), []CycleHost(nil)
	var ids []inventory.HostID
	err = r.Store.EachPatchHost(ctx, id.Rollout, func(h store.PatchHost) {
		if turnout.add(h); h.Cycle == row.Number {
			hosts = append(hosts, CycleHost{Ring: h.Ring, Status: h.Status, Phase: h.Phase, Since: h.Since.UTC(), Message: h.Message})
			ids = append(ids, h.Host)
		}
	})
	if err != nil {
		return ChangeRecord{}, err
	}
	record, err := r.cycle(ctx, row, next, turnout)
	if err != nil {
		return record, err
	}
	names, err := r.Store.HostNames(ctx)
	if err != nil {
		return record, err
	}
	for i, id := range ids {
		hosts[i].Name = names[id]
	}
	slices.SortFunc(hosts, func(a, b CycleHost) int { return cmp.Compare(a.Name, b.Name) })
	record.Cycle.Hosts = slices.Clip(hosts)
	record.Events, err = r.Events(ctx, store.EventFilter{Address: "rollout." + id.Rollout, Since: row.Made, Until: next, Limit: changeEvents,
		Kinds: []string{store.EventRepaired, store.EventFailed}})
	return record, err
}

// findCycle returns a cycle, and when the one after it was made.
func (r Reader) findCycle(ctx context.Context, id rollout.ID) (store.Cycle, time.Time, error) {
	var next time.Time
	before := uint64(0)
	if id.Number > 0 {
		before = id.Number + 2
	}
	rows, err := r.Store.Cycles(ctx, id.Rollout, 2, before)
	if err != nil {
		return store.Cycle{}, next, err
	}
	for _, row := range rows {
		if id.Number == 0 || row.Number == id.Number {
			return row, next, nil
		}
		next = row.Made
	}
	return store.Cycle{}, next, fmt.Errorf("cannot find the patch cycle %s: %w", id, store.ErrNotFound)
}

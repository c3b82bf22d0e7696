package rollout

import (
	"context"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// crowd is all hosts, read once for a step.
type crowd struct {
	members []member
	// at is where each is in members.
	at map[inventory.HostID]int32
}

// member is what a step needs of a host: a third of what is stored, for there may be many.
type member struct {
	inventory.Host
	facts, problem  string
	status          policies.Status
	lastSeen        time.Time
	release         uint64
	audit, mismatch bool
	verdict         Verdict
}

// host is the member in the words of the store, with what a step needs of it.
func (m *member) host() store.Host {
	return store.Host{Host: m.Host, Facts: m.facts, Problem: m.problem, Status: m.status, LastSeen: m.lastSeen, Release: m.release, Audit: m.audit, Mismatch: m.mismatch}
}

// gather reads all hosts, and what their results say.
func (d *Driver) gather(ctx context.Context) (*crowd, error) {
	c := &crowd{members: make([]member, 0, d.crowded)}
	unjudged := map[int]store.Host{} // the store answers nothing else while it tells of hosts
	err := d.Store.EachHost(ctx, func(h store.Host) {
		v, known := d.verdicts.known(h)
		if !known {
			unjudged[len(c.members)] = h
		}
		c.members = append(c.members, member{Host: h.Host, facts: h.Facts, problem: h.Problem, status: h.Status, lastSeen: h.LastSeen,
			release: h.Release, audit: h.Audit, mismatch: h.Mismatch, verdict: v})
	})
	if err != nil {
		return nil, err
	}
	d.verdicts.store, d.crowded = d.Store, len(c.members)+len(c.members)/100
	for i, h := range unjudged {
		if c.members[i].verdict, err = d.verdicts.of(ctx, h); err != nil {
			return nil, err
		}
	}
	c.at = make(map[inventory.HostID]int32, len(c.members))
	for i := range c.members {
		c.at[c.members[i].ID] = int32(i)
	}
	return c, nil
}

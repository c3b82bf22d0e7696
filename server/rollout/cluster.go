package rollout

import (
	"slices"

	"plumb/inventory"
	"plumb/policies"
)

// clusters counts how many hosts of each cluster there are, and how many cannot serve.
type clusters struct {
	most policies.Share
	size map[string]int
	away map[string]int
}

// spare tells whether a host's cluster can do without it, and counts it as away if so. A host
// that is away already, with an older cycle, takes no further one away.
func (e *engine) spare(id inventory.HostID, h Host) bool {
	if e.Plan.Cluster == nil || h.Cluster == "" {
		return true
	}
	if e.clusters == nil {
		e.clusters = e.countClusters()
	}
	c := e.clusters
	if e.busy(id, h) { // it is counted already
		return !h.Unsure || c.away[h.Cluster] <= c.most.Of(c.size[h.Cluster])
	}
	if c.away[h.Cluster] >= c.most.Of(c.size[h.Cluster]) {
		return false
	}
	c.away[h.Cluster]++
	return true
}

// countClusters looks at the hosts of all rings. Away is what was given the change and has not
// converged, but for hosts whose failure a person forgave, and what is busy with an older cycle.
func (e *engine) countClusters() *clusters {
	c := &clusters{most: e.Plan.Cluster.MaxUnavailable, size: map[string]int{}, away: map[string]int{}}
	for _, r := range e.Rings {
		for _, id := range e.members[r.Name] {
			h := e.hosts[id]
			if h.Cluster == "" {
				continue
			}
			c.size[h.Cluster]++
			if g, given := e.Hosts[id]; given && e.away(r, id, g, h) || !given && e.busy(id, h) {
				c.away[h.Cluster]++
			}
		}
	}
	return c
}

func (e *engine) away(r Ring, id inventory.HostID, g Grant, h Host) bool {
	outcome := Judge(e.Release, g, h)
	return outcome == Unknown || outcome == Failed && !slices.Contains(r.Forgiven, id)
}

// busy tells whether an older cycle takes a host away, or may.
func (e *engine) busy(id inventory.HostID, h Host) bool {
	if h.Unsure {
		return !e.Doubts[id].Over
	}
	return h.Busy
}

// doubt finds out which hosts do not begin with an older cycle any more. The step that first sees
// one only publishes that it may not. A call that is new from the next step on was answered so, and
// came with the report of what was begun until then.
func (e *engine) doubt() {
	if e.Plan.Cluster == nil {
		return
	}
	if e.Doubts == nil {
		e.Doubts = map[inventory.HostID]Doubt{}
	}
	for id, h := range e.hosts {
		if _, given := e.Hosts[id]; given || !h.Unsure || h.Cluster == "" {
			delete(e.Doubts, id)
			continue
		}
		old, known := e.Doubts[id]
		next := old.further(known, h)
		if e.Doubts[id] = next; next != old || !known {
			e.say("", id, "doubted", "it may have begun with an older cycle")
		}
	}
}

// further is the doubt one step later.
func (d Doubt) further(known bool, h Host) Doubt {
	switch {
	case known && !d.Told:
		return Doubt{Told: true, Called: h.LastSeen, Over: !h.Busy}
	case known:
		d.Over = d.Over || !d.Called.Equal(h.LastSeen)
	}
	return d
}

// public tells whether a host has the change without being given it: once a cycle is done, all have
// it that are in no cluster.
func (e *engine) public(h Host) bool { return !e.Done.IsZero() && h.Cluster == "" }

// thin forgets that such hosts were given it.
func (e *engine) thin() {
	if e.Done.IsZero() || e.Hosts == nil {
		return
	}
	for id := range e.Hosts {
		if h, there := e.hosts[id]; there && e.public(h) {
			e.take(id)
		}
	}
}

package kpi

import (
	"fmt"
	"slices"
	"time"
)

// cyclePrefix is how the addresses of resources begin that install patches.
const cyclePrefix = "rollout."

func cycleAddress(rollout string) string { return cyclePrefix + rollout }

// leadShare is the share of the targeted hosts that counts for the second lead time.
const leadShare = 0.95

// span is a time from since until until.
type span struct{ since, until time.Time }

// journey is a change with what the hosts tell of it.
type journey struct {
	Change
	done      time.Time // when its last ring passed
	overtaken time.Time
	targeted  int
	reached   time.Time   // when it first ran on a host
	converged []time.Time // one for each host
	failed    []time.Time // one for each host whose first outcome it was
	blocks    []span      // in which a host that could be reached had not converged
	halts     []*halt
}

// halt is one halt of a ring.
type halt struct {
	at   time.Time
	ills []span // of hosts that had failed by then
}

func newJourney(c Change, asOf time.Time) *journey {
	j := &journey{Change: c, done: c.finished(asOf), overtaken: c.overtaken(asOf)}
	for _, e := range c.Entries {
		if e.What == halted && !e.At.After(asOf) {
			j.halts = append(j.halts, &halt{at: e.At})
		}
	}
	return j
}

// run is how a change fared on a host. Zero times are those that did not come.
type run struct {
	began, converged, failed time.Time
	refused                  bool // by the host, before it converged
}

// first is when the run had its first outcome, and whether that was good.
func (r run) first() (at time.Time, well bool) {
	if r.failed.IsZero() || !r.converged.IsZero() && r.converged.Before(r.failed) {
		return r.converged, true
	}
	return r.failed, false
}

func (j *journey) add(r run) {
	if j.reached.IsZero() || r.began.Before(j.reached) {
		j.reached = r.began
	}
	if !r.converged.IsZero() {
		j.converged = append(j.converged, r.converged)
	}
	if at, well := r.first(); !at.IsZero() && !well {
		j.failed = append(j.failed, at)
	}
}

// begun is when it first reached a host.
func (j *journey) begun(asOf time.Time) time.Time {
	if j.Kind == Cycle && j.reached.IsZero() && !j.done.IsZero() {
		return j.first(rolling, asOf) // it had nothing to do anywhere
	}
	return j.reached
}

// complete is when the last ring had passed and each targeted host that could be reached had
// converged; zero while that is not so.
func (j *journey) complete(asOf time.Time) time.Time {
	if j.done.IsZero() || j.Kind == Release && len(j.converged) == 0 {
		return time.Time{}
	}
	from := j.done
	if j.Kind == Release { // nobody has nothing to do with a release, so one has to show it
		from = later(from, slices.MinFunc(j.converged, time.Time.Compare))
	}
	if t := uncovered(from, j.blocks); t.Before(asOf) {
		return t
	}
	return time.Time{}
}

// uncovered returns the first instant from from on that no span covers.
func uncovered(from time.Time, spans []span) time.Time {
	slices.SortFunc(spans, func(a, b span) int { return a.since.Compare(b.since) })
	for _, s := range spans {
		if s.since.After(from) {
			break
		}
		from = later(from, s.until)
	}
	return from
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// close says how the change ended, if it did: what came first counts.
func (j *journey) close(asOf time.Time) Record {
	r := Record{ID: j.ID, Kind: j.Kind, Made: j.Made, Outcome: Open, Targeted: j.targeted,
		Converged: len(j.converged), Failed: len(j.failed)}
	complete, back := j.complete(asOf), j.first(rolledBack, asOf)
	switch earliest(back, complete, j.overtaken) {
	case time.Time{}:
		r.Why = j.waits(asOf)
	case back:
		r.Outcome, r.Closed, r.Why = Failed, back, "a ring was rolled back"
	case complete:
		r.Outcome, r.Closed, r.Why = Succeeded, complete, "each host that could be reached converged"
		if n := j.haltsUntil(complete); n > 0 {
			r.Outcome, r.Why = Failed, fmt.Sprintf("halted on its way, %d in all, though it came through", n)
		}
	default:
		r.Outcome, r.Closed, r.Why = Failed, j.overtaken, "superseded before each host that could be reached had converged"
		if t := j.begun(asOf); t.IsZero() || t.After(j.overtaken) {
			r.Outcome, r.Why = Void, "superseded before it reached anybody"
		}
	}
	return r
}

// earliest is the earliest of the times that are not zero.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func (j *journey) haltsUntil(t time.Time) int {
	n := 0
	for _, h := range j.halts {
		if !h.at.After(t) {
			n++
		}
	}
	return n
}

func (j *journey) waits(asOf time.Time) string {
	switch {
	case j.stopped(asOf):
		return "halted"
	case j.done.IsZero():
		return "under way"
	}
	return "hosts that can be reached have not converged"
}

// stopped tells whether a ring is halted.
func (j *journey) stopped(asOf time.Time) bool {
	rings := map[string]bool{}
	for _, e := range j.Entries {
		if !e.At.After(asOf) && e.Ring != "" {
			rings[e.Ring] = e.What == halted || rings[e.Ring] && e.What == "approved"
		}
	}
	for _, is := range rings {
		if is {
			return true
		}
	}
	return false
}

// leads adds the two lead times of a change that succeeded. A commit that claims to be younger
// than its release tells nothing.
func (j *journey) leads(lead, lead95 []time.Duration, asOf time.Time) (_, _ []time.Duration) {
	if j.Committed.IsZero() || j.Committed.After(j.Made) {
		return lead, lead95
	}
	if j.Planned {
		lead = append(lead, j.done.Sub(j.Committed))
	}
	slices.SortFunc(j.converged, time.Time.Compare)
	if i := rank(leadShare, j.targeted); i < len(j.converged) && j.targeted > 0 {
		lead95 = append(lead95, j.converged[i].Sub(j.Committed))
	}
	return lead, lead95
}

// restores adds how long each halt took until the hosts that had failed were well again.
func (j *journey) restores(q Query, all []time.Duration, r *Restore) []time.Duration {
	for _, h := range j.halts {
		well := uncovered(h.at, h.ills)
		switch {
		case len(h.ills) == 0:
			if q.in(h.at) {
				r.Unknown++
			}
		case !well.Before(q.AsOf):
			r.Open++
		case q.in(well):
			all = append(all, well.Sub(h.at))
		}
	}
	return all
}

package kpi

import (
	"math"
	"slices"
	"time"
)

// Figures are the answer to a [Query].
type Figures struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	AsOf time.Time `json:"as_of"`
	// Hosts counts those that were looked at.
	Hosts int `json:"hosts"`
	// Changes are counted by how they ended, Executions are one change on one host.
	Changes    Changes    `json:"changes"`
	Executions Executions `json:"executions"`
	// LeadTime is from the commit to the last ring, LeadTime95 to 95 % of the hosts, of the
	// changes that succeeded.
	LeadTime   Spread    `json:"lead_time"`
	LeadTime95 Spread    `json:"lead_time_95"`
	Frequency  Frequency `json:"deployments"`
	// Restore is from a halt until the hosts that failed were well again.
	Restore   Restore   `json:"time_to_restore"`
	Drift     Drift     `json:"drift"`
	Incidents Incidents `json:"incidents"`
	// List has each change that was counted or is open, in order of its making.
	List []Record `json:"list"`
	// Course has the counts of each slice of the period, where the query asks for slices.
	Course []Slice `json:"course,omitempty"`
}

// Slice is what was counted in one part of the period. The slices of a period add up to its counts.
type Slice struct {
	// At is when it begins.
	At time.Time `json:"at"`
	// Succeeded and Failed are changes that ended in it, Detected and Mended episodes of drift.
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Detected  int `json:"detected"`
	Mended    int `json:"mended"`
}

// mostSlices bounds them.
const mostSlices = 500

// slices are those of the period, the last one perhaps shorter.
func (q Query) slices() []Slice {
	var list []Slice
	for at := q.From; q.Step > 0 && at.Before(q.To) && len(list) < mostSlices; at = at.Add(q.Step) {
		list = append(list, Slice{At: at})
	}
	return list
}

// slice is the one that an instant of the period lies in. What lies in none is counted in one that
// nobody sees.
func (t *tally) slice(at time.Time) *Slice {
	if t.Step > 0 && t.in(at) {
		if i := int(at.Sub(t.From) / t.Step); i < len(t.course) {
			return &t.course[i]
		}
	}
	return &Slice{}
}

// Rate is a share, with what it is a share of. Without anything to count there is none.
type Rate struct {
	Count int      `json:"count"`
	Of    int      `json:"of"`
	Share *float64 `json:"share,omitempty"`
}

func rate(count, of int) Rate {
	r := Rate{Count: count, Of: of}
	if of > 0 {
		share := float64(count) / float64(of)
		r.Share = &share
	}
	return r
}

// Spread says how long something took, in seconds. With N of 0 the rest says nothing and is left out.
type Spread struct {
	N      int      `json:"n"`
	Mean   *float64 `json:"mean_seconds,omitempty"`
	Median *float64 `json:"median_seconds,omitempty"`
	P90    *float64 `json:"p90_seconds,omitempty"`
	Max    *float64 `json:"max_seconds,omitempty"`
}

// spread sorts what it is given.
func spread(all []time.Duration) Spread {
	s := Spread{N: len(all)}
	if s.N == 0 {
		return s
	}
	slices.Sort(all)
	sum := 0.0
	for _, d := range all {
		sum += d.Seconds()
	}
	mean := sum / float64(s.N)
	s.Mean, s.Median, s.P90, s.Max = &mean, nearest(all, 0.5), nearest(all, 0.9), nearest(all, 1)
	return s
}

// nearest is the smallest value that at least the share of all values does not exceed.
func nearest(sorted []time.Duration, share float64) *float64 {
	seconds := sorted[rank(share, len(sorted))].Seconds()
	return &seconds
}

// rank is the place of the value up to which the share of n sorted values lies.
func rank(share float64, n int) int { return max(0, int(math.Ceil(share*float64(n)-1e-9))-1) }

// Changes counts changes by how they ended.
type Changes struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	// Void changes were superseded before they reached anybody: they count neither way.
	Void int `json:"void"`
	// Open changes have not ended as of then; Halted are those of them that are stopped.
	Open   int `json:"open"`
	Halted int `json:"halted"`
	// Success and Failure are shares of those that succeeded or failed.
	Success Rate `json:"success_rate"`
	Failure Rate `json:"failure_rate"`
}

// Executions counts hosts on which a change had its first outcome.
type Executions struct {
	Converged int  `json:"converged"`
	Failed    int  `json:"failed"`
	Success   Rate `json:"success_rate"`
}

// Frequency says how often changes reached the fleet.
type Frequency struct {
	Count   int      `json:"count"`
	PerWeek *float64 `json:"per_week,omitempty"`
}

// Restore says how long the fleet was ill after halts.
type Restore struct {
	Spread
	// Open halts are not over as of then; of Unknown ones no host that failed is remembered.
	Open    int `json:"open"`
	Unknown int `json:"unknown"`
}

// Drift counts the times in which a resource that was in order was not any more.
type Drift struct {
	// Episodes were detected in the period; Open are those not over as of then.
	Episodes int `json:"episodes"`
	Open     int `json:"open"`
	// Mended episodes ended in order; AtOnce are those of them that were found and mended by one
	// run. Dropped ones ended otherwise: waived, no longer wanted, waiting for a window, the host gone.
	Mended  int `json:"mended"`
	AtOnce  int `json:"mended_at_once"`
	Dropped int `json:"dropped"`
	// Detect is from the newest moment at which the resource is known to have been in order, mostly
	// the run before, until it was found not to be: at most that long.
	Detect Spread `json:"time_to_detect_at_most"`
	// Repair is from then until it was in order again.
	Repair Spread `json:"time_to_repair"`
	// InOrder is how long resources were in order, all of them added up, and Between that
	// divided by the episodes.
	InOrder float64  `json:"in_order_seconds"`
	Between *float64 `json:"time_between_seconds,omitempty"`
}

// Incidents counts what somebody ought to have looked at.
type Incidents struct {
	Total int `json:"total"`
	// Halts of rings, Drift that was not mended at once, Silent hosts, Refused releases, and
	// catalogs that differ from what the server compiled.
	Halts      int `json:"halts"`
	Drift      int `json:"drift"`
	Silent     int `json:"silent"`
	Refused    int `json:"refused"`
	Mismatches int `json:"mismatches"`
}

// Outcomes of a change.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
	Void      = "void"
	Open      = "open"
)

// Record is one change with what was made of it.
type Record struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Made    time.Time `json:"made"`
	Outcome string    `json:"outcome"`
	// Why says what decided.
	Why string `json:"why"`
	// Closed is when it ended.
	Closed time.Time `json:"closed,omitzero"`
	// Targeted, Converged, Failed and Waiting count hosts. Failed are those that failed first.
	Targeted  int `json:"targeted"`
	Converged int `json:"converged"`
	Failed    int `json:"failed"`
}

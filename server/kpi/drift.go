package kpi

import (
	"sort"
	"strings"
	"time"

	"plumb/policies"
)

// drift walks through what happened to the resources of a host.
//
// An episode begins when a resource that was in order is found not to be, by somebody else's
// doing: with the cause corrective it was opened, or repaired by the very run that found it. It
// ends when the resource is repaired, or passes again. All else that closes it drops it.
func (t *tally) drift(h Host) {
	t.inOrder(h)
	good := h.witnesses()
	open := map[string]time.Time{} // by address: when it was detected
	for _, e := range h.Events {
		if e.Kind == "revoked" {
			break
		}
		if e.Address == "" || strings.HasPrefix(e.Address, cyclePrefix) || !t.about(e.Address) {
			continue
		}
		since, drifts := open[e.Address]
		corrective := e.Cause == string(policies.Corrective)
		switch {
		case drifts && ends(e):
			delete(open, e.Address)
			t.over(e, since)
		case !drifts && corrective && e.Kind == "opened" && e.Status != string(policies.Waived):
			open[e.Address] = e.At
			t.detected(e, good)
		case !drifts && corrective && e.Kind == "repaired":
			t.detected(e, good)
			t.over(e, e.At)
			if t.in(e.At) {
				t.episodes.AtOnce++
			}
		}
	}
	t.left(h, len(open))
}

// about tells whether a resource is of the policy that is asked for.
func (t *tally) about(address string) bool {
	return t.Policy == "" || strings.HasPrefix(address, "policy."+t.Policy+".")
}

// ends tells whether an event ends an episode.
func ends(e Event) bool {
	return e.Kind == "repaired" || e.Kind == "closed" || e.Kind == "changed" && e.Status == string(policies.Waived)
}

// detected counts an episode and how long the drift can have been there: since the resource was
// last seen in order or, for rows that do not tell, since the last witness.
func (t *tally) detected(e Event, good []time.Time) {
	at := e.At
	if !t.in(at) {
		return
	}
	t.episodes.Episodes++
	t.slice(at).Detected++
	if !e.Checked.IsZero() {
		t.detect = append(t.detect, at.Sub(e.Checked))
		return
	}
	if i := sort.Search(len(good), func(i int) bool { return !good[i].Before(at) }); i > 0 {
		t.detect = append(t.detect, at.Sub(good[i-1]))
	}
}

func (t *tally) over(e Event, since time.Time) {
	if !t.in(e.At) {
		return
	}
	if e.Kind != "repaired" && !policies.Status(e.Status).Passing() {
		t.episodes.Dropped++
		return
	}
	t.episodes.Mended++
	t.slice(e.At).Mended++
	t.repair = append(t.repair, e.At.Sub(since))
}

// left counts what was open at the end. A host that is gone takes its drift along.
func (t *tally) left(h Host, n int) {
	switch {
	case h.Revoked.IsZero():
		t.episodes.Open += n
	case t.in(h.Revoked):
		t.episodes.Dropped += n
	}
}

// witnesses are the moments at which a run is known to have left nothing unsettled: each report
// that began an interval in which no resource waited. An interval that the server began by itself,
// because the host fell silent or called again, is none.
func (h Host) witnesses() []time.Time {
	var good []time.Time
	silent := false
	for _, i := range h.Intervals {
		if !i.Silent && !silent && !i.Waits && i.InOrder > 0 {
			good = append(good, i.Since)
		}
		silent = i.Silent
	}
	return good
}

// inOrder adds up for how long the resources of a host were known to be in order in the period.
func (t *tally) inOrder(h Host) {
	for _, i := range h.Intervals {
		since, until := i.Since, h.seen(i, t.AsOf)
		if since.Before(t.From) {
			since = t.From
		}
		if t.To.Before(until) {
			until = t.To
		}
		resources := i.InOrder
		if t.Policy != "" {
			resources = i.PolicyInOrder
		}
		if until.After(since) {
			t.episodes.InOrder += until.Sub(since).Seconds() * float64(resources)
		}
	}
}

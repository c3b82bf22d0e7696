package kpi

import (
	"slices"
	"time"

	"plumb/policies"
)

// change tells the changes how they fared on a host.
func (t *tally) change(h Host) {
	runs := h.runs()
	for number, r := range runs {
		if j := t.releases[number]; j != nil {
			j.add(*r)
			t.execution(*r)
		}
	}
	for _, j := range t.changes {
		if j.Kind != Release {
			continue
		}
		r := runs[j.Number]
		if j.targets(h) {
			j.targeted++
			j.block(h, r, t.AsOf)
		}
		j.ill(h, r, t.AsOf)
	}
	t.patched(h)
}

// execution counts the first outcome of a change on a host.
func (t *tally) execution(r run) {
	at, well := r.first()
	switch {
	case !t.in(at):
	case well:
		t.executions.Converged++
	default:
		t.executions.Failed++
		if r.refused {
			t.counted.Refused++
		}
	}
}

// runs returns how each release fared on the host. It converged with the first interval in which
// nothing failed and nothing waited; it failed with the first failure that is its own doing. A host
// says also under the release that it fell back to that it refused the newer one, which comes too
// late to count, because that release had converged there.
func (h Host) runs() map[uint64]*run {
	runs := map[uint64]*run{}
	of := func(release uint64, at time.Time) *run {
		if runs[release] == nil {
			runs[release] = &run{began: at}
		}
		return runs[release]
	}
	for _, i := range h.Intervals {
		if i.Release == 0 || i.Silent {
			continue
		}
		if r := of(i.Release, i.Since); i.Sound && r.converged.IsZero() {
			r.converged = i.Since
		}
	}
	for _, e := range h.Events {
		own := e.Kind == "refused" || e.Kind == "failed" && e.Cause != string(policies.Corrective)
		if !own || e.Release == 0 {
			continue
		}
		r := of(e.Release, e.At)
		if r.failed.IsZero() {
			r.failed = e.At
		}
		if e.Kind == "refused" && (r.converged.IsZero() || e.At.Before(r.converged)) {
			r.refused = true
		}
		if e.At.Before(r.began) {
			r.began = e.At
		}
	}
	return runs
}

// targets tells whether a release was meant for a host: it was enrolled when it was made, and
// was not gone yet.
func (j *journey) targets(h Host) bool {
	return !h.Enrolled.After(j.Made) && (h.Revoked.IsZero() || h.Revoked.After(j.Made))
}

// block notes when a host kept a release from being complete. One that is silent does not.
func (j *journey) block(h Host, r *run, asOf time.Time) {
	if j.done.IsZero() {
		return
	}
	for _, i := range h.Intervals {
		until := h.end(i, asOf)
		if r != nil && !r.converged.IsZero() && r.converged.Before(until) {
			until = r.converged
		}
		if !i.Silent && until.After(j.done) && until.After(i.Since) {
			j.blocks = append(j.blocks, span{i.Since, until})
		}
	}
}

// ill notes when a host was unwell from a halt on, if it had failed by then, or ran the release
// and is silent.
func (j *journey) ill(h Host, r *run, asOf time.Time) {
	if r == nil {
		return
	}
	for _, halt := range j.halts {
		failed := !r.failed.IsZero() && !r.failed.After(halt.at)
		for _, i := range h.Intervals {
			until := h.end(i, asOf)
			at := !i.Since.After(halt.at) && until.After(halt.at)
			failed = failed || at && i.Silent && i.Release == j.Number
			if failed && (i.Silent || !i.Sound) && until.After(halt.at) {
				halt.ills = append(halt.ills, span{i.Since, until})
			}
		}
		if failed { // it counts as known, even if it was well again by then
			halt.ills = append(halt.ills, span{halt.at, halt.at})
		}
	}
}

// patched tells the patch cycles how they fared. A host with nothing to install leaves no event.
func (t *tally) patched(h Host) {
	if len(t.cycles) == 0 {
		return
	}
	runs := map[*journey]*run{}
	for _, e := range h.Events {
		list := t.cycles[e.Address]
		if len(list) == 0 || e.Kind != "repaired" && e.Kind != "failed" {
			continue
		}
		n, same := slices.BinarySearchFunc(list, e.At, func(j *journey, at time.Time) int { return j.Made.Compare(at) })
		if !same {
			n--
		}
		if n < 0 {
			continue
		}
		r := runs[list[n]]
		if r == nil {
			r = &run{began: e.At}
			runs[list[n]] = r
		}
		at := &r.failed
		if e.Kind == "repaired" {
			at = &r.converged
		}
		if at.IsZero() {
			*at = e.At
		}
	}
	for j, r := range runs {
		j.add(*r)
		t.execution(*r)
	}
}

package fleet

import (
	"maps"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/advisories"
	"plumb/server/store"
)

// State is what is known of a host before a report.
type State struct {
	Host store.Host
	// Findings are its resources that do not pass, by address.
	Findings map[string]store.Finding
	// Result is what the newest report found, nil when nothing was run or it is not known.
	Result *Found
}

// Run is one report with what it names. Catalog and Result are nil when the release did not
// compile on the host.
type Run struct {
	Report  policies.Report
	Catalog *policies.Catalog
	Result  *Found
	// Offers is nil when the host could not tell.
	Offers *inventory.Offers
}

// IsOpen tells whether a resource with the status is a finding: it counts, and does not pass.
func IsOpen(s policies.Status) bool { return s != "" && s.InScope() && !s.Passing() }

// Derive says what a report does to what is known of its host. It is a pure function: now only
// bounds the host's clock.
func Derive(prev State, next Run, now time.Time) (store.Step, State) {
	d := &deriver{prev: prev, next: next, at: happened(prev.Host, next.Report, now)}
	d.host()
	d.resources()
	d.hostEvents()
	h := d.step.Host
	// What was true before a report came in is what the server knew then: intervals follow
	// the server's knowledge, events the host's clock.
	h.Since = prev.Host.Since
	d.step.NewInterval = prev.Host.Seq == 0 || changed(prev.Host, h)
	if d.step.NewInterval {
		h.Since = later(d.at, prev.Host.Since)
	}
	d.step.Host = h
	if d.step.NewInterval {
		d.patches()
	}
	findings := map[string]store.Finding{}
	for _, f := range d.step.Findings {
		findings[f.Address] = f
	}
	return d.step, State{Host: h, Findings: findings, Result: next.Result}
}

// happened is when a run ended, as far as we believe its host's clock: not in the future and
// not before the run that came before it.
func happened(h store.Host, r policies.Report, now time.Time) time.Time {
	t := r.Finished
	if t.IsZero() || t.After(now) {
		t = now
	}
	return later(later(t, h.Ran), h.Enrolled).UTC().Truncate(time.Millisecond)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func changed(a, b store.Host) bool {
	return a.Release != b.Release || a.Catalog != b.Catalog || a.Facts != b.Facts || a.Result != b.Result || a.Found != b.Found ||
		a.Problem != b.Problem || a.Audit != b.Audit || a.Stale != b.Stale
}

type deriver struct {
	prev State
	next Run
	at   time.Time
	step store.Step
	// list are the resources with what is known of them.
	list []entry
	// inOrder is what the run before left in order; see [deriver.wasInOrder].
	inOrder map[string]bool
}

// host is the host as the report leaves it; its status and counts come with the resources.
func (d *deriver) host() {
	r := d.next.Report
	h := d.prev.Host
	h.Epoch, h.Seq = r.Epoch, r.Seq
	h.Release, h.Commit = r.Release, r.Commit
	h.Facts, h.Catalog, h.Result = r.Facts, r.Catalog, r.Result
	h.Ran, h.Audit, h.Stale, h.Problem, h.BootID = d.at, r.Audit, r.Stale, r.Problem, r.BootID
	h.Offers = r.Offers
	if d.next.Offers != nil && r.Offers != d.prev.Host.Offers {
		d.step.Offered = d.next.Offers.List
		for _, n := range d.next.Offers.Notices {
			d.step.Notices = append(d.step.Notices, advisories.OfNotice(d.next.Offers.Manager, n))
		}
	}
	d.step.Report, d.step.Host = r, h
}

// resources compares the resources with the findings before.
func (d *deriver) resources() {
	h := &d.step.Host
	if d.next.Catalog == nil || d.next.Result == nil {
		// Nothing was checked, so nothing that was wrong is in order now.
		h.Found, h.Counts = policies.Failed, map[policies.Status]int{}
		for _, address := range slices.Sorted(maps.Keys(d.prev.Findings)) {
			d.step.Findings = append(d.step.Findings, d.prev.Findings[address])
		}
		return
	}
	d.list = complete(*d.next.Catalog, *d.next.Result)
	h.Found, h.Counts = policies.NotApplicable, map[policies.Status]int{}
	seen := map[string]bool{}
	compliant := 0 // nearly all of them, which are looked at no further
	d.step.Events = make([]store.Event, 0, newsworthy(d.list))
	for i := range d.list {
		one := &d.list[i]
		if len(d.prev.Findings) > 0 {
			seen[one.Address] = true
		} else if one.Status == policies.Compliant {
			compliant++
			continue
		}
		h.Counts[one.Status]++
		h.Found = policies.Worst(h.Found, one.Status)
		if one.Status != policies.Compliant || seen[one.Address] {
			d.resource(*one)
		}
	}
	if compliant > 0 {
		h.Counts[policies.Compliant] = compliant
		h.Found = policies.Worst(h.Found, policies.Compliant)
	}
	for _, address := range slices.Sorted(maps.Keys(d.prev.Findings)) {
		if !seen[address] {
			d.add(store.Event{Kind: store.EventClosed, Address: address, Before: d.prev.Findings[address].Status,
				Message: "no longer wanted"})
		}
	}
}

// newsworthy is how many resources there is something to be said about, as a rule an event each.
func newsworthy(list []entry) (n int) {
	for i := range list {
		if list[i].Status != policies.Compliant {
			n++
		}
	}
	return n
}

// entry is one resource of a completed result, which others hold too.
type entry struct {
	*policies.ResourceResult
	declared *policies.Resource
}

// complete adds what is missing from a result and marks what nobody expected in it: a
// missing answer is never a pass.
func complete(c policies.Catalog, r Found) []entry {
	list := make([]entry, 0, len(c.Resources))
	if parallel(c, r) { // nothing is
		for i := range r.Resources {
			list = append(list, entry{ResourceResult: r.Resources[i], declared: &c.Resources[i]})
		}
		return list
	}
	answers := make(map[string]*policies.ResourceResult, len(r.Resources))
	for _, one := range r.Resources {
		answers[one.Address] = one
	}
	for i := range c.Resources {
		declared := &c.Resources[i]
		one, ok := answers[declared.Address]
		delete(answers, declared.Address)
		if !ok {
			one = &policies.ResourceResult{Address: declared.Address, Status: policies.Missing, Mode: declared.Mode,
				Message: "the host did not report it"}
		}
		list = append(list, entry{ResourceResult: one, declared: declared})
	}
	for _, one := range r.Resources {
		if _, left := answers[one.Address]; left {
			odd := *one
			odd.Status, odd.Message = policies.Unexpected, "the catalog does not have it"
			list = append(list, entry{ResourceResult: &odd, declared: &policies.Resource{}})
		}
	}
	return list
}

func (d *deriver) resource(one entry) {
	old, was := d.prev.Findings[one.Address]
	if one.Status == policies.Repaired {
		d.add(d.eventOf(store.EventRepaired, one, old))
	}
	if one.Flapping != nil && (old.Flapping == nil || !one.Flapping.Since.Equal(old.Flapping.Since)) {
		d.add(d.eventOf(store.EventFlapping, one, old))
	}
	if one.Status == policies.Failed && d.newFailure(one, old, was) {
		d.add(d.eventOf(store.EventFailed, one, old))
	}
	switch open := IsOpen(one.Status); {
	case open && !was:
		d.add(d.eventOf(store.EventOpened, one, old))
	case open && old.Status != one.Status:
		d.add(d.eventOf(store.EventChanged, one, old))
	case !open && was:
		d.add(d.eventOf(store.EventClosed, one, old))
	}
	if IsOpen(one.Status) {
		d.step.Findings = append(d.step.Findings, d.finding(one, old, was))
	}
}

// newFailure tells whether a failure is news: the same one, told once more, is not, but the
// same one under another release is an attempt of its own.
func (d *deriver) newFailure(one entry, old store.Finding, was bool) bool {
	return !was || old.Status != policies.Failed || old.Message != one.Message || old.Cause != one.Cause ||
		d.prev.Host.Release != d.next.Report.Release || !slices.Equal(old.Changes, one.Changes)
}

func (d *deriver) eventOf(kind string, one entry, old store.Finding) store.Event {
	e := store.Event{Kind: kind, Address: one.Address, Cause: one.Cause, Status: one.Status, Before: old.Status,
		Changes: one.Changes, Message: one.Message, By: printable(one.By, maxWord)}
	if one.Cause == policies.Intentional {
		e.FromCommit, e.ToCommit = one.From, one.To
	}
	if drifted(one.ResourceResult) && d.wasInOrder(one.Address) {
		e.Checked = d.prev.Host.Ran
	}
	return e
}

// drifted tells whether somebody else changed the resource. Cause says that some run had left it in
// order, which need not be the one before: a window may have been waited for since.
func drifted(one *policies.ResourceResult) bool { return one.Cause == policies.Corrective }

// wasInOrder tells whether the run before left the resource in order.
func (d *deriver) wasInOrder(address string) bool {
	if d.prev.Result == nil {
		return false
	}
	if d.inOrder == nil {
		d.inOrder = map[string]bool{}
		for _, one := range d.prev.Result.Resources {
			d.inOrder[one.Address] = one.Status.Passing()
		}
	}
	return d.inOrder[address]
}

func (d *deriver) finding(one entry, old store.Finding, was bool) store.Finding {
	since := d.at
	if was {
		since = old.Since
	}
	r := one.declared
	return store.Finding{Address: one.Address, Status: one.Status, Since: since, Mode: one.Mode, Cause: one.Cause, From: one.From, To: one.To,
		Changes: one.Changes, Message: one.Message, Policy: r.Policy, Severity: r.Severity, Controls: r.Controls, Source: r.Source,
		By: printable(one.By, maxWord), Flapping: bounded(one.Flapping)}
}

// maxFighters is how many of those who fight for a resource are told.
const maxFighters = 10

// bounded keeps what a host says of a fight short.
func bounded(f *policies.Flapping) *policies.Flapping {
	if f == nil {
		return nil
	}
	short := *f
	short.Writers = nil
	for _, name := range f.Writers[:min(len(f.Writers), maxFighters)] {
		short.Writers = append(short.Writers, printable(name, maxWord))
	}
	return &short
}

// hostEvents are those that concern no single resource.
func (d *deriver) hostEvents() {
	before, r := d.prev.Host, d.next.Report
	if before.Epoch != "" && before.Epoch != r.Epoch {
		d.add(store.Event{Kind: store.EventReturned, Message: "the agent lost its state and began anew"})
	}
	if before.BootID != "" && r.BootID != "" && before.BootID != r.BootID {
		d.add(store.Event{Kind: store.EventRebooted})
	}
	if r.Problem != "" && (before.Problem != r.Problem || before.Release != r.Release) {
		d.add(store.Event{Kind: store.EventRefused, Message: r.Problem})
	}
}

func (d *deriver) add(e store.Event) {
	r := d.next.Report
	e.Host, e.Seq, e.At, e.Release, e.Commit = d.prev.Host.ID, r.Seq, d.at, r.Release, r.Commit
	if e.ToCommit == "" && d.prev.Host.Commit != r.Commit {
		e.FromCommit = d.prev.Host.Commit
	}
	d.step.Events = append(d.step.Events, e)
}

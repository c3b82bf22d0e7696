// Package run makes one host what its catalog says, or measures how far it is from that.
//
// A resource is checked, mended where that is allowed, and checked again; the second check
// decides. A mistake in one kind, even a panic, is an error of that one resource. Run stops
// between two resources when its context ends, never inside one.
package run

import (
	"context"
	"fmt"
	"time"

	"plumb/agent/cause"
	"plumb/agent/protocol"
	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
)

// Runner runs catalogs on one host.
type Runner struct {
	// Decode makes the resource of a catalog entry; nil means [modules.Decode].
	Decode func(policies.Resource) (modules.Resource, error)
	// System is the host, fresh for each run.
	System *system.System
	// Journal keeps what was begun.
	Journal *Journal
	// Memory is what the last run left; Run replaces it by what it leaves itself.
	Memory cause.Memory
	// Audit measures only: the host is paused or audit was forced.
	Audit bool
	// Frozen lets only drift be mended; every other change waits.
	Frozen bool
	// Zone is the host's own, for windows that follow it; nil means UTC.
	Zone *time.Location
	// Now is the host's clock, by which windows open and close; nil stands still at the run's start.
	Now func() time.Time
	// Untimed says why the host cannot tell whether a window is open; changes that need one
	// wait then. It is empty when the clock is fine.
	Untimed string
	// Opens is when the first change may start that waits for a window or for the end of a
	// freeze, or when the next window of a patch resource opens, for the server gives patch cycles
	// out in their windows. Run sets it; it is zero when there is nothing to wake up for.
	Opens time.Time
	// Soon is set by Run when a patch cycle is under way that no window keeps waiting.
	Soon bool
	// Limit bounds a Check or an Apply whose resource sets no timeout; 0 is no bound. A patch
	// resource brings many packages, one after the other, and has [patchShare] times as long.
	Limit time.Duration
	// Trial only measures patch resources: a release that is on trial is judged before anything
	// else changes the host.
	Trial bool
	// Lapsed says why no patch cycle may be begun, though there are orders; empty when one may. What
	// is under way goes on.
	Lapsed string
	// Live takes how far a patch resource is, again and again while it is applied, one call after
	// the other; nil when nobody wants to know. It must come back when its context ends.
	Live func(context.Context, protocol.Progress)
	// Strays are patch resources of which something is under way. Those that the catalog does not
	// have are brought to their end, and Run tells in Astray how they fare.
	Strays []policies.Resource
	Astray []policies.ResourceResult
	// Only, when it is not nil, are the addresses to look at; all others keep their result of Last,
	// which was a run of the same catalog in the same mode. Patch resources are never to be in it.
	Only map[string]bool
	Last policies.Result
	// Later leaves what is to be looked at once more to the caller, who finds it in Unsettled after Run
	// and hands it to a later run in Before; else Run waits for it.
	Later             bool
	Before, Unsettled Unsettled
	// Flapping says, by address, why drift is not mended though it may be: somebody else fights for
	// the resource.
	Flapping map[string]policies.Flapping
	// Agreed is the time that waivers are judged by; zero is the run's start.
	Agreed time.Time
	// Commit is that of the release, and Key the host's own for digests of secrets; both may be empty.
	Commit string
	Key    []byte
	// Refused holds, by rollout, the patch orders that the host was given and does not believe.
	Refused map[string]Refusal
}

// Run runs the catalog. When ctx ends it finishes the resource at hand, delivers nothing more
// and returns the context's error: there is no result of half a run, and what was begun
// is in the journal.
func (r *Runner) Run(ctx context.Context, catalog policies.Catalog, digest string, now time.Time) (policies.Result, error) {
	r.Journal.run, r.Opens, r.Soon, r.Astray = now, time.Time{}, false, nil
	n := len(catalog.Resources)
	p := &pass{Runner: r, catalog: catalog, last: known(r.Last), refused: map[string]calendar.Decision{}, result: policies.Result{Catalog: digest, Resources: make([]policies.ResourceResult, 0, n)},
		index: make(map[string]int, n), left: make(cause.Memory, n), kinds: make(map[string]modules.Resource, n), errs: map[string]error{}, unsettled: Unsettled{},
		fine: make([]bool, n), batch: maxAhead}
	p.prepare()
	for at, res := range catalog.Resources {
		p.at = at
		if err := ctx.Err(); err != nil {
			return policies.Result{}, fmt.Errorf("the run was stopped: %w", err)
		}
		if res.Kind == patchKind { // no cycle begins before those are ended that nobody wants any more
			p.strays(context.WithoutCancel(ctx))
		}
		one, kept := p.carried(res)
		if !kept {
			p.settleFirst(context.WithoutCancel(ctx), res)
			p.lookAhead(context.WithoutCancel(ctx))
			one = p.resource(context.WithoutCancel(ctx), res)
		}
		p.index[res.Address] = len(p.result.Resources)
		p.result.Resources = append(p.result.Resources, one)
	}
	p.at = len(catalog.Resources)
	p.strays(context.WithoutCancel(ctx))
	if err := p.notify(ctx, catalog); err != nil {
		return policies.Result{}, err
	}
	p.settleAll(context.WithoutCancel(ctx))
	r.Memory, r.Unsettled = p.left, p.unsettled
	Trim(&p.result)
	return p.result, nil
}

// pass is one run under way.
type pass struct {
	*Runner
	catalog policies.Catalog
	refused map[string]calendar.Decision       // by class, lane and windows: what must not start yet
	last    map[string]policies.ResourceResult // by address, see Only
	result  policies.Result
	index   map[string]int // address → place in the result
	left    cause.Memory
	kinds   map[string]modules.Resource
	errs    map[string]error // why an entry could not be decoded
	// unsettled is what has to be looked at once more.
	unsettled Unsettled

	ready  []prepared // by place in the catalog
	at     int        // place of the resource at hand
	fine   []bool     // by place: in order when it was looked at ahead
	looked int        // below it was looked ahead
	batch  int        // how many come next
}

func (p *pass) entry(res policies.Resource) (modules.Resource, error) {
	if p.Decode != nil {
		return p.Decode(res)
	}
	return modules.Decode(res)
}

// resource runs one resource and remembers how it was left.
func (p *pass) resource(ctx context.Context, res policies.Resource) policies.ResourceResult {
	hide := p.secretsOf(res)
	wanted, err := p.wanted(res, hide)
	w := &work{pass: p, res: res, secrets: hide, wanted: wanted, waiver: p.waiver(res), out: policies.ResourceResult{Address: res.Address, Mode: p.mode(res)}}
	if w.waiver != nil {
		w.out.Mode = policies.Audit
	}
	if err != nil {
		w.fail(fmt.Errorf("the catalog entry is damaged: %w", err))
	} else {
		p.System.Permit = w.permit
		w.do(ctx)
		p.System.Permit = nil
	}
	clean(&w.out, w.secrets)
	p.remember(w)
	return w.out
}

// remember keeps how a resource was left. One that was not looked at in this run is
// remembered as it was, unless that was agreed.
func (p *pass) remember(w *work) {
	last, known := p.Memory[w.res.Address]
	if w.checked || w.out.Status == policies.Waived {
		now := cause.Entry{Wanted: w.wanted, Status: w.out.Status, Cause: w.out.Cause, From: w.out.From, To: w.out.To,
			Commit: p.Commit, Changed: last.Changed, Packages: w.packages()}
		now.Note(p.Journal.run, w.out)
		p.left[w.res.Address] = now
		return
	}
	if known {
		p.left[w.res.Address] = last
	}
}

// mode is what policy says, lowered by the host's own word.
func (p *pass) mode(res policies.Resource) policies.Mode {
	if p.Audit || res.Check || res.Mode == policies.Audit {
		return policies.Audit
	}
	return policies.Enforce
}

// blocked returns why a dependency keeps the resource from being touched.
func (p *pass) blocked(res policies.Resource) (policies.Status, string) {
	for _, address := range res.DependsOn {
		at, ok := p.index[address]
		if !ok {
			continue
		}
		switch p.result.Resources[at].Status {
		case policies.Failed, policies.Skipped:
			return policies.Skipped, address + " failed"
		case policies.Pending:
			return policies.Pending, "waits for " + address
		}
	}
	return "", ""
}

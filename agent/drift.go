package agent

import (
	"context"
	"time"

	"plumb/agent/run"
	"plumb/agent/watch"
	"plumb/modules"
	"plumb/policies"
)

// Mend runs the resources that may have drifted and nothing else, and reports as a round does.
// Where there is no finished run to build upon, it does a round without a call. It boots no host
// and fetches nothing.
//
// A service that was started is believed later: [Outcome.Again] says when to call Mend for that, with
// an event that may be empty. Other drift need not wait for it.
func (a *Agent) Mend(ctx context.Context, event watch.Event) (Outcome, error) {
	due := a.due()
	out, err := a.mend(ctx, event, due)
	for address, one := range due {
		if a.unsettled[address] == one { // it was not looked at: the policy may want nothing of it any more
			delete(a.unsettled, address)
		}
	}
	out.Again, _ = a.unsettled.Due()
	return out, err
}

func (a *Agent) mend(ctx context.Context, event watch.Event, due run.Unsettled) (Outcome, error) {
	suspects := a.suspects(event)
	for address := range due {
		suspects[address] = true
	}
	if len(suspects) == 0 {
		return Outcome{}, nil
	}
	r, err := a.begin()
	if err != nil {
		return Outcome{}, err
	}
	defer r.hangUp()
	good := r.releases.Good
	if good == nil || r.releases.Trial != nil {
		return a.Round(ctx, false)
	}
	if err := r.recall(ctx, suspects); err != nil {
		return Outcome{}, err
	}
	if good.Number != r.last.Release {
		return a.Round(ctx, false)
	}
	r.only = suspects
	a.suspect(event)
	done, err := r.runRelease(ctx, *good, false)
	if err != nil {
		return r.out, err
	}
	a.trip(event, done.result)
	err = r.report(done)
	r.out.Problem = r.problem
	return r.out, err
}

// recall finds out what stands, and what the host is. What a daemon keeps in memory still holds when no
// package drifted.
func (r *round) recall(ctx context.Context, suspects map[string]bool) (err error) {
	s := r.standing
	if s == nil {
		if r.last, _, err = r.loadLast(); err != nil {
			r.Log.Warn("the last run is lost", "error", err)
			r.last = Last{}
		}
	} else {
		r.last, r.found, r.rawFacts, r.rawOffers = s.last, s.found, s.rawFacts, s.rawOffers
	}
	if s != nil && !s.anyPackage(suspects) {
		return nil
	}
	if r.found, r.rawFacts, err = r.collect(ctx); err != nil {
		return err
	}
	var offers knownOffers
	if ok, err := r.Dir.Load(offersFile, &offers); err == nil && ok {
		r.rawOffers = offers.Raw
	}
	return nil
}

// suspects are the addresses of an event that are not left alone, and those that were not looked at
// since they are.
func (a *Agent) suspects(event watch.Event) map[string]bool {
	list := map[string]bool{}
	for _, d := range event.Drifts {
		if a.Breaker == nil || !a.Breaker.Rests(d.Address, a.Now()) || a.Breaker.Show(d.Address) {
			list[d.Address] = true
		}
	}
	return list
}

// due is what has to be looked at once more by now.
func (a *Agent) due() run.Unsettled {
	list := run.Unsettled{}
	for address, one := range a.unsettled {
		if at, owes := one.Settles(); !owes || !at.After(time.Now()) {
			list[address] = one
		}
	}
	return list
}

// suspect notes who touched what, for the result of the run that looks at it.
func (a *Agent) suspect(event watch.Event) {
	if a.writers == nil {
		a.writers = map[string]string{}
	}
	for _, d := range event.Drifts {
		a.writers[d.Address] = run.Plain(d.By.String())
	}
}

// blame writes into a result who changed what differs. Whom an event named stands there for as long
// as the resource differs: a round in between cannot know.
func (a *Agent) blame(result policies.Result) {
	for i := range result.Resources {
		one := &result.Resources[i]
		by, ok := a.writers[one.Address]
		if !ok {
			continue
		}
		if one.Cause == policies.Corrective || one.Cause == policies.Upstream {
			one.By = by
		}
		if one.Status.Passing() {
			delete(a.writers, one.Address)
		}
	}
}

// trip tells the breaker what was mended, and the administrator, once, what is left alone now.
func (a *Agent) trip(event watch.Event, result policies.Result) {
	by := map[string]watch.Writer{}
	for _, d := range event.Drifts {
		by[d.Address] = d.By
	}
	for _, one := range result.Resources {
		writer, named := by[one.Address]
		if one.Status != policies.Repaired {
			continue
		}
		a.Log.Info("drift is mended", "resource", one.Address, "writer", writer.String())
		if !named || a.Breaker == nil {
			continue
		}
		if flap, tripped := a.Breaker.Mended(one.Address, writer, a.Now()); tripped {
			a.Log.Error("a resource flaps and is left alone", "resource", one.Address, "until", flap.Until, "fighters", flap.Fighters())
			a.keepFlapping()
		}
	}
}

// flapFile keeps what is left alone over a start of the agent: whoever fights might be what
// starts it.
const flapFile = "flapping.json"

func (a *Agent) keepFlapping() {
	if err := a.Dir.Save(flapFile, a.Breaker.Flapping(a.Now())); err != nil {
		a.Log.Warn("cannot keep what flaps", "error", err)
	}
}

// restoreFlapping leaves alone what the agent left alone before it was started anew.
func (a *Agent) restoreFlapping() {
	var list []watch.Flap
	if _, err := a.Dir.Load(flapFile, &list); err != nil {
		a.Log.Warn("what flaps is lost, so it is mended", "error", err)
	}
	if a.Breaker != nil {
		a.Breaker.Restore(list)
	}
}

// flapping tells of each resource that is left alone why.
func (a *Agent) flapping(now time.Time) map[string]policies.Flapping {
	if a.Breaker == nil {
		return nil
	}
	list := map[string]policies.Flapping{}
	for _, flap := range a.Breaker.Flapping(now) {
		list[flap.Address] = flap.Flapping
	}
	return list
}

// WatchLast watches what the newest run managed, so that a daemon that starts sees drift before
// its first round.
func (a *Agent) WatchLast() {
	a.restoreFlapping()
	if last, ok, err := a.loadLast(); err == nil && ok {
		a.rewatch(last.Catalog, last.Result.Catalog)
	}
}

// rewatch watches what the catalog manages, when it is another catalog than before or when not
// all of it could be watched.
func (a *Agent) rewatch(catalog policies.Catalog, digest string) {
	if a.Watch == nil || a.watched == digest && !a.Watch.Short() {
		return
	}
	decode := a.Decode
	if decode == nil {
		decode = modules.Decode
	}
	var list []watch.Target
	for _, res := range catalog.Resources {
		if res.NotApplicable {
			continue
		}
		one, err := decode(res)
		if err != nil {
			continue // the run says so
		}
		if t := watch.TargetOf(res, one); !t.Empty() {
			list = append(list, t)
		}
	}
	a.Watch.Watch(list)
	a.watched = digest
}

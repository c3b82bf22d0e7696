package agent

import (
	"context"
	"errors"
	"os"

	"plumb/agent/protocol"
	"plumb/agent/run"
	"plumb/agent/state"
	"plumb/agent/trust"
	"plumb/policies"
	"plumb/policies/patch"
)

// grants returns the patch cycles of an accepted lease that can be looked at. There is no floor
// for their numbers: an older lease is refused by its own counter, and within a fresh one the
// server's word counts, also when it steps back.
func (r *round) grants(l protocol.Lease) []protocol.PatchGrant {
	list, err := trust.Grants(l)
	if err != nil {
		r.Log.Error("refused what the server sent", "error", err)
	}
	return list
}

// withdraw forgets the orders that the lease no longer grants, before the lease itself is kept: a
// kill in between leaves fewer orders, never one that the lease has taken away. An order that
// goes begins nothing more; what the host has under way is in the journal of the kind and is
// brought to its end. One that is given again later counts as new, so that its grace does not
// run out while it was taken away.
func (r *round) withdraw(grants []protocol.PatchGrant) error {
	kept := []state.Granted{}
	for _, g := range grants {
		for _, old := range r.granted {
			if old.Rollout == g.Rollout && old.Cycle == g.Cycle && old.Digest == g.Set {
				old.Offered, old.Emergency, old.Undo = g.Offered.Unix(), g.Emergency, g.Undo
				kept = append(kept, old)
			}
		}
	}
	if len(kept) == 0 && len(r.granted) == 0 {
		return nil
	}
	r.granted = kept
	return r.Dir.SaveGranted(kept)
}

// takeOrders fetches the patch sets that the host lacks. A set that is not believed is remembered
// with the reason: the resource of its rollout then tells it, and nothing of the set is done.
func (r *round) takeOrders(ctx context.Context, grants []protocol.PatchGrant) error {
	var errs []error
	for _, g := range grants {
		if err := r.takeOrder(ctx, g); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *round) takeOrder(ctx context.Context, g protocol.PatchGrant) error {
	at := r.indexOf(g)
	if at >= 0 && r.granted[at].Refused != "" && r.granted[at].By == r.Version {
		return nil // a newer agent may understand it
	}
	if _, err := r.Dir.Set(g.Set); err == nil && at >= 0 && r.granted[at].Refused == "" {
		return nil
	}
	raw, err := r.download(g.Set, func(part *os.File) ([]byte, error) { return r.client.Set(ctx, g.Set, part) })
	if err != nil {
		return err
	}
	one := state.Granted{Rollout: g.Rollout, Cycle: g.Cycle, Digest: g.Set, Offered: g.Offered.Unix(), Taken: r.clock().Unix(),
		Emergency: g.Emergency, Undo: g.Undo}
	if _, err := trust.Set(g.Rollout, g.Set, raw); err != nil {
		r.Log.Error("refused what the server sent", "rollout", g.Rollout, "cycle", g.Cycle, "error", err)
		one.Refused, one.By = run.Plain(err.Error()), r.Version
	} else if err := r.Dir.HoldSet(g.Set, raw); err != nil {
		return err
	}
	return r.hold(at, one)
}

func (r *round) indexOf(g protocol.PatchGrant) int {
	for i, one := range r.granted {
		if one.Rollout == g.Rollout && one.Cycle == g.Cycle && one.Digest == g.Set {
			return i
		}
	}
	return -1
}

// hold keeps an order at its place, or as a new one when that is below 0.
func (r *round) hold(at int, one state.Granted) error {
	if at < 0 {
		r.granted = append(r.granted, one)
		r.Log.Info("took a patch order", "rollout", one.Rollout, "cycle", one.Cycle, "set", one.Digest[:12])
	} else {
		one.Taken = r.granted[at].Taken
		r.granted[at] = one
	}
	return r.Dir.SaveGranted(r.granted)
}

// lapsed says why no order may be begun: past the lease nothing is, and neither is it when the
// floors are lost. The orders stay, so that a host goes on to say where it is with them, and ends what it
// has begun.
func (r *round) lapsed() string {
	switch {
	case r.blind:
		return "nothing new is begun: what this host may believe is not known any more"
	case r.stale():
		return "nothing new is begun: the lease has run out"
	}
	return ""
}

// orders returns what the host was given, and what of it is not believed.
func (r *round) orders() ([]patch.Order, map[string]run.Refusal) {
	var list []patch.Order
	refused := map[string]run.Refusal{}
	for _, one := range r.granted {
		if one.Refused != "" {
			refused[one.Rollout] = run.Refusal{Cycle: one.Cycle, Set: one.Digest, Why: one.Refused}
			continue
		}
		set, err := r.heldSet(one)
		if err != nil {
			r.Log.Warn("a patch order waits until the server is reached", "rollout", one.Rollout, "error", err)
			continue
		}
		list = append(list, patch.Order{Rollout: one.Rollout, Cycle: one.Cycle, Digest: one.Digest, Set: set,
			Offered: one.Offered, Taken: one.Taken, Emergency: one.Emergency, Undo: one.Undo})
	}
	return list, refused
}

func (r *round) heldSet(one state.Granted) (patch.Set, error) {
	raw, err := r.Dir.Set(one.Digest)
	if err != nil {
		return patch.Set{}, err
	}
	return trust.Set(one.Rollout, one.Digest, raw)
}

// live tells the server how far a patch cycle is while it is under way. It uses the connection of
// the round, which waits meanwhile, and changes nothing of the round: the lease in the answer is
// left alone, for the next check-in brings a newer one. A server that was not reached, or was not
// to be called, is not told.
func (r *round) live() func(context.Context, protocol.Progress) {
	if r.client == nil || r.out.Called != nil {
		return nil
	}
	in := protocol.CheckIn{Version: protocol.Version, Agent: r.Version, Counter: r.floors.Counter, Floor: r.floors.Oldest, Instance: r.Instance,
		Reports: []policies.Report{}, Paused: r.pause}
	return func(ctx context.Context, p protocol.Progress) {
		in.Patching = []protocol.Progress{p}
		if _, err := r.client.CheckIn(ctx, in); err != nil {
			r.Log.Debug("the server was not told of the progress", "error", err)
		}
	}
}

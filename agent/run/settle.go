package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"plumb/modules"
	"plumb/policies"
)

// Unsettled are resources that a run changed and that have to be looked at once more, by address.
type Unsettled map[string]modules.Settler

// Due is when the first of them has to be looked at; false when there is none.
func (u Unsettled) Due() (first time.Time, ok bool) {
	for _, one := range u {
		if at, owes := one.Settles(); owes && (!ok || at.Before(first)) {
			first, ok = at, true
		}
	}
	return first, ok
}

// owe notes that a resource which was changed is not to be believed yet.
func (p *pass) owe(address string, one modules.Resource) {
	settler, ok := one.(modules.Settler)
	if !ok {
		return
	}
	if _, owes := settler.Settles(); owes {
		p.unsettled[address] = settler
	}
}

// settleFirst looks once more at those on which a resource depends.
func (p *pass) settleFirst(ctx context.Context, res policies.Resource) {
	for _, address := range res.DependsOn {
		if p.unsettled[address] != nil {
			p.settled(ctx, address)
		}
	}
}

// settleAll looks once more at all that was changed. The waits for them run at the same time.
func (p *pass) settleAll(ctx context.Context) {
	if p.Later {
		return
	}
	for _, res := range p.catalog.Resources {
		if p.unsettled[res.Address] != nil {
			p.settled(ctx, res.Address)
		}
	}
}

// settled waits for the moment of one resource, looks, and says so when it did not hold.
func (p *pass) settled(ctx context.Context, address string) {
	one := p.unsettled[address]
	delete(p.unsettled, address)
	if at, _ := one.Settles(); !at.IsZero() {
		wait := time.NewTimer(time.Until(at))
		defer wait.Stop()
		<-wait.C
	}
	at := slices.IndexFunc(p.catalog.Resources, func(r policies.Resource) bool { return r.Address == address })
	w := &work{pass: p, res: p.catalog.Resources[at]}
	err := w.guard(ctx, func(ctx context.Context) error { return one.Settled(ctx, p.System) })
	if err == nil {
		return
	}
	w.out = p.result.Resources[p.index[address]]
	if w.out.Refreshed {
		err = fmt.Errorf("it was refreshed after a change: %w", err)
	}
	w.fail(err)
	clean(&w.out, p.secretsOf(w.res))
	p.result.Resources[p.index[address]] = w.out
	left := p.left[address]
	left.Status = w.out.Status
	p.left[address] = left
}

// before is what a run before this one owes a resource. Without a new look the resource is what it
// was found to be.
func (w *work) before(ctx context.Context) error {
	one := w.Before[w.res.Address]
	if one == nil {
		return nil
	}
	delete(w.Before, w.res.Address)
	return w.guard(ctx, func(ctx context.Context) error { return one.Settled(ctx, w.System) })
}

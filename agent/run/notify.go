package run

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"plumb/modules"
	"plumb/policies"
)

// notify refreshes, once and in catalog order, every resource that something changed asked
// for, in this run or in one that was killed. What cannot be delivered now waits in the
// journal: a paused host delivers after its pause, a refresh that failed is tried again.
func (p *pass) notify(ctx context.Context, catalog policies.Catalog) error {
	for _, res := range catalog.Resources {
		if len(p.Journal.pending[res.Address]) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the run was stopped: %w", err)
		}
		p.deliver(context.WithoutCancel(ctx), res)
	}
	return p.dropStrays()
}

func (p *pass) deliver(ctx context.Context, res policies.Resource) {
	out := &p.result.Resources[p.index[res.Address]]
	if out.Mode == policies.Audit || out.Status == policies.Failed || out.Status == policies.Skipped || out.Status == policies.Pending {
		return
	}
	w := &work{pass: p, res: res, one: p.target(res), out: *out}
	refresher, ok := w.one.(modules.Refresher)
	if !ok {
		w.note(p.Journal.delivered(res.Address)) // not applicable here, or nothing to refresh
		return
	}
	if why := p.closed(res); why != "" {
		out.Message = "it is to be refreshed after a change of " + p.notifiers(res) + ": " + why
		return
	}
	err := w.guard(ctx, func(ctx context.Context) error { return refresher.Refresh(ctx, p.System) })
	if err == nil {
		out.Refreshed = true
		p.owe(res.Address, w.one)
		err = p.Journal.delivered(res.Address)
	}
	if err == nil {
		return
	}
	out.Status = policies.Failed
	if errors.Is(err, modules.ErrWait) {
		out.Status = policies.Pending
	}
	out.Message = fmt.Sprintf("cannot refresh it after a change of %s: %v", p.notifiers(res), err)
	clean(out, p.secretsOf(res))
	left := p.left[res.Address]
	left.Status = out.Status
	p.left[res.Address] = left
}

// notifiers names those whose change is to be told to the resource.
func (p *pass) notifiers(res policies.Resource) string {
	return strings.Join(p.Journal.pending[res.Address], ", ")
}

// dropStrays forgets notifications of resources that the catalog no longer has.
func (p *pass) dropStrays() error {
	for target := range p.Journal.pending {
		if _, ok := p.index[target]; ok {
			continue
		}
		if err := p.Journal.delivered(target); err != nil {
			return err
		}
	}
	return nil
}

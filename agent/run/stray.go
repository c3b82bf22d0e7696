package run

import (
	"context"
	"errors"
	"fmt"

	"plumb/modules"
	"plumb/policies"
)

// strays brings to its end what is under way in rollouts that the catalog does not have: they were
// taken out of the policy, or the host has left their rings. It begins nothing, and boots no host.
// The result of the run says nothing of them, for the server compares that with the catalog.
func (p *pass) strays(ctx context.Context) {
	known := map[string]bool{}
	for _, res := range p.catalog.Resources {
		known[res.Address] = true
	}
	orders := p.System.Orders
	p.System.Orders = nil // what the server still grants belongs to nothing
	defer func() { p.System.Orders = orders }()
	for _, res := range p.Strays {
		if !known[res.Address] {
			p.Astray = append(p.Astray, p.stray(ctx, res))
		}
	}
	p.Strays = nil // once in a run
}

func (p *pass) stray(ctx context.Context, res policies.Resource) policies.ResourceResult {
	w := &work{pass: p, res: res, astray: true, secrets: p.secretsOf(res), out: policies.ResourceResult{Address: res.Address, Mode: p.mode(res)}}
	p.System.Permit = w.permit
	w.goOn(ctx)
	p.System.Permit = nil
	clean(&w.out, w.secrets)
	return w.out
}

// goOn is what [work.do] is for a resource of the catalog.
func (w *work) goOn(ctx context.Context) {
	err := w.guard(ctx, func(context.Context) (err error) { w.one, err = w.entry(w.res); return err })
	if err != nil {
		w.fail(err)
		return
	}
	defer w.tell()
	w.out.Changes, err = w.check(ctx)
	applier, can := w.one.(modules.Applier)
	switch {
	case err != nil:
		w.fail(err)
	case len(w.out.Changes) == 0:
		w.out.Status = policies.Compliant
	case !can || w.out.Mode == policies.Audit:
		w.out.Status = policies.Noncompliant
	case w.Trial:
		w.fail(fmt.Errorf("%w: the release has to show first that this host can live with it", modules.ErrWait))
	default:
		w.end(ctx, applier)
	}
}

func (w *work) end(ctx context.Context, applier modules.Applier) {
	w.touched()
	err := w.guard(ctx, func(ctx context.Context) error { return applier.Apply(ctx, w.System, w.out.Changes) })
	left, checkErr := w.check(ctx)
	if err == nil && checkErr == nil && len(left) > 0 {
		checkErr = errors.New("it was applied and still differs")
	}
	if err == nil {
		err = checkErr
	}
	if err != nil {
		w.fail(err)
		return
	}
	w.out.Status = policies.Repaired
}

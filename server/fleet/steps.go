package fleet

import (
	"context"
	"errors"
	"slices"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// steps derives what the reports do, one after the other.
func (f *Fleet) steps(ctx context.Context, h store.Host, reports []policies.Report, now time.Time) ([]store.Step, error) {
	state := State{Host: h, Findings: map[string]store.Finding{}}
	if !allPass(h) {
		findings, err := f.Store.FindingsOf(ctx, h.ID)
		if err != nil {
			return nil, err
		}
		for _, one := range findings {
			state.Findings[one.Address] = one
		}
	}
	steps := make([]store.Step, len(reports))
	for i, r := range reports {
		run, err := f.run(ctx, r)
		if err != nil {
			return nil, err
		}
		if state.Result == nil && run.drifted() {
			if state.Result, err = f.found(ctx, state.Host, run); err != nil {
				return nil, err
			}
		}
		if run.Offers, err = f.offers(ctx, r); err != nil {
			return nil, err
		}
		steps[i], state = Derive(state, run, now)
		if p := f.inbox.get(store.Ref{Kind: store.KindResult, Digest: r.Result}); p != nil {
			steps[i].Objects = []store.Object{p.Object}
		}
	}
	return steps, nil
}

// allPass tells whether the row of a host says by itself that it has no findings. A report that is of no
// run leaves them as they were, and counts nothing.
func allPass(h store.Host) bool {
	for status := range h.Counts {
		if IsOpen(status) {
			return false
		}
	}
	return len(h.Counts) > 0
}

// drifted tells whether a run found what somebody else had changed.
func (r Run) drifted() bool {
	return r.Result != nil && slices.ContainsFunc(r.Result.Resources, drifted)
}

// found loads what the host's newest stored report found. It is nil when that report is of no run,
// and when its result is not for the catalog that it named, which proves nothing.
func (f *Fleet) found(ctx context.Context, h store.Host, run Run) (*Found, error) {
	if h.Result == "" || h.Catalog == "" {
		return nil, nil
	}
	if one, known := f.standings.get(h.Result); known && one.catalog == h.Catalog && run.Report.Catalog == h.Catalog && parallel(*run.Catalog, *run.Result) {
		return one.result(run), nil
	}
	r, err := load[*Found](ctx, f, store.Ref{Kind: store.KindResult, Digest: h.Result})
	if errors.Is(err, store.ErrNotFound) || err == nil && r.Catalog != h.Catalog {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// run loads what a report names.
func (f *Fleet) run(ctx context.Context, r policies.Report) (Run, error) {
	if r.Catalog == "" {
		if r.Problem == "" {
			r.Problem = "the host did not say why nothing was run"
		}
		return Run{Report: r}, nil
	}
	c, err := load[*decodedCatalog](ctx, f, store.Ref{Kind: store.KindCatalog, Digest: r.Catalog})
	if err != nil {
		return Run{}, err
	}
	found, err := load[*Found](ctx, f, store.Ref{Kind: store.KindResult, Digest: r.Result})
	if err != nil {
		return Run{}, err
	}
	if found.Catalog != r.Catalog {
		// Believing it could show another catalog's good answers. All counts as missing then.
		r.Problem = "the result belongs to another catalog"
		return Run{Report: r, Catalog: &c.Catalog, Result: &Found{}}, nil
	}
	f.standings.learn(r.Result, c.Catalog, *found)
	return Run{Report: r, Catalog: &c.Catalog, Result: found}, nil
}

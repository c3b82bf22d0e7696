package release

import (
	"context"
	"errors"
	"fmt"

	"plumb/policies/compiler"
	"plumb/policies/lang"
	"plumb/server/store"
)

// ErrNoFacts is for a host that has not said yet what it is, so that nothing was made for it.
var ErrNoFacts = errors.New("the host has not reported facts yet")

// Explain says where what a host should be comes from, by the release that it runs, or by the
// newest one where it runs none yet, and by the facts that it sent last. It also returns the
// number of that release.
func (d *Desk) Explain(ctx context.Context, h store.Host, address string) (lang.Why, uint64, error) {
	if h.Facts == "" {
		return lang.Why{}, 0, ErrNoFacts
	}
	r, err := d.running(ctx, h)
	if err != nil {
		return lang.Why{}, 0, err
	}
	raw, err := d.Store.Object(ctx, store.Ref{Kind: store.KindBundle, Digest: r.Bundle})
	if err != nil {
		return lang.Why{}, 0, fmt.Errorf("cannot read the bundle of release %d: %w", r.Number, err)
	}
	facts, err := d.facts(ctx, h.Facts)
	if err != nil {
		return lang.Why{}, 0, fmt.Errorf("cannot read the facts of %s: %w", h.Name, err)
	}
	// Whoever may look may ask, so that one child at a time is enough.
	d.explaining.Lock()
	defer d.explaining.Unlock()
	if err := ctx.Err(); err != nil {
		return lang.Why{}, 0, err
	}
	res, err := d.Compiler.Compile(ctx, compiler.Request{Bundle: raw, Hosts: []lang.Input{{Host: h.Host, Facts: facts}}, Explain: address})
	if err != nil {
		return lang.Why{}, 0, err
	}
	if res.Explained == nil {
		return lang.Why{Problems: res.Problems}, r.Number, nil
	}
	return *res.Explained, r.Number, nil
}

func (d *Desk) running(ctx context.Context, h store.Host) (r store.Release, err error) {
	if h.Release == 0 {
		r, err = d.Store.LatestRelease(ctx)
	} else {
		r, err = d.Store.Release(ctx, h.Release)
	}
	if err != nil {
		return r, fmt.Errorf("cannot find the release of %s: %w", h.Name, err)
	}
	return r, nil
}

package run

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"plumb/agent/cause"
	"plumb/modules"
	"plumb/policies"
)

// prepared is what can be worked out of a catalog entry without the host.
type prepared struct {
	one    modules.Resource
	err    error // why the entry could not be decoded
	paths  []string
	units  []string
	wanted string // the plain digest, see [cause.Wanted]
}

// prepare reads every entry, on all processors, and tells the system which paths the catalog manages.
func (p *pass) prepare() {
	list := p.catalog.Resources
	p.ready = make([]prepared, len(list))
	all := p.all()
	spread(len(list), func(i int) {
		if all || p.Only[list[i].Address] {
			p.ready[i] = p.read(list[i])
		}
	})
	p.System.Managed = make(map[string]bool, len(list))
	var units []string
	for i, res := range list {
		if p.Only == nil || p.Only[res.Address] {
			units = append(units, p.ready[i].units...)
		}
		p.kinds[res.Address] = p.ready[i].one
		if err := p.ready[i].err; err != nil {
			p.errs[res.Address] = err
		}
		for _, path := range p.ready[i].paths {
			p.System.Managed[path] = true
		}
	}
	p.System.ExpectUnits(units)
}

// all tells whether the whole catalog has to be read: a folder that purges leaves alone what others
// provide.
func (p *pass) all() bool {
	return p.Only == nil || slices.ContainsFunc(p.catalog.Resources, func(res policies.Resource) bool {
		return p.Only[res.Address] && res.Kind == "directory"
	})
}

// target is the resource that a notification is for, which may be none of those to look at.
func (p *pass) target(res policies.Resource) modules.Resource {
	if p.kinds[res.Address] == nil && p.errs[res.Address] == nil {
		r := p.read(res)
		p.kinds[res.Address], p.errs[res.Address] = r.one, r.err
	}
	return p.kinds[res.Address]
}

func (p *pass) read(res policies.Resource) (r prepared) {
	w := &work{pass: p, res: res}
	r.err = w.shield(func() (err error) { // reading takes no time that has to be bounded
		if p.Only == nil || p.Only[res.Address] {
			r.wanted, _ = cause.Wanted(res, nil) // an entry that is damaged is found by who asks for it
		}
		if r.one, err = p.entry(res); err != nil || res.NotApplicable || res.Check {
			return err
		}
		linker, ok := r.one.(modules.Linker)
		if !ok {
			return nil
		}
		for _, name := range linker.Provides() {
			if path, ok := strings.CutPrefix(name, "path:"); ok {
				r.paths = append(r.paths, path)
			}
			if unit, ok := strings.CutPrefix(name, "unit:"); ok {
				r.units = append(r.units, unit)
			}
		}
		return nil
	})
	return r
}

// How many resources are looked at ahead of their turn. After a change it begins small again: what
// was found before may no longer hold, and where one thing has to change often all have.
const (
	maxAhead   = 2048
	leastAhead = 16
)

// lookAhead checks quiet resources before their turn, on all processors. Only that one is in order
// is believed later, and only while nothing has changed the host since: all else is checked in its
// turn, right before it is mended. So the order of the catalog is kept.
func (p *pass) lookAhead(ctx context.Context) {
	if p.Only != nil || p.at < p.looked {
		return
	}
	n := min(p.batch, len(p.ready)-p.at)
	p.looked, p.batch = p.at+n, min(2*p.batch, maxAhead)
	if n < leastAhead {
		return
	}
	defer p.System.KeepFolders()()
	if p.Limit > 0 { // one for all: what is not done by then is checked in its turn, with a time of its own
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Limit)
		defer cancel()
	}
	spread(n, func(i int) { p.fine[p.at+i] = p.inOrder(ctx, p.at+i) })
}

// inOrder tells whether a check finds nothing to change. An error is told by the check in its turn.
func (p *pass) inOrder(ctx context.Context, at int) bool {
	res, r := p.catalog.Resources[at], p.ready[at]
	quiet, ok := r.one.(modules.Quiet)
	if r.err != nil || !ok || res.NotApplicable || len(res.Waivers) > 0 || !quiet.Quiet() {
		return false
	}
	w := &work{pass: p, res: res, one: r.one}
	changes, err := w.check(ctx)
	return err == nil && len(changes) == 0
}

// touched forgets what was found ahead: the host is about to change, or some program ran.
func (p *pass) touched() {
	clear(p.fine)
	p.System.ForgetUnits()
	p.looked, p.batch = p.at+1, 1
}

// spread calls do for each number below n, on all processors when there is enough to do.
func spread(n int, do func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n/leastAhead+1)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	const chunk = 8
	var next atomic.Int64
	var busy sync.WaitGroup
	for range workers {
		busy.Go(func() {
			for from := int(next.Add(chunk)) - chunk; from < n; from = int(next.Add(chunk)) - chunk {
				for i := from; i < min(from+chunk, n); i++ {
					do(i)
				}
			}
		})
	}
	busy.Wait()
}

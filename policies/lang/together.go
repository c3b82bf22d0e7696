package lang

import (
	"maps"
	"runtime"
	"sync"
)

// A resource with at least so many instances is worked out on all processors.
const (
	leastTogether = 64 // instances
	leastShare    = 16 // of each processor
)

// each makes n instances of a resource; at tells the key of each and the names that it may read.
func (r *run) each(one *resource, n int, now standing, at func(int) (key string, extra *names)) {
	begin := 0
	if n >= leastTogether { // the first one works out the locals and variables that all of them read
		r.some(one, 0, 1, now, at)
		if begin = 1; r.together(one, begin, n, now, at) {
			return
		}
	}
	r.some(one, begin, n, now, at)
}

func (r *run) some(one *resource, from, to int, now standing, at func(int) (string, *names)) {
	for i := from; i < to && !r.full; i++ {
		key, extra := at(i)
		r.instance(one, key, extra, now)
	}
}

// together makes the instances on all processors, and says whether it could. All must come out as if
// they were made one after the other. So when there is anything to tell, or the work for one host may
// be over, nothing was done: they are made in order then, which tells it in the right words.
func (r *run) together(one *resource, from, n int, now standing, at func(int) (string, *names)) bool {
	shares := min(runtime.GOMAXPROCS(0), (n-from)/leastShare)
	if shares < 2 || r.full || len(r.active) > 0 {
		return false
	}
	all := make([]*run, shares)
	for i := range all {
		all[i] = r.helper()
	}
	var busy sync.WaitGroup
	for i, h := range all {
		busy.Go(func() {
			defer func() { h.full = h.full || recover() != nil }() // who calls us recovers from it in order
			h.some(one, from+i*(n-from)/shares, from+(i+1)*(n-from)/shares, now, at)
		})
	}
	busy.Wait()
	left := *r.budget
	for _, h := range all {
		if h.full || len(h.diags) > 0 || len(h.known) > len(r.known) {
			return false
		}
		left.spend(r.budget.less(h.budget))
	}
	if left.over() {
		return false
	}
	*r.budget = left
	for _, h := range all {
		r.take(h)
	}
	return true
}

// helper is a run that shares what the run has worked out, and nothing that it works out itself.
func (r *run) helper() *run {
	h := newRun(r.cfg, r.in, r.static)
	budget := *r.budget
	h.budget = &budget
	h.fact, h.host, h.known, h.templates = r.fact, r.host, maps.Clone(r.known), maps.Clone(r.templates)
	return h
}

// take adds what a helper has made.
func (r *run) take(h *run) {
	maps.Copy(r.reads, h.reads)
	for _, i := range h.instances {
		r.add(i)
	}
}

func (b *budget) spend(used budget) {
	b.iterations, b.text, b.work = b.iterations-used.iterations, b.text-used.text, b.work-used.work
}

// less is what was used of it when that is left.
func (b *budget) less(left *budget) budget {
	return budget{b.iterations - left.iterations, b.text - left.text, b.work - left.work}
}

func (b *budget) over() bool { return b.iterations <= 0 || b.text < 0 || b.work < 0 }

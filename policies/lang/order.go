package lang

import (
	"container/heap"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumb/modules"
	"plumb/policies"
)

// catalog merges, links and orders the instances.
func (r *run) catalog() []policies.Resource {
	if r.failed() {
		return []policies.Resource{}
	}
	r.merge()
	r.waive()
	g := r.graph()
	if r.failed() {
		return []policies.Resource{}
	}
	list := make([]policies.Resource, 0, len(g.nodes))
	for _, n := range g.order() {
		one := g.nodes[n].Resource
		one.DependsOn = g.addresses(g.before[n])
		one.Notify = g.addresses(g.notify[n])
		list = append(list, one)
	}
	return list
}

// graph is who comes before whom. Nodes are numbers in the order of declaration.
type graph struct {
	nodes  []*instance
	number map[*instance]int
	before []set // of each node, those that come before it
	after  []set
	notify []set
	edges  int
	sorted []int // see order; nil after a change
}

// set is nil where there is nothing in it, as it is for most nodes.
type set map[int]bool

func with(s set, n int) set {
	if s == nil {
		s = set{}
	}
	s[n] = true
	return s
}

func (r *run) graph() *graph {
	g := r.written()
	if !r.failed() {
		g.automatic()
	}
	if g.edges > maxEdges {
		r.report(failure(g.nodes[0].from.at, "Too many dependencies", fmt.Sprintf("The resources of a host may have %d dependencies in all. Refer to single instances, with a key.", maxEdges)))
	}
	return g
}

// written is the graph of what the policies say, without automatic edges. It reports cycles.
func (r *run) written() *graph {
	g := &graph{number: make(map[*instance]int, len(r.instances)), nodes: make([]*instance, 0, len(r.instances))}
	for _, i := range r.instances {
		if i.into == nil {
			g.number[i] = len(g.nodes)
			g.nodes = append(g.nodes, i)
		}
	}
	g.before, g.after, g.notify = make([]set, len(g.nodes)), make([]set, len(g.nodes)), make([]set, len(g.nodes))
	for _, i := range r.instances {
		if i.into == nil || i.merged {
			r.explicit(g, i)
		}
	}
	if cycle := g.cycle(); cycle != nil {
		r.report(failure(cycle[0].from.at, "Circular order", cycleWords(cycle)))
	}
	return g
}

func (g *graph) link(from, to int) {
	if from == to || g.before[to][from] || g.edges > maxEdges {
		return
	}
	g.before[to], g.after[from] = with(g.before[to], from), with(g.after[from], to)
	g.edges++
	g.sorted = nil
}

func (g *graph) unlink(from, to int) {
	delete(g.before[to], from)
	delete(g.after[from], to)
	g.edges--
	g.sorted = nil
}

// explicit adds what depends_on, before, notify and subscribe say.
func (r *run) explicit(g *graph, i *instance) {
	me := g.number[i.held()]
	for _, word := range refNames {
		for _, ref := range i.from.refs[word] {
			if r.static && (ref.key != nil || ref.target(i.from.policy) != ref.within(i.from.policy)) {
				continue // whether they meet on a host is not known
			}
			for _, target := range r.targets(i, ref) {
				other := g.number[target.held()]
				first, second := other, me
				if word == "before" || word == "notify" {
					first, second = me, other
				}
				g.link(first, second)
				if first != second && (word == "notify" || word == "subscribe") {
					g.notify[first] = with(g.notify[first], second)
				}
			}
		}
	}
}

// targets returns the instances that a reference means. A policy that does not apply to this
// host has none, and then there is nothing to wait for.
func (r *run) targets(i *instance, ref reference) []*instance {
	all := r.byBlock[ref.target(i.from.policy)]
	if ref.key == nil || len(all) == 0 {
		return all
	}
	key := keyText(r.eval(ref.key, i.names))
	var keys []string
	for _, one := range all {
		have := strings.TrimPrefix(one.Address, one.from.block)
		if have == key || have == "" {
			return []*instance{one}
		}
		keys = append(keys, have)
	}
	r.report(failure(ref.at, "Unknown instance", fmt.Sprintf("%s has no instance %s on this host.%s", all[0].from.block, key, suggest(key, keys))))
	return nil
}

// automatic adds the order that follows from what kinds provide and need. Where that
// contradicts what somebody wrote, what was written holds.
func (g *graph) automatic() {
	added := g.needs()
	stuck := g.stuck()
	if len(stuck) == 0 {
		return
	}
	var doubtful [][2]int
	for _, e := range added {
		if stuck[e[0]] && stuck[e[1]] {
			g.unlink(e[0], e[1])
			doubtful = append(doubtful, e)
		}
	}
	steps := maxSteps
	for _, e := range doubtful {
		if !g.reaches(e[1], e[0], &steps) {
			g.link(e[0], e[1])
		}
	}
}

// maxSteps bounds the search for contradictions; automatic edges beyond it are left out.
const maxSteps = 50_000_000

// needs links each node behind those that provide what it needs, and returns the new edges.
func (g *graph) needs() [][2]int {
	providers := make(map[string][]int, len(g.nodes))
	for n, i := range g.nodes {
		if one, ok := i.typed.(modules.Linker); ok && !i.Check {
			for _, name := range one.Provides() {
				providers[name] = append(providers[name], n)
			}
		}
	}
	var added [][2]int
	for n, i := range g.nodes {
		one, ok := i.typed.(modules.Linker)
		if !ok {
			continue
		}
		for _, name := range one.Needs() {
			for _, p := range providers[name] {
				if p != n && !g.before[n][p] {
					g.link(p, n)
					added = append(added, [2]int{p, n})
				}
			}
		}
	}
	return added
}

// stuck returns the nodes that lie on a cycle or behind one.
func (g *graph) stuck() set {
	if len(g.order()) == len(g.nodes) {
		return nil
	}
	left := set{}
	for n := range g.nodes {
		left[n] = true
	}
	for _, n := range g.order() {
		delete(left, n)
	}
	return left
}

func (g *graph) reaches(from, to int, steps *int) bool {
	seen, stack := set{from: true}, []int{from}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if *steps--; n == to || *steps < 0 {
			return true
		}
		for next := range g.after[n] {
			if !seen[next] {
				seen[next] = true
				stack = append(stack, next)
			}
		}
	}
	return false
}

// cycle returns the members of a cycle, the first one again at the end, or nil.
func (g *graph) cycle() []*instance {
	state := make([]byte, len(g.nodes))
	var path []int
	var walk func(n int) []int
	walk = func(n int) []int {
		state[n] = 1
		path = append(path, n)
		for _, next := range numbers(g.after[n]) {
			if state[next] == 1 {
				return append(slices.Clone(path[slices.Index(path, next):]), next)
			}
			if state[next] == 0 {
				if found := walk(next); found != nil {
					return found
				}
			}
		}
		state[n], path = 2, path[:len(path)-1]
		return nil
	}
	for n := range g.nodes {
		if state[n] == 0 {
			if found := walk(n); found != nil {
				return g.members(found)
			}
		}
	}
	return nil
}

// numbers are those of a set, sorted.
func numbers(s set) []int {
	if len(s) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(s))
}

func (g *graph) members(path []int) []*instance {
	var list []*instance
	for _, n := range path {
		list = append(list, g.nodes[n])
	}
	return list
}

func cycleWords(cycle []*instance) string {
	var words []string
	for _, i := range cycle {
		words = append(words, fmt.Sprintf("%s (%s:%d)", i.Address, i.Source.File, i.Source.Line))
	}
	return "Each of these has to come before the next one, and the last one is the first: " + strings.Join(words, " → ") +
		". Take one of their depends_on, before, notify or subscribe out."
}

func (g *graph) addresses(nodes set) []string {
	var list []string
	for n := range nodes {
		list = append(list, g.nodes[n].Address)
	}
	slices.Sort(list)
	return list
}

// order returns the nodes so that each comes after those before it. Among those that are
// free, the kind's rank decides, then the place of declaration. Nodes on a cycle are left out.
func (g *graph) order() []int {
	if g.sorted == nil {
		g.sorted = g.inOrder()
	}
	return g.sorted
}

func (g *graph) inOrder() []int {
	rank := g.ranks()
	waits := make([]int, len(g.nodes))
	free := &queue{rank: rank}
	for n := range g.nodes {
		if waits[n] = len(g.before[n]); waits[n] == 0 {
			free.list = append(free.list, n)
		}
	}
	heap.Init(free)
	var list []int
	for free.Len() > 0 {
		n := heap.Pop(free).(int)
		list = append(list, n)
		for next := range g.after[n] {
			if waits[next]--; waits[next] == 0 {
				heap.Push(free, next)
			}
		}
	}
	return list
}

// ranks returns for each node its place in an order without any edges.
func (g *graph) ranks() []int {
	sorted := make([]int, len(g.nodes))
	for n := range sorted {
		sorted[n] = n
	}
	slices.SortStableFunc(sorted, func(a, b int) int {
		x, y := g.nodes[a], g.nodes[b]
		if x.from.kind.Rank != y.from.kind.Rank {
			return x.from.kind.Rank - y.from.kind.Rank
		}
		return comparePlace(x.Source, y.Source)
	})
	rank := make([]int, len(g.nodes))
	for place, n := range sorted {
		rank[n] = place
	}
	return rank
}

// queue is a heap of nodes by rank.
type queue struct{ list, rank []int }

func (q *queue) Len() int           { return len(q.list) }
func (q *queue) Less(a, b int) bool { return q.rank[q.list[a]] < q.rank[q.list[b]] }
func (q *queue) Swap(a, b int)      { q.list[a], q.list[b] = q.list[b], q.list[a] }
func (q *queue) Push(n any)         { q.list = append(q.list, n.(int)) }
func (q *queue) Pop() any {
	n := q.list[len(q.list)-1]
	q.list = q.list[:len(q.list)-1]
	return n
}

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"plumb/inventory"
	"plumb/policies/compiler"
	"plumb/policies/lang"
	"plumb/server/fleet"
	"plumb/server/store"
)

// catalogs tells the fleet which catalogs hosts should have, and what policy says about their
// patching. It compiles in a limited child, for many hosts at once, and remembers what came out for
// hosts that answer alike to all that the policies read.
type catalogs struct {
	child func(context.Context, compiler.Request) (compiler.Response, error)
	store *store.Store

	mu    sync.Mutex
	known map[string]outcome    // by bundle, what was read and what the host answers to that
	reads map[string][][]string // by bundle: the lists of what was read for some host
	terms map[string][]byte     // by digest: hosts share them
}

// outcome names what came out of a compilation by digests.
type outcome struct{ catalog, before, terms string }

const (
	// remembered bounds the memory of catalogs; past it everything is compiled anew.
	remembered = 50_000
	// mostReads is how many lists of what was read are kept of a bundle, for each is tried with each host.
	mostReads = 16
	// batch is for how many hosts one child compiles. It answers with all of their catalogs.
	batch = 50
)

// asked is a host on its way to what it should have.
type asked struct {
	lang.Input
	fleet.Wanted
}

// Catalogs returns what the bundle with the digest makes of hosts, in their order.
func (c *catalogs) Catalogs(ctx context.Context, bundle string, hosts []store.Host) []fleet.Wanted {
	all := c.ask(ctx, hosts)
	left := slices.DeleteFunc(slices.Clone(all), func(a *asked) bool { return a.Err != nil })
	for left = c.recall(bundle, left); len(left) > 0; left = c.recall(bundle, left) {
		some := left[:min(len(left), batch)]
		c.compile(ctx, bundle, some)
		left = left[len(some):]
	}
	wanted := make([]fleet.Wanted, len(all))
	for i, one := range all {
		wanted[i] = one.Wanted
	}
	return wanted
}

// ask reads the facts of hosts, once for those that share them.
func (c *catalogs) ask(ctx context.Context, hosts []store.Host) []*asked {
	all, known := make([]*asked, len(hosts)), map[string]map[string]any{}
	for i, h := range hosts {
		all[i] = &asked{Input: lang.Input{Host: h.Host}}
		if known[h.Facts] == nil {
			raw, err := c.store.Object(ctx, store.Ref{Kind: store.KindFacts, Digest: h.Facts})
			tree := map[string]any{}
			if err == nil {
				err = json.Unmarshal(raw, &tree)
			}
			if err != nil {
				all[i].Err = fmt.Errorf("cannot read the facts of %s: %w", h.Name, err)
				continue
			}
			known[h.Facts] = tree
		}
		all[i].Facts = known[h.Facts]
	}
	return all
}

// compile has one child compile for hosts. When it dies, the hosts are parted, so that one that is too
// costly is not the ruin of the others.
func (c *catalogs) compile(ctx context.Context, bundle string, some []*asked) {
	res, err := c.start(ctx, bundle, some)
	if err != nil && len(some) > 1 && ctx.Err() == nil {
		c.compile(ctx, bundle, some[:len(some)/2])
		c.compile(ctx, bundle, some[len(some)/2:])
		return
	}
	for i, one := range some {
		switch {
		case err != nil:
			one.Err = err
		case len(res.Hosts) != len(some) || len(res.Hosts[i].Problems) > 0:
			one.Err = fmt.Errorf("the bundle %.12s does not compile for %s", bundle, one.Host.Name)
		default:
			one.Err = c.learn(bundle, one, res.Hosts[i])
		}
	}
}

func (c *catalogs) start(ctx context.Context, bundle string, some []*asked) (compiler.Response, error) {
	raw, err := c.store.Object(ctx, store.Ref{Kind: store.KindBundle, Digest: bundle})
	if err != nil {
		return compiler.Response{}, fmt.Errorf("cannot read the bundle %.12s: %w", bundle, err)
	}
	req := compiler.Request{Bundle: raw}
	for _, one := range some {
		req.Hosts = append(req.Hosts, one.Input)
	}
	return c.child(ctx, req)
}

// recall fills in what is known already, and returns the others.
func (c *catalogs) recall(bundle string, list []*asked) (left []*asked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range list {
		if !c.fill(bundle, one) {
			left = append(left, one)
		}
	}
	return left
}

func (c *catalogs) fill(bundle string, one *asked) bool {
	for n, reads := range c.reads[bundle] {
		if made, known := c.known[keyOf(bundle, n, one.Input, reads)]; known {
			one.Wanted = fleet.Wanted{Catalog: made.catalog, Before: made.before, Terms: c.terms[made.terms]}
			return true
		}
	}
	return false
}

// learn keeps what a child answered for a host.
func (c *catalogs) learn(bundle string, one *asked, made compiler.Compiled) error {
	terms, err := json.Marshal(made.Terms)
	if err != nil {
		return fmt.Errorf("cannot encode the terms of patching: %w", err)
	}
	one.Wanted = fleet.Wanted{Catalog: made.Digest, Before: made.Before, Terms: terms}
	digest := inventory.Digest(terms)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > remembered {
		c.known, c.terms, c.reads = map[string]outcome{}, map[string][]byte{}, map[string][][]string{}
	}
	n := slices.IndexFunc(c.reads[bundle], func(reads []string) bool { return slices.Equal(reads, made.Reads) })
	if n < 0 {
		if n = len(c.reads[bundle]); n == mostReads {
			return nil
		}
		c.reads[bundle] = append(c.reads[bundle], made.Reads)
	}
	c.known[keyOf(bundle, n, one.Input, made.Reads)], c.terms[digest] = outcome{made.Digest, made.Before, digest}, terms
	return nil
}

func keyOf(bundle string, n int, in lang.Input, reads []string) string {
	return bundle + " " + strconv.Itoa(n) + " " + lang.KeyApart(in, reads)
}

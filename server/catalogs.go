package server

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"plumb/inventory"
	"plumb/policies/compiler"
	"plumb/policies/lang"
	"plumb/server/store"
)

// catalogs tells the fleet which catalog a host should have, and what policy says about its
// patching. It compiles in a limited child and remembers what it found out for equal input.
type catalogs struct {
	child compiler.Compiler
	store *store.Store

	mu    sync.Mutex
	known map[string]outcome // by digest of the input
	terms map[string][]byte  // by digest: hosts share them
}

// outcome names what came out of a compilation by digests.
type outcome struct{ catalog, before, terms string }

// remembered bounds the memory of catalogs; past it everything is compiled anew.
const remembered = 50_000

// CatalogDigest returns the digest of the catalog that a bundle makes of a host, and the one of
// agents that leave sensitive values in it, empty where there are none.
func (c *catalogs) CatalogDigest(ctx context.Context, bundle string, host inventory.Host, facts []byte) (digest, before string, err error) {
	made, _, err := c.compile(ctx, bundle, host, facts)
	return made.catalog, made.before, err
}

// Terms returns the JSON of what a bundle says about the patching of a host.
func (c *catalogs) Terms(ctx context.Context, bundle string, host inventory.Host, facts []byte) ([]byte, error) {
	_, terms, err := c.compile(ctx, bundle, host, facts)
	return terms, err
}

func (c *catalogs) compile(ctx context.Context, bundle string, host inventory.Host, facts []byte) (outcome, []byte, error) {
	key, err := inputKey(bundle, host, facts)
	if err != nil {
		return outcome{}, nil, err
	}
	if made, terms, ok := c.recall(key); ok {
		return made, terms, nil
	}
	raw, err := c.store.Object(ctx, store.Ref{Kind: store.KindBundle, Digest: bundle})
	if err != nil {
		return outcome{}, nil, fmt.Errorf("cannot read the bundle %.12s: %w", bundle, err)
	}
	in := lang.Input{Host: host}
	if err := json.Unmarshal(facts, &in.Facts); err != nil {
		return outcome{}, nil, fmt.Errorf("cannot read the facts of %s: %w", host.Name, err)
	}
	res, err := c.child.Compile(ctx, compiler.Request{Bundle: raw, Hosts: []lang.Input{in}})
	if err != nil {
		return outcome{}, nil, err
	}
	if len(res.Hosts) != 1 || len(res.Hosts[0].Problems) > 0 {
		return outcome{}, nil, fmt.Errorf("the bundle %.12s does not compile for %s", bundle, host.Name)
	}
	terms, err := json.Marshal(res.Hosts[0].Terms)
	if err != nil {
		return outcome{}, nil, fmt.Errorf("cannot encode the terms of patching: %w", err)
	}
	made := outcome{res.Hosts[0].Digest, res.Hosts[0].Before, inventory.Digest(terms)}
	c.remember(key, made, terms)
	return made, terms, nil
}

func inputKey(bundle string, host inventory.Host, facts []byte) (string, error) {
	raw, err := json.Marshal([]any{bundle, host, inventory.Digest(facts)})
	return inventory.Digest(raw), err
}

func (c *catalogs) recall(key string) (outcome, []byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made, ok := c.known[key]
	return made, c.terms[made.terms], ok
}

func (c *catalogs) remember(key string, made outcome, terms []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > remembered {
		c.known, c.terms = map[string]outcome{}, map[string][]byte{}
	}
	c.known[key], c.terms[made.terms] = made, terms
}

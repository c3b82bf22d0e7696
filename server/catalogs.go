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

// catalogs tells the fleet which catalog a host should have. It compiles in a limited child
// and remembers what it found out for equal input.
type catalogs struct {
	child compiler.Compiler
	store *store.Store

	mu    sync.Mutex
	known map[string]string // digest of the catalog by digest of the input
}

// remembered bounds the memory of catalogs; past it everything is compiled anew.
const remembered = 50_000

// CatalogDigest returns the digest of the catalog that a bundle makes of a host.
func (c *catalogs) CatalogDigest(ctx context.Context, digest string, host inventory.Host, facts []byte) (string, error) {
	key, err := inputKey(digest, host, facts)
	if err != nil {
		return "", err
	}
	if catalog, ok := c.recall(key); ok {
		return catalog, nil
	}
	raw, err := c.store.Object(ctx, store.Ref{Kind: store.KindBundle, Digest: digest})
	if err != nil {
		return "", fmt.Errorf("cannot read the bundle %.12s: %w", digest, err)
	}
	in := lang.Input{Host: host}
	if err := json.Unmarshal(facts, &in.Facts); err != nil {
		return "", fmt.Errorf("cannot read the facts of %s: %w", host.Name, err)
	}
	res, err := c.child.Compile(ctx, compiler.Request{Bundle: raw, Hosts: []lang.Input{in}})
	if err != nil {
		return "", err
	}
	if len(res.Hosts) != 1 || len(res.Hosts[0].Problems) > 0 {
		return "", fmt.Errorf("the bundle %.12s does not compile for %s", digest, host.Name)
	}
	c.remember(key, res.Hosts[0].Digest)
	return res.Hosts[0].Digest, nil
}

func inputKey(bundle string, host inventory.Host, facts []byte) (string, error) {
	raw, err := json.Marshal([]any{bundle, host, inventory.Digest(facts)})
	return inventory.Digest(raw), err
}

func (c *catalogs) recall(key string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	digest, ok := c.known[key]
	return digest, ok
}

func (c *catalogs) remember(key, digest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > remembered {
		c.known = map[string]string{}
	}
	c.known[key] = digest
}

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/compiler"
	"plumb/policies/lang"
	"plumb/server/release"
	"plumb/server/store"
)

// compilers is the policy compiler as release and fleet want it: it always runs in a limited
// child, and what it found out for equal input is remembered.
type compilers struct {
	child compiler.Compiler
	store *store.Store

	mu    sync.Mutex
	known map[string]string // digest of the catalog by digest of the input
}

// remembered bounds the memory of catalogs; past it everything is compiled anew.
const remembered = 50_000

// Compile compiles a tree for hosts with the facts that they last reported.
func (c *compilers) Compile(ctx context.Context, tree bundle.Tree, hosts []release.Known) (release.Compiled, error) {
	raw, err := bundle.Pack(tree)
	if err != nil {
		return release.Compiled{}, fmt.Errorf("cannot pack the policy tree: %w", err)
	}
	req := compiler.Request{Bundle: raw}
	for _, h := range hosts {
		facts, err := h.Facts.Tree()
		if err != nil {
			return release.Compiled{}, err
		}
		req.Hosts = append(req.Hosts, lang.Input{Host: h.Host, Facts: facts})
	}
	res, err := c.child.Compile(ctx, req)
	if err != nil {
		return release.Compiled{}, err
	}
	return gather(res, hosts)
}

// gather joins the answers for single hosts; a mistake that shows on one host names it.
func gather(res compiler.Response, hosts []release.Known) (release.Compiled, error) {
	out := release.Compiled{Problems: res.Problems, Policies: res.Policies}
	for i, one := range res.Hosts {
		for _, p := range one.Problems {
			p.Host = hosts[i].Host.Name
			out.Problems = append(out.Problems, p)
		}
		var catalog policies.Catalog
		if len(one.Catalog) > 0 {
			if err := json.Unmarshal(one.Catalog, &catalog); err != nil {
				return out, fmt.Errorf("cannot read the catalog of %s: %w", hosts[i].Host.Name, err)
			}
		}
		out.Catalogs = append(out.Catalogs, catalog)
		out.Digests = append(out.Digests, one.Digest)
	}
	return out, nil
}

// CatalogDigest returns the digest of the catalog that a bundle makes of a host.
func (c *compilers) CatalogDigest(ctx context.Context, digest string, host inventory.Host, facts []byte) (string, error) {
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

func (c *compilers) recall(key string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	digest, ok := c.known[key]
	return digest, ok
}

func (c *compilers) remember(key, digest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > remembered {
		c.known = map[string]string{}
	}
	c.known[key] = digest
}

package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/compiler"
	"plumb/policies/lang"
	"plumb/server/store"
)

// Compiler compiles a bundle for some hosts; compiler.Compiler does.
type Compiler interface {
	Compile(ctx context.Context, req compiler.Request) (compiler.Response, error)
}

// grouping knows which groups hosts are in under one bundle. What it found out holds as long as
// a host's facts, so a step compiles only for hosts that changed.
type grouping struct {
	store    *store.Store
	compiler Compiler

	bundle string
	known  map[question][]string
}

type question struct {
	host  inventory.HostID
	facts string
}

// batch is for how many hosts one child compiles.
const batch = 200

// of returns the groups of each host that has ever reported facts.
func (g *grouping) of(ctx context.Context, bundle string, hosts []store.Host) (map[inventory.HostID][]string, error) {
	if g.bundle != bundle {
		g.bundle, g.known = bundle, map[question][]string{}
	}
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h store.Host) bool { return h.Facts == "" })
	fresh := slices.DeleteFunc(slices.Clone(hosts), func(h store.Host) bool {
		_, known := g.known[question{h.ID, h.Facts}]
		return known
	})
	for some := range slices.Chunk(fresh, batch) {
		if err := g.ask(ctx, some); err != nil {
			return nil, err
		}
	}
	all := make(map[inventory.HostID][]string, len(hosts))
	for _, h := range hosts {
		all[h.ID] = g.known[question{h.ID, h.Facts}]
	}
	if len(g.known) > 2*len(hosts)+batch { // facts of the past
		g.bundle = ""
	}
	return all, nil
}

func (g *grouping) ask(ctx context.Context, hosts []store.Host) error {
	raw, err := g.store.Object(ctx, store.Ref{Kind: store.KindBundle, Digest: g.bundle})
	if err != nil {
		return fmt.Errorf("cannot read the bundle %.12s: %w", g.bundle, err)
	}
	req := compiler.Request{Bundle: raw}
	for _, h := range hosts {
		in := lang.Input{Host: h.Host}
		facts, err := g.store.Object(ctx, store.Ref{Kind: store.KindFacts, Digest: h.Facts})
		if err == nil {
			err = json.Unmarshal(facts, &in.Facts)
		}
		if err != nil {
			return fmt.Errorf("cannot read the facts of %s: %w", h.Name, err)
		}
		req.Hosts = append(req.Hosts, in)
	}
	res, err := g.compiler.Compile(ctx, req)
	if err != nil {
		return err
	}
	if len(res.Hosts) != len(hosts) {
		return fmt.Errorf("cannot find out the groups of hosts: the bundle %.12s does not compile here", g.bundle)
	}
	for i, one := range res.Hosts {
		groups := one.Groups
		if slices.ContainsFunc(one.Problems, func(p policies.Problem) bool { return p.Severity == "error" }) {
			groups = nil // it does not compile for this host, so nothing of it is certain
		}
		g.known[question{hosts[i].ID, hosts[i].Facts}] = groups
	}
	return nil
}

package release

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"plumb/policies"
	"plumb/policies/compiler"
	"plumb/policies/lang"
	"plumb/server/store"
)

// batch is for how many hosts one child compiles. The child remembers what equal hosts share;
// the number bounds the memory of both sides.
const batch = 200

// compile compiles the bundle for every host that ever reported facts, and once without a
// host, so that mistakes show even before there is any.
func (d *Desk) compile(ctx context.Context, v *verdict) error {
	hosts, err := d.Store.Hosts(ctx, store.HostFilter{})
	if err != nil {
		return fmt.Errorf("cannot list the hosts: %w", err)
	}
	hosts = slices.DeleteFunc(hosts, func(h store.Host) bool { return h.Facts == "" || !h.Revoked.IsZero() })
	v.policies, v.resources, v.groups = map[string]bool{}, map[string]bool{}, map[string][]string{}
	chunks := slices.Collect(slices.Chunk(hosts, batch))
	if len(chunks) == 0 {
		chunks = [][]store.Host{nil}
	}
	for _, some := range chunks {
		if err := d.compileSome(ctx, v, some); err != nil {
			return err
		}
		if len(v.problems) > maxProblems {
			return nil
		}
	}
	return nil
}

func (d *Desk) compileSome(ctx context.Context, v *verdict, hosts []store.Host) error {
	req := compiler.Request{Bundle: v.bundle}
	facts := map[string]map[string]any{}
	for _, h := range hosts {
		if facts[h.Facts] == nil {
			tree, err := d.facts(ctx, h.Facts)
			if err != nil {
				return fmt.Errorf("cannot read the facts of %s: %w", h.Name, err)
			}
			facts[h.Facts] = tree
		}
		req.Hosts = append(req.Hosts, lang.Input{Host: h.Host, Facts: facts[h.Facts]})
	}
	res, err := d.Compiler.Compile(ctx, req)
	if err != nil {
		return err
	}
	v.add(res.Problems)
	v.add(policies.Aged(res.Waivers, d.Now()))
	v.rollouts = res.Rollouts
	if len(res.Hosts) > 0 && len(res.Hosts) != len(hosts) {
		return fmt.Errorf("cannot compile the policies: %d hosts were asked for and %d answered", len(hosts), len(res.Hosts))
	}
	return v.count(hosts, res.Hosts)
}

func (d *Desk) facts(ctx context.Context, digest string) (tree map[string]any, err error) {
	raw, err := d.Store.Object(ctx, store.Ref{Kind: store.KindFacts, Digest: digest})
	if err != nil {
		return nil, err
	}
	return tree, json.Unmarshal(raw, &tree)
}

// add adds problems that are not there yet: each batch finds those of the tree again.
func (v *verdict) add(problems []policies.Problem) {
	for _, p := range problems {
		if !slices.Contains(v.problems, p) {
			v.problems = append(v.problems, p)
		}
	}
}

func (v *verdict) count(hosts []store.Host, compiled []compiler.Compiled) error {
	seen := map[string]bool{}
	for i, one := range compiled {
		v.hosts++
		v.add(one.Problems)
		v.groups[hosts[i].Name] = one.Groups
		if one.Digest != hosts[i].Catalog {
			v.changed++
		}
		if len(one.Catalog) == 0 || seen[one.Digest] {
			continue
		}
		seen[one.Digest] = true
		var c policies.Catalog
		if err := json.Unmarshal(one.Catalog, &c); err != nil {
			return fmt.Errorf("cannot read the catalog of %s: %w", hosts[i].Name, err)
		}
		for _, r := range c.Resources {
			v.policies[r.Policy], v.resources[r.Address] = true, true
		}
	}
	return nil
}

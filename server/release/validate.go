package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/server/repo"
	"plumb/server/store"
)

// maxProblems is how many mistakes one answer shows.
const maxProblems = 50

// verdict is what validation found out about a commit.
type verdict struct {
	commit    string
	tree      bundle.Tree
	bundle    []byte
	problems  []policies.Problem
	next      signing // who may sign after it
	policies  int
	resources int
	hosts     int // compiled for
	changed   int // of those, get another catalog
}

func (v verdict) bad() bool {
	for _, p := range v.problems {
		if p.Severity != "warning" {
			return true
		}
	}
	return false
}

// Validate returns the mistakes in a tree: those of its own and those that a known host would
// run into. The error says that it could not be found out.
func (d *Desk) Validate(ctx context.Context, tree bundle.Tree) ([]policies.Problem, error) {
	now, _, err := d.state(ctx)
	if err != nil {
		return nil, err
	}
	v, err := d.judge(ctx, tree, now)
	return v.problems, err
}

// inspect reads and validates a commit, which may still be in quarantine.
func (d *Desk) inspect(ctx context.Context, view repo.View, commit string, now signing) (verdict, error) {
	tree, err := view.Tree(ctx, commit)
	if fault := (*repo.TreeError)(nil); errors.As(err, &fault) {
		return verdict{commit: commit, problems: []policies.Problem{{Severity: "error", Summary: "Unusable policy tree", Detail: upper(fault.Reason), File: fault.File, Line: 1, Column: 1}}}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	v, err := d.judge(ctx, tree, now)
	v.commit = commit
	return v, err
}

func (d *Desk) judge(ctx context.Context, tree bundle.Tree, now signing) (verdict, error) {
	v := verdict{tree: tree}
	var err error
	if v.bundle, err = bundle.Pack(tree); err != nil {
		v.problems = append(v.problems, policies.Problem{Severity: "error", Summary: "Unusable policy tree", Detail: upper(err.Error())})
		return v, nil
	}
	next, fault := d.after(now, tree)
	if v.next = next; fault != nil {
		v.problems = append(v.problems, *fault)
	}
	hosts, digests, err := d.known(ctx)
	if err != nil {
		return v, err
	}
	out, err := d.Compiler.Compile(ctx, tree, hosts)
	if err != nil {
		return v, fmt.Errorf("cannot compile the policies: %w", err)
	}
	v.problems = append(v.problems, out.Problems...)
	v.count(out, digests)
	return v, nil
}

func (v *verdict) count(out Compiled, before []string) {
	v.policies, v.hosts = out.Policies, len(out.Catalogs)
	addresses := map[string]bool{}
	for _, c := range out.Catalogs {
		for _, r := range c.Resources {
			addresses[r.Address] = true
		}
	}
	v.resources = len(addresses)
	for i, digest := range out.Digests {
		if i < len(before) && digest != before[i] {
			v.changed++
		}
	}
}

// known returns every host that ever reported facts, and the catalog that each has now.
func (d *Desk) known(ctx context.Context) ([]Known, []string, error) {
	hosts, err := d.Store.Hosts(ctx, store.HostFilter{})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot list the hosts: %w", err)
	}
	var list []Known
	var catalogs []string
	facts := map[string]inventory.Facts{}
	for _, h := range hosts {
		if h.Facts == "" || !h.Revoked.IsZero() {
			continue
		}
		if _, ok := facts[h.Facts]; !ok {
			if facts[h.Facts], err = d.facts(ctx, h.Facts); err != nil {
				return nil, nil, fmt.Errorf("cannot read the facts of %s: %w", h.Name, err)
			}
		}
		list, catalogs = append(list, Known{h.Host, facts[h.Facts]}), append(catalogs, h.Catalog)
	}
	return list, catalogs, nil
}

func (d *Desk) facts(ctx context.Context, digest string) (f inventory.Facts, err error) {
	raw, err := d.Store.Object(ctx, store.Ref{Kind: store.KindFacts, Digest: digest})
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(raw, &f)
}

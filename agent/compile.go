package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"plumb/agent/state"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/canon"
	"plumb/policies/compiler"
	"plumb/policies/lang"
)

// Compile turns the bundle of a policy tree into the catalog of one host. It must not trust
// the bundle's content. The error is a [*Rejected] when the policy itself is at fault.
type Compile func(ctx context.Context, raw []byte, host inventory.Host, facts inventory.Facts) (Compiled, error)

// InChild compiles in a limited child process.
func InChild(c compiler.Compiler) Compile {
	return func(ctx context.Context, raw []byte, host inventory.Host, facts inventory.Facts) (Compiled, error) {
		return BeginInChild(c)(ctx, raw)(host, facts)
	}
}

// BeginInChild lets a limited child process load a tree before the host is known.
func BeginInChild(c compiler.Compiler) Begin {
	return func(ctx context.Context, raw []byte) func(inventory.Host, inventory.Facts) (Compiled, error) {
		begun := c.Begin(ctx, raw)
		return func(host inventory.Host, facts inventory.Facts) (Compiled, error) { return ask(begun, host, facts) }
	}
}

func ask(begun *compiler.Begun, host inventory.Host, facts inventory.Facts) (Compiled, error) {
	tree, err := facts.Tree()
	if err != nil {
		return Compiled{}, err
	}
	res, err := begun.Ask(compiler.Request{Hosts: []lang.Input{{Host: host, Facts: tree}}})
	if err != nil {
		return Compiled{}, err
	}
	problems := res.Problems
	for _, one := range res.Hosts {
		problems = append(problems, one.Problems...)
	}
	if slices.ContainsFunc(problems, isError) || len(res.Hosts) != 1 {
		return Compiled{}, &Rejected{Problems: slices.DeleteFunc(problems, func(p policies.Problem) bool { return !isError(p) })}
	}
	one := res.Hosts[0]
	comp := Compiled{Raw: one.Catalog, Secret: one.Secret, Reads: one.Reads, Warnings: problems}
	comp.ahead()
	comp.Digest = inventory.Digest(one.Catalog)
	return comp, nil
}

func isError(p policies.Problem) bool { return p.Severity == "error" }

// Compiled is a catalog and what is known of it.
type Compiled struct {
	// Raw is the catalog's canonical JSON without sensitive values, and Digest names it. It is what
	// the server gets.
	Raw    []byte `json:"raw"`
	Digest string `json:"digest"`
	// Secret has the whole attributes of the resources with sensitive ones, by address.
	Secret map[string]json.RawMessage `json:"secret,omitempty"`
	// Reads are the facts that the policy looked at, such as fact.os.family; nil when unknown.
	Reads []string `json:"reads"`
	// Warnings are what the compiler found that is no error.
	Warnings []policies.Problem `json:"-"`

	early func() (policies.Catalog, error) // see [Compiled.ahead]
}

// ahead reads the catalog on another processor, until somebody asks for it.
func (c *Compiled) ahead() {
	early := sync.OnceValues(Compiled{Raw: c.Raw, Secret: c.Secret}.Catalog)
	c.early = early
	go func() { _, _ = early() }()
}

// Catalog reads the catalog as it is to be run, with its sensitive values. It is for one run.
func (c Compiled) Catalog() (policies.Catalog, error) {
	if c.early != nil {
		return c.early()
	}
	var catalog policies.Catalog
	if err := canon.Unmarshal(c.Raw, &catalog); err != nil {
		return catalog, fmt.Errorf("cannot read the catalog: %w", err)
	}
	for i, one := range catalog.Resources {
		if whole, ok := c.Secret[one.Address]; ok {
			catalog.Resources[i].Attributes = whole
		}
	}
	return catalog, nil
}

// Rejected is a policy tree with mistakes.
type Rejected struct{ Problems []policies.Problem }

// Error names the first mistake and counts the others.
func (r *Rejected) Error() string {
	switch len(r.Problems) {
	case 0:
		return "the policy does not compile"
	case 1:
		return "the policy does not compile: " + r.Problems[0].String()
	default:
		return fmt.Sprintf("the policy does not compile: %s (and %d more mistakes)", r.Problems[0], len(r.Problems)-1)
	}
}

// catalog returns the catalog of a held release. It compiles only when something changed that
// the policy looks at. When that fails for a release that compiled before, it returns
// the catalog of then together with the error.
func (a *Agent) catalog(ctx context.Context, h state.Held, raw []byte, host inventory.Host, facts inventory.Facts) (Compiled, error) {
	name := "catalog-" + h.Bundle[:min(16, len(h.Bundle))] + ".json"
	old, ok := a.loadCatalog(name)
	if old.Bundle != h.Bundle {
		old, ok = cached{}, false
	}
	if ok && a.hit(old, host, facts) {
		return old.Compiled, nil
	}
	fresh, err := a.Compile(ctx, raw, host, facts)
	if err != nil {
		return old.Compiled, err // empty when there was none
	}
	key, err := a.key(h.Bundle, host, facts, fresh.Reads)
	if err != nil {
		return fresh, err
	}
	return fresh, a.saveCatalog(name, cached{Key: key, Bundle: h.Bundle, Compiled: fresh}, state.WriteFile)
}

// key is equal for equal inputs of the compiler.
func (a *Agent) key(bundle string, host inventory.Host, facts inventory.Facts, reads []string) (string, error) {
	tree, err := factsRead(facts, reads)
	if err != nil {
		return "", err
	}
	seen := any(tree)
	if reads != nil {
		picked := map[string]any{}
		for _, path := range reads {
			if fact, ok := strings.CutPrefix(path, "fact."); ok {
				picked[path] = pick(tree, fact)
			} else if path == "fact" {
				picked[path] = tree
			} // all else is about the host, which is in the key as a whole
		}
		seen = picked
	}
	raw, err := json.Marshal([]any{a.program(), bundle, host, seen})
	if err != nil {
		return "", fmt.Errorf("cannot encode what the catalog depends on: %w", err)
	}
	return inventory.Digest(raw), nil
}

// factsRead are the facts as policies see them, nothing when the policies read none: a host has
// thousands of packages.
func factsRead(facts inventory.Facts, reads []string) (map[string]any, error) {
	if reads != nil && !slices.ContainsFunc(reads, func(path string) bool { return path == "fact" || strings.HasPrefix(path, "fact.") }) {
		return nil, nil
	}
	return facts.Tree()
}

// pick walks a path such as packages["openssh-server"] as far as it leads. What it cannot
// follow it takes as a whole, so that a key is never equal for facts that differ.
func pick(tree map[string]any, path string) any {
	var at any = tree
	for path != "" {
		branch, ok := at.(map[string]any)
		if !ok {
			return at
		}
		step, rest := firstStep(path)
		if at, ok = branch[step]; !ok {
			return branch
		}
		path = rest
	}
	return at
}

func firstStep(path string) (step, rest string) {
	if quoted, err := strconv.QuotedPrefix(strings.TrimPrefix(path, "[")); err == nil && path[0] == '[' {
		step, _ = strconv.Unquote(quoted)
		rest = strings.TrimPrefix(path[1+len(quoted):], "]")
		return step, strings.TrimPrefix(rest, ".")
	}
	end := strings.IndexAny(path, ".[")
	if end <= 0 {
		return path, ""
	}
	return path[:end], strings.TrimPrefix(path[end:], ".")
}

// forgetCatalogs removes the catalogs of releases that are no longer held.
func (a *Agent) forgetCatalogs(r state.Releases) {
	keep := map[string]bool{}
	for _, h := range []*state.Held{r.Good, r.Previous} {
		if h != nil {
			keep["catalog-"+h.Bundle[:min(16, len(h.Bundle))]+".json"] = true
		}
	}
	if r.Trial != nil {
		keep["catalog-"+r.Trial.Bundle[:min(16, len(r.Trial.Bundle))]+".json"] = true
	}
	a.Dir.Forget("catalog-*.json", keep)
}

// encode returns the JSON of an object that is named by its digest.
func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode an object: %w", err)
	}
	return raw, nil
}

// unpack is bundle.Unpack with words about the release.
func unpack(h state.Held, raw []byte) (bundle.Tree, error) {
	tree, err := bundle.Unpack(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot unpack release %d: %w", h.Number, err)
	}
	return tree, nil
}

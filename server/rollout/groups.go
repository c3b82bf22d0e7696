package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/compiler"
	"plumb/policies/lang"
	"plumb/server/store"
)

// Compiler compiles a bundle for some hosts; compiler.Compiler does.
type Compiler interface {
	Compile(ctx context.Context, req compiler.Request) (compiler.Response, error)
}

// placement is what one bundle makes of one host.
type placement struct {
	groups []string
	// patches are the addresses of its resources that carry patch cycles.
	patches []string
	freezes []calendar.Freeze
	zone    string
}

// grouping knows what one bundle makes of hosts. What it found out holds as long as a host's
// facts, so a step compiles only for hosts that changed.
type grouping struct {
	store    *store.Store
	compiler Compiler
	bundle   string
	windows  map[string]calendar.Window
	known    map[question]*placement
	// same are the placements by what they say: most hosts share one.
	same map[string]*placement
}

type question struct {
	host  inventory.HostID
	facts string
}

// batch is for how many hosts one child compiles.
const batch = 200

// of returns the placement of each host that has ever reported facts.
func (g *grouping) of(ctx context.Context, hosts []member) (map[inventory.HostID]*placement, error) {
	if g.known == nil || len(g.known) > 2*len(hosts)+batch { // facts of the past
		g.known, g.same, g.windows = make(map[question]*placement, len(hosts)), map[string]*placement{}, map[string]calendar.Window{}
	}
	var fresh []store.Host
	ask := func() error {
		if len(fresh) == 0 {
			return nil
		}
		defer func() { fresh = fresh[:0] }()
		return g.ask(ctx, fresh)
	}
	for i := range hosts {
		h := &hosts[i]
		if _, known := g.known[question{h.ID, h.facts}]; known || h.facts == "" {
			continue
		}
		if fresh = append(fresh, h.host()); len(fresh) == batch {
			if err := ask(); err != nil {
				return nil, err
			}
		}
	}
	if err := ask(); err != nil {
		return nil, err
	}
	all := make(map[inventory.HostID]*placement, len(hosts))
	for i := range hosts {
		if h := &hosts[i]; h.facts != "" {
			all[h.ID] = g.known[question{h.ID, h.facts}]
		}
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
	for _, w := range res.Windows {
		g.windows[w.Name] = w
	}
	for i, one := range res.Hosts {
		zone, _ := req.Hosts[i].Facts["timezone"].(string)
		p, err := placed(one, zone)
		if err != nil {
			return fmt.Errorf("cannot read the catalog of %s: %w", hosts[i].Name, err)
		}
		g.known[question{hosts[i].ID, hosts[i].Facts}] = g.shared(p)
	}
	return nil
}

// shared is the one placement that says this.
func (g *grouping) shared(p placement) *placement {
	key := fmt.Sprintf("%#v", p)
	if g.same[key] == nil {
		g.same[key] = &p
	}
	return g.same[key]
}

// placed keeps what the engine needs of what was compiled for a host.
func placed(one compiler.Compiled, zone string) (placement, error) {
	if slices.ContainsFunc(one.Problems, func(p policies.Problem) bool { return p.Severity == "error" }) {
		return placement{}, nil // it does not compile for this host, so nothing of it is certain
	}
	p := placement{groups: one.Groups, zone: zone}
	if len(one.Catalog) == 0 {
		return p, nil
	}
	var catalog struct {
		Resources []struct {
			Address       string `json:"address"`
			Kind          string `json:"kind"`
			NotApplicable bool   `json:"not_applicable"`
		} `json:"resources"`
		Freezes []calendar.Freeze `json:"freezes"`
	}
	if err := json.Unmarshal(one.Catalog, &catalog); err != nil {
		return p, err
	}
	p.freezes = catalog.Freezes
	for _, r := range catalog.Resources {
		if r.Kind == "patch" && !r.NotApplicable {
			p.patches = append(p.patches, r.Address)
		}
	}
	return p, nil
}

package views

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// Memory keeps what readers of one server found out and what does not change: what digests name,
// and the past. Its zero value is ready.
type Memory struct {
	mu       sync.Mutex
	heads    map[string]*head
	catalogs map[string]*outline
	faults   map[pair][]fault
	// turns are kept from begun on; they have a lock of their own.
	past  sync.Mutex
	turns map[store.Span]store.Turns
	begun time.Time
	days  days
	hosts histories
	// briefed is true once all facts have their briefs.
	briefed atomic.Bool
}

// memory is that of the reader, or one for this question alone.
func (r Reader) memory() *Memory {
	if r.Memory == nil {
		return &Memory{}
	}
	return r.Memory
}

// head is what standings need of a declared resource. Catalogs share equal ones.
type head struct {
	Address       string            `json:"address"`
	Policy        string            `json:"policy"`
	Title         string            `json:"title"`
	Mode          policies.Mode     `json:"mode"`
	Severity      string            `json:"severity"`
	Controls      []string          `json:"controls"`
	NotApplicable bool              `json:"not_applicable"`
	Source        policies.Position `json:"source"`
	// foreign is true for what only a host knows of.
	foreign bool
}

// wanted tells whether the catalog counts it among what hosts should be.
func (h *head) wanted() bool { return !h.foreign && !h.NotApplicable }

// outline is what standings need of a catalog.
type outline struct {
	heads []*head
	// policies and controls are those that apply.
	policies, controls []string
}

// pair names what hosts should be and what was found there.
type pair struct{ catalog, result string }

// fault is a resource that does not pass.
type fault struct {
	head   *head
	status policies.Status
}

// The most that is remembered; past it all is read anew.
const (
	mostOutlines = 20_000
	mostFaults   = 200_000
)

// learn reads what the standings name and is not known yet.
func (m *Memory) learn(ctx context.Context, s *store.Store, list []store.Standing) error {
	if len(m.catalogs) > mostOutlines || len(m.faults) > mostFaults {
		m.heads, m.catalogs, m.faults = nil, nil, nil
	}
	if m.heads == nil {
		m.heads, m.catalogs, m.faults = map[string]*head{}, map[string]*outline{}, map[pair][]fault{}
	}
	var ask []inventory.HostID
	for _, one := range list {
		if !answered(one.Catalog, one.Result) {
			continue
		}
		if m.catalogs[one.Catalog] == nil {
			if err := m.outline(ctx, s, one.Catalog); err != nil {
				return err
			}
		}
		if _, known := m.faults[pair{one.Catalog, one.Result}]; !known {
			ask = append(ask, one.Sample)
		}
	}
	return m.ask(ctx, s, ask)
}

// answered tells whether it is known what a host should be and what was found there.
func answered(catalog, result string) bool { return catalog != "" && result != "" }

// outline reads a catalog. One that is gone has nothing in it.
func (m *Memory) outline(ctx context.Context, s *store.Store, digest string) error {
	raw, err := s.Object(ctx, store.Ref{Kind: store.KindCatalog, Digest: digest})
	if errors.Is(err, store.ErrNotFound) {
		raw, err = []byte(`{}`), nil
	}
	if err != nil {
		return err
	}
	var catalog struct {
		Resources []head `json:"resources"`
	}
	if err := json.Unmarshal(raw, &catalog); err != nil {
		return fmt.Errorf("cannot read the catalog %.12s: %w", digest, err)
	}
	m.catalogs[digest] = m.outlineOf(catalog.Resources)
	return nil
}

func (m *Memory) outlineOf(list []head) *outline {
	o := &outline{}
	seenPolicy, seenControl := map[string]bool{}, map[string]bool{}
	for _, h := range list {
		one := m.shared(h)
		o.heads = append(o.heads, one)
		if one.NotApplicable {
			continue
		}
		if !seenPolicy[one.Policy] {
			seenPolicy[one.Policy] = true
			o.policies = append(o.policies, one.Policy)
		}
		for _, control := range one.Controls {
			if !seenControl[control] {
				seenControl[control] = true
				o.controls = append(o.controls, control)
			}
		}
	}
	return o
}

// shared is the one head that all catalogs with an equal one have.
func (m *Memory) shared(h head) *head {
	if h.Policy == "" {
		h.Policy = policyOf(h.Address)
	}
	key := fmt.Sprintf("%q", []any{h.Address, h.Policy, h.Title, h.Mode, h.Severity, h.Controls, h.NotApplicable, h.Source, h.foreign})
	if m.heads[key] == nil {
		m.heads[key] = &h
	}
	return m.heads[key]
}

// policyOf is the policy that an address names, empty when it names none.
func policyOf(address string) string {
	rest, ok := strings.CutPrefix(address, "policy.")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, ".")
	return name
}

// ask reads what does not pass on one host of each pair that is not known. A host that stands
// otherwise by then teaches that instead.
func (m *Memory) ask(ctx context.Context, s *store.Store, hosts []inventory.HostID) error {
	rows, err := s.Faults(ctx, hosts)
	if err != nil {
		return err
	}
	found, places, waits := map[pair][]fault{}, map[string]map[string]*head{}, map[pair]bool{}
	for _, row := range rows {
		o, p := m.catalogs[row.Catalog], pair{row.Catalog, row.Result}
		if o == nil {
			continue
		}
		if places[row.Catalog] == nil {
			places[row.Catalog] = o.byAddress()
		}
		if row.Waits {
			waits[p] = true
		}
		h := places[row.Catalog][row.Address]
		switch {
		case row.Address == "":
			found[p] = []fault{}
			continue
		case h == nil:
			h = m.shared(head{Address: row.Address, foreign: true})
		}
		found[p] = append(found[p], fault{h, row.Status})
	}
	for p := range waits {
		pending, err := pendingOf(ctx, s, p.result)
		if err != nil {
			return err
		}
		for _, address := range pending {
			if h := places[p.catalog][address]; h != nil {
				found[p] = append(found[p], fault{h, policies.Pending})
			}
		}
	}
	maps.Copy(m.faults, found)
	return nil
}

// pendingOf lists what waits in a result.
func pendingOf(ctx context.Context, s *store.Store, digest string) ([]string, error) {
	raw, err := s.Object(ctx, store.Ref{Kind: store.KindResult, Digest: digest})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var result struct {
		Resources []struct {
			Address string          `json:"address"`
			Status  policies.Status `json:"status"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return nil, fmt.Errorf("cannot read the result %.12s: %w", digest, err)
	}
	var pending []string
	for _, one := range result.Resources {
		if one.Status == policies.Pending {
			pending = append(pending, one.Address)
		}
	}
	return pending, nil
}

func (o *outline) byAddress() map[string]*head {
	places := make(map[string]*head, len(o.heads))
	for _, h := range o.heads {
		places[h.Address] = h
	}
	return places
}

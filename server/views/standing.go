package views

import (
	"context"
	"slices"

	"plumb/policies"
	"plumb/server/store"
)

// StandingFilter selects hosts by how they stand with a policy, a resource or a control. With
// none of them it selects the hosts that have not answered yet.
type StandingFilter struct {
	Policy, Address, Control string
	// Status, when set, must be equal.
	Status policies.Status
	// After is the last name of the page before; Limit the most to return.
	After string
	Limit int
}

// HostStanding is how one host stands.
type HostStanding struct {
	Host   string          `json:"host"`
	Status policies.Status `json:"status"`
}

// The first page of hosts is small, as mostly the first hosts suffice; each one after it is larger.
const (
	firstStands = 200
	mostStands  = 5000
)

// HostStandings lists the hosts behind a number of [Reader.Compliance], by name.
func (r Reader) HostStandings(ctx context.Context, f StandingFilter) ([]HostStanding, error) {
	m := r.memory()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.list(f, func(after string, size int) ([]store.Stand, error) {
		rows, err := r.Store.Stands(ctx, after, size)
		if err != nil {
			return nil, err
		}
		return rows, m.learn(ctx, r.Store, unlearned(m, rows))
	})
}

// list walks through hosts, a page at a time, until there are as many as are asked for.
func (m *Memory) list(f StandingFilter, page func(after string, size int) ([]store.Stand, error)) ([]HostStanding, error) {
	hosts := []HostStanding{}
	for after, size := f.After, firstStands; ; size = min(4*size, mostStands) {
		rows, err := page(after, size)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			after = row.Name
			status, counts := m.stands(row, f)
			if counts && (f.Status == "" || f.Status == status) {
				hosts = append(hosts, HostStanding{row.Name, status})
			}
			if len(hosts) == f.Limit {
				return hosts, nil
			}
		}
		if len(rows) < size {
			return hosts, nil
		}
	}
}

// unlearned are the hosts of which nobody looked at what they stand at, one for each.
func unlearned(m *Memory, rows []store.Stand) []store.Standing {
	var list []store.Standing
	seen := map[pair]bool{}
	for _, row := range rows {
		p := pair{row.Catalog, row.Result}
		if _, known := m.faults[p]; known || seen[p] {
			continue
		}
		seen[p] = true
		list = append(list, store.Standing{Catalog: row.Catalog, Result: row.Result, Hosts: 1, Sample: row.ID})
	}
	return list
}

// stands tells how a host stands with what the filter names, and whether it counts there at all.
func (m *Memory) stands(row store.Stand, f StandingFilter) (status policies.Status, counts bool) {
	faults, known := m.faults[pair{row.Catalog, row.Result}]
	whole := f.Policy == "" && f.Address == "" && f.Control == ""
	if !known || whole {
		return policies.Unknown, whole && !known
	}
	o := m.catalogs[row.Catalog]
	wanted := slices.ContainsFunc(o.heads, func(h *head) bool { return h.wanted() && f.is(h) })
	if row.Status == policies.Stale {
		return policies.Stale, wanted
	}
	worst, bad := policies.Compliant, false
	for _, one := range faults {
		if f.is(one.head) && (!bad || one.status.Rank() > worst.Rank()) {
			worst, bad = one.status, true
		}
	}
	return worst, wanted || bad
}

// is tells whether a resource is of what the filter names.
func (f StandingFilter) is(h *head) bool {
	return (f.Policy == "" || f.Policy == h.Policy) && (f.Address == "" || f.Address == h.Address) &&
		(f.Control == "" || slices.Contains(h.Controls, f.Control))
}

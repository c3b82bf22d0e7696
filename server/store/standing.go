package store

import (
	"context"
	"fmt"

	"plumb/inventory"
	"plumb/policies"
)

// Standing is how some hosts stand alike: what they should be and what was found, by digests.
type Standing struct {
	Catalog, Result string
	// Silent is true for hosts whose answer is an old one.
	Silent bool
	// Hosts counts them; Sample is one of them.
	Hosts  int
	Sample inventory.HostID
}

const groupStandings = `SELECT catalog, result, status, COUNT(*), MIN(id) FROM hosts WHERE revoked = 0 GROUP BY catalog, result, status`

// Standings groups the hosts that stand alike, revoked ones left out. In SQLite the index hosts_standing has them
// in this order.
func (s *Store) Standings(ctx context.Context) ([]Standing, error) {
	rows, err := s.r.QueryContext(ctx, groupStandings)
	all, err := list(rows, err, func(scan func(...any) error) (one Standing, err error) {
		var status policies.Status
		err = scan(&one.Catalog, &one.Result, &status, &one.Hosts, &one.Sample)
		one.Silent = status == policies.Stale
		return one, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot group hosts by how they stand: %w", err)
	}
	return all, nil
}

// Fault is a resource that does not pass on hosts that stand alike; without an address it says
// that there is none.
type Fault struct {
	Catalog, Result string
	Address         string
	Status          policies.Status
	// Waits is true when a resource there is pending, which is no finding.
	Waits bool
}

// faultBatch is how many hosts are asked for at once.
const faultBatch = 500

// Faults returns the findings of hosts together with what these hosts stand at in the same moment.
func (s *Store) Faults(ctx context.Context, hosts []inventory.HostID) ([]Fault, error) {
	all := []Fault{}
	for len(hosts) > 0 {
		batch := hosts[:min(faultBatch, len(hosts))]
		hosts = hosts[len(batch):]
		w := &where{}
		in(w, `h.id`, batch)
		rows, err := s.r.QueryContext(ctx, `SELECT h.catalog, h.result, COALESCE(f.address, ''), COALESCE(f.status, ''), CASE WHEN h.counts LIKE '%"pending":%' THEN 1 ELSE 0 END
			FROM hosts h LEFT JOIN findings f ON f.host = h.id`+w.String(), w.args...)
		some, err := list(rows, err, func(scan func(...any) error) (f Fault, err error) {
			err = scan(&f.Catalog, &f.Result, &f.Address, &f.Status, &f.Waits)
			return f, err
		})
		if err != nil {
			return nil, fmt.Errorf("cannot list what does not pass: %w", err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// Stand is how one host stands, by digests.
type Stand struct {
	ID              inventory.HostID
	Name            string
	Catalog, Result string
	Status          policies.Status
}

// Stands returns how hosts stand, by name, from after a name on; at most max of them.
func (s *Store) Stands(ctx context.Context, after string, max int) ([]Stand, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT id, name, catalog, result, status FROM hosts WHERE revoked = 0 AND name > $1 ORDER BY name`+limit(max, standardPage), after)
	all, err := list(rows, err, func(scan func(...any) error) (one Stand, err error) {
		err = scan(&one.ID, &one.Name, &one.Catalog, &one.Result, &one.Status)
		return one, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list how hosts stand: %w", err)
	}
	return all, nil
}

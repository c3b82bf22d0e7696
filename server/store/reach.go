package store

import (
	"context"
	"fmt"
	"strings"

	"plumb/policies"
)

// ownDoing leaves out the drift that was mended while a release was in force. It is written as in the index of events by release.
const ownDoing = `cause <> '` + string(policies.Corrective) + `'`

const (
	countReach   = `SELECT kind, COUNT(DISTINCT host) FROM events WHERE release = $1 AND ` + ownDoing + ` GROUP BY kind`
	countRepairs = `SELECT cause, CAST(SUM(resources) AS BIGINT) FROM events WHERE release = $1 AND kind = '` + EventRepaired + `' GROUP BY cause`
)

// Reach says how far a release came.
type Reach struct {
	// Hosts counts the hosts whose newest report is of this release.
	Hosts int
	// Events counts, for each kind of event that is the release's own doing, the hosts that had one.
	Events map[string]int
}

// Reach returns how far a release came.
func (s *Store) Reach(ctx context.Context, release uint64) (Reach, error) {
	var r Reach
	const hosts = `SELECT COUNT(*) FROM hosts WHERE release = $1 AND revoked = 0`
	if err := s.r.QueryRowContext(ctx, hosts, int64(release)).Scan(&r.Hosts); err != nil {
		return r, fmt.Errorf("cannot count the hosts of release %d: %w", release, err)
	}
	rows, err := s.r.QueryContext(ctx, countReach, int64(release))
	if r.Events, err = tally(rows, err); err != nil {
		return r, fmt.Errorf("cannot count the events of release %d: %w", release, err)
	}
	return r, nil
}

// RepairsByCause counts, for each cause, the repairs that were made while a release was in force.
func (s *Store) RepairsByCause(ctx context.Context, release uint64) (map[policies.Cause]int, error) {
	rows, err := s.r.QueryContext(ctx, countRepairs, int64(release))
	counts, err := tally(rows, err)
	if err != nil {
		return nil, fmt.Errorf("cannot count the repairs of release %d: %w", release, err)
	}
	causes := map[policies.Cause]int{}
	for cause, n := range counts {
		causes[policies.Cause(cause)] = n
	}
	return causes, nil
}

// AddressReach counts the hosts on which a release had one kind of event of one resource.
type AddressReach struct {
	Address, Kind string
	Hosts         int
}

// ReachByAddress counts what a release did by itself, resource by resource: what it changed and
// what it could not.
func (s *Store) ReachByAddress(ctx context.Context, release uint64) ([]AddressReach, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT host, kind, resources, address FROM events
		WHERE release = $1 AND kind IN ('repaired', 'failed') AND `+ownDoing+` ORDER BY host`, int64(release))
	var t addressTally
	if err := walk(rows, err, t.read); err != nil {
		return nil, fmt.Errorf("cannot count what release %d did: %w", release, err)
	}
	return t.counted(), nil
}

// addressTally counts the hosts of which rows of events tell something of a resource. The rows come host by host.
type addressTally struct {
	host  string
	hosts map[AddressReach]int
	// last is the host that was counted last.
	last map[AddressReach]string
}

func (t *addressTally) read(scan func(...any) error) error {
	var of AddressReach
	var addresses string
	var resources int
	if err := scan(&t.host, &of.Kind, &resources, &addresses); err != nil {
		return err
	}
	if resources == 1 {
		of.Address = addresses
		t.count(of)
		return nil
	}
	for of.Address = range strings.SplitSeq(addresses, "\n") {
		t.count(of)
	}
	return nil
}

func (t *addressTally) count(of AddressReach) {
	if t.hosts == nil {
		t.hosts, t.last = map[AddressReach]int{}, map[AddressReach]string{}
	}
	if t.last[of] != t.host {
		t.hosts[of]++
		t.last[of] = t.host
	}
}

func (t *addressTally) counted() []AddressReach {
	all := []AddressReach{}
	for of, n := range t.hosts {
		of.Hosts = n
		all = append(all, of)
	}
	return all
}

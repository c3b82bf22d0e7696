package views

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// What is not in the rows of the past, by the names of its fields.
const (
	unknownOfFleet  = "flapping, mismatch, policy.mode, policy.signers, policy.commit, policy.upstream, policy.problem, rollout"
	unknownOfRoll   = "flapping, groups, last_seen where it is not shown, mismatch, paused, rings"
	unknownOfWanted = "policies that no host had, and titles of policies"
	unknownOfHost   = "agent, mismatch, paused, ran, reports, verified"
)

// FleetAt returns how the fleet stood at an instant. What nobody wrote down is left out, and
// named in Unknown.
func (r Reader) FleetAt(ctx context.Context, t time.Time) (Fleet, error) {
	past, err := r.Store.PastAt(ctx, t)
	if err != nil {
		return Fleet{}, err
	}
	release, err := r.Store.ReleaseAt(ctx, t)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Fleet{}, err
	}
	f := Fleet{Hosts: past.Total, Revoked: past.Revoked, Status: orEmpty(past.Status), Problems: past.Problems, Findings: map[string]int{},
		Policy: Policy{Signers: []string{}, Commit: release.Commit, Release: release.Number}, At: t.UTC(), AsOf: stamp(t), Unknown: unknownOfFleet}
	for _, alike := range past.Alike {
		rows, err := r.rows(ctx, alike.Catalog, alike.Result)
		if err != nil {
			return Fleet{}, err
		}
		for _, one := range rows {
			if open(one.Status) {
				f.Findings[one.Address] += alike.Hosts
			}
		}
	}
	return f, nil
}

// open tells whether a resource with the status does not pass and is not waived.
func open(s policies.Status) bool { return s.InScope() && !s.Passing() && s != policies.Waived }

// rows puts a stored catalog beside a stored result. One that is not for the catalog answers nothing.
func (r Reader) rows(ctx context.Context, catalog, result string) ([]Resource, error) {
	var wanted policies.Catalog
	var answer policies.Result
	if err := r.decode(ctx, store.KindCatalog, catalog, &wanted); err != nil {
		return nil, fmt.Errorf("cannot read the catalog %.12s: %w", catalog, err)
	}
	if err := r.decode(ctx, store.KindResult, result, &answer); err != nil {
		return nil, fmt.Errorf("cannot read the result %.12s: %w", result, err)
	}
	if answer.Catalog != catalog {
		answer.Resources = nil
	}
	return join(wanted, answer), nil
}

// DetailAt returns a host as it was at an instant: store.ErrNotFound when nobody had the name yet.
func (r Reader) DetailAt(ctx context.Context, name string, t time.Time) (Detail, error) {
	h, i, err := r.Store.HostAt(ctx, name, t)
	if err != nil {
		return Detail{}, fmt.Errorf("cannot find the host %q as of %s: %w", name, t.UTC().Format(time.RFC3339), err)
	}
	d := Detail{Host: hostView(was(h, i, t)), AsOf: stamp(t), Unknown: unknownOfHost}
	if d.LastSeen == nil {
		d.Unknown += ", last_seen"
	}
	then := store.Host{Host: h.Host, Catalog: i.Catalog, Result: i.Result}
	if d.Resources, err = r.resources(ctx, then); err != nil {
		return Detail{}, err
	}
	end, err := r.Store.EventsEnd(ctx, h.ID, t)
	if err != nil {
		return Detail{}, err
	}
	if d.Events, err = r.Events(ctx, store.EventFilter{Host: h.ID, Before: end, Limit: 200}); err != nil {
		return Detail{}, err
	}
	d.Facts, err = r.object(ctx, store.KindFacts, i.Facts)
	return d, err
}

// RollAt calls the roll of an instant, and names what nobody wrote down then.
func (r Reader) RollAt(ctx context.Context, t time.Time) (roll *Roll, unknown string, err error) {
	call := newCall(nil, t)
	if err := r.Store.RollAt(ctx, t, call.add); err != nil {
		return nil, "", err
	}
	return call.over(nil), unknownOfRoll, nil
}

// ComplianceAt tells how the fleet stood at an instant, and names what nobody wrote down then. It reads what
// was found then anew each time: findings are those of now.
func (r Reader) ComplianceAt(ctx context.Context, t time.Time) (c Compliance, unknown string, err error) {
	list, err := r.Store.StandingsAt(ctx, t)
	if err != nil {
		return Compliance{}, "", err
	}
	m, count := &Memory{heads: map[string]*head{}, catalogs: map[string]*outline{}}, newCensus()
	for _, one := range list {
		count.hosts += one.Hosts
		if !answered(one.Catalog, one.Result) {
			count.unanswered += one.Hosts
			continue
		}
		if m.catalogs[one.Catalog] == nil {
			if err := m.outline(ctx, r.Store, one.Catalog); err != nil {
				return Compliance{}, "", err
			}
		}
		faults, err := r.faultsOf(ctx, m, one)
		if err != nil {
			return Compliance{}, "", err
		}
		count.stand(one, m.catalogs[one.Catalog], faults)
	}
	for catalog, n := range count.catalogs {
		count.wanted(m.catalogs[catalog], n)
	}
	return count.compliance(), unknownOfWanted, nil
}

// faultsOf reads what did not pass from a stored result. One that is not for the catalog answers nothing.
func (r Reader) faultsOf(ctx context.Context, m *Memory, one store.Standing) ([]fault, error) {
	var answer struct {
		Catalog   string `json:"catalog"`
		Resources []struct {
			Address string          `json:"address"`
			Status  policies.Status `json:"status"`
		} `json:"resources"`
	}
	if err := r.decode(ctx, store.KindResult, one.Result, &answer); err != nil {
		return nil, fmt.Errorf("cannot read the result %.12s: %w", one.Result, err)
	}
	found := map[string]policies.Status{}
	for _, row := range answer.Resources {
		if answer.Catalog == one.Catalog {
			found[row.Address] = row.Status
		}
	}
	faults := []fault{}
	for _, h := range m.catalogs[one.Catalog].heads {
		status, known := found[h.Address]
		if delete(found, h.Address); !known {
			status = policies.Missing
		}
		if !status.Passing() && status != policies.NotApplicable {
			faults = append(faults, fault{h, status})
		}
	}
	for address := range found {
		faults = append(faults, fault{m.shared(head{Address: address, foreign: true}), policies.Unexpected})
	}
	return faults, nil
}

// was is the host with what its interval tells, and without what it does not.
func was(h store.Host, i store.Interval, t time.Time) store.Host {
	then := store.Host{Host: h.Host, Enrolled: h.Enrolled, Since: i.Since, Status: i.Status, Counts: i.Counts, Release: i.Release, Commit: i.Commit,
		Problem: i.Problem, Audit: i.Audit, Stale: i.Expired}
	if !h.Revoked.IsZero() && !h.Revoked.After(t) {
		then.Revoked = h.Revoked
	}
	if !i.LastCheckIn.After(t) { // no call came between it and then
		then.LastSeen = i.LastCheckIn
	}
	return then
}

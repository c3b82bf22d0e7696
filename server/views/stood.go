package views

import (
	"context"
	"slices"
	"strings"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// stood is how hosts stood at an instant, as lists walk through them: what was found then is read from where it is
// stored, once for all that stood alike.
type stood struct {
	read  Reader
	t     time.Time
	m     *Memory
	wrong map[pair][]Resource
}

func (r Reader) stoodAt(t time.Time) *stood {
	return &stood{read: r, t: t, m: &Memory{heads: map[string]*head{}, catalogs: map[string]*outline{}, faults: map[pair][]fault{}}, wrong: map[pair][]Resource{}}
}

// page returns hosts by name, of which it is then known how they stood.
func (s *stood) page(ctx context.Context, after string, size int) ([]store.Stand, error) {
	rows, err := s.read.Store.StandsAt(ctx, s.t, after, size)
	if err != nil {
		return nil, err
	}
	for _, one := range unlearned(s.m, rows) {
		if !answered(one.Catalog, one.Result) {
			continue
		}
		if err := s.learn(ctx, one); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// learn reads what hosts stood at, where that is not known yet.
func (s *stood) learn(ctx context.Context, one store.Standing) (err error) {
	if s.m.catalogs[one.Catalog] == nil {
		if err := s.m.outline(ctx, s.read.Store, one.Catalog); err != nil {
			return err
		}
	}
	p := pair{one.Catalog, one.Result}
	if _, known := s.m.faults[p]; !known {
		s.m.faults[p], err = s.read.faultsOf(ctx, s.m, one)
	}
	return err
}

// HostStandingsAt is [Reader.HostStandings] as of an instant: the hosts behind a number of [Reader.ComplianceAt].
func (r Reader) HostStandingsAt(ctx context.Context, f StandingFilter, t time.Time) ([]HostStanding, error) {
	s := r.stoodAt(t)
	return s.m.list(f, func(after string, size int) ([]store.Stand, error) { return s.page(ctx, after, size) })
}

// unknownOfDrift names the fields of a finding that are not in the rows of the past.
const unknownOfDrift = "fights, since when a resource did not pass"

// PastDriftFilter selects what did not pass. Zero fields select all.
type PastDriftFilter struct {
	Host, Address, Policy, Control string
	Status                         policies.Status
	// After is the last host of the page before.
	After string
	// Limit is how many are enough: the list ends with the last of a host.
	Limit int
}

// DriftAt returns what did not pass at an instant, by host and resource, whether there is more, and what nobody wrote down then.
func (r Reader) DriftAt(ctx context.Context, f PastDriftFilter, t time.Time) (found []Finding, more bool, unknown string, err error) {
	s, found := r.stoodAt(t), []Finding{}
	for after, size := f.After, firstStands; ; size = min(4*size, mostStands) {
		rows, err := r.Store.StandsAt(ctx, t, after, size)
		if err != nil {
			return nil, false, "", err
		}
		for _, row := range rows {
			own, err := s.findings(ctx, row, f)
			if err != nil {
				return nil, false, "", err
			}
			if len(own) > 0 && len(found) >= f.Limit {
				return found, true, unknownOfDrift, nil
			}
			found, after = append(found, own...), row.Name
		}
		if len(rows) < size {
			return found, false, unknownOfDrift, nil
		}
	}
}

// findings are those of one host that the filter selects, by resource.
func (s *stood) findings(ctx context.Context, row store.Stand, f PastDriftFilter) (own []Finding, err error) {
	p := pair{row.Catalog, row.Result}
	if !answered(p.catalog, p.result) || f.Host != "" && f.Host != row.Name {
		return nil, nil
	}
	wrong, known := s.wrong[p]
	if !known {
		if wrong, err = s.read.rows(ctx, p.catalog, p.result); err != nil {
			return nil, err
		}
		wrong = slices.DeleteFunc(wrong, func(one Resource) bool { return !one.Status.InScope() || one.Status.Passing() })
		wrong = slices.Clone(wrong) // what passes may go
		slices.SortFunc(wrong, func(a, b Resource) int { return strings.Compare(a.Address, b.Address) })
		s.wrong[p] = wrong
	}
	for _, one := range wrong {
		if f.selects(one) {
			own = append(own, Finding{Host: row.Name, Address: one.Address, Status: one.Status, Mode: one.Mode, Cause: one.Cause, From: one.From, To: one.To,
				Severity: one.Severity, Controls: one.Controls, Changes: one.Changes, Message: one.Message, Source: one.Source, By: one.By})
		}
	}
	return own, nil
}

func (f PastDriftFilter) selects(one Resource) bool {
	return (f.Address == "" || f.Address == one.Address) && (f.Status == "" || f.Status == one.Status) &&
		(f.Policy == "" || strings.HasPrefix(one.Address, "policy."+f.Policy+".")) && (f.Control == "" || slices.Contains(one.Controls, f.Control))
}

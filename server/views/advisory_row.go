package views

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"plumb/policies/patch"
	"plumb/server/patching"
	"plumb/server/store"
)

// AdvisoryRow is one advisory in a long list: hosts are counted and not named.
type AdvisoryRow struct {
	patch.Advisory
	FirstSeen time.Time
	// Packages are the updates that answer it, Hosts counts those that lack one of them.
	Packages []string
	Hosts    int
	// Due is when the first of these hosts is late by any SLA, Late counts those that are.
	Due  *time.Time
	Late int

	lack []lack
}

// lack is what hosts that are alike lack.
type lack struct {
	hosts    *[]string
	packages []string
}

// AdvisoryRows returns all advisories: those whose answer some host lacks first, the worst and the
// newest before others.
func (r Reader) AdvisoryRows(ctx context.Context, now time.Time) ([]*AdvisoryRow, error) {
	known, err := r.Store.Advisories(ctx, store.AdvisoryFilter{})
	if err != nil {
		return nil, err
	}
	seen, err := (&patching.Looker{Store: r.Store, Advisories: known}).Look(ctx)
	if err != nil {
		return nil, err
	}
	p := sightOf(seen, PatchFilter{})
	rows := map[string]*AdvisoryRow{}
	for _, a := range p.groups {
		p.rowsOf(a, rows, now)
	}
	for _, a := range known {
		if rows[a.ID] == nil {
			rows[a.ID] = &AdvisoryRow{Advisory: a.Advisory, FirstSeen: a.FirstSeen}
		}
	}
	return sortedRows(rows), nil
}

// rowsOf counts what hosts that are alike lack.
func (p *sight) rowsOf(a alike, rows map[string]*AdvisoryRow, now time.Time) {
	counted := map[string]bool{}
	for _, o := range a.Offers.List {
		for _, one := range p.Answered(a.Alike, o) {
			row := rows[one.ID]
			if row == nil {
				row = &AdvisoryRow{Advisory: one.Advisory, FirstSeen: one.FirstSeen}
				rows[one.ID] = row
			}
			if !slices.Contains(row.Packages, o.Package) {
				row.Packages = append(row.Packages, o.Package)
			}
			if !counted[one.ID] {
				counted[one.ID] = true
				row.count(one, a, now)
			}
			last := &row.lack[len(row.lack)-1]
			last.packages = append(last.packages, o.Package+" "+o.Candidate)
		}
	}
}

// count adds hosts that lack the answer, and whether they are late.
func (row *AdvisoryRow) count(one store.Advisory, a alike, now time.Time) {
	row.Hosts += len(a.Hosts)
	row.lack = append(row.lack, lack{hosts: a.hosts})
	var first time.Time
	for _, sla := range a.Terms.SLAs {
		if due, ok := patch.Due(one.Advisory, sla, one.FirstSeen); ok && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	if first.IsZero() {
		return
	}
	if row.Due == nil || first.Before(*row.Due) {
		row.Due = stamp(first)
	}
	if now.After(first) {
		row.Late += len(a.Hosts)
	}
}

func sortedRows(rows map[string]*AdvisoryRow) []*AdvisoryRow {
	words := patch.Severities()
	place := make(map[string]int, len(words))
	for i, word := range words {
		place[word] = i
	}
	list := make([]*AdvisoryRow, 0, len(rows))
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		slices.Sort(rows[id].Packages)
		list = append(list, rows[id])
	}
	slices.SortStableFunc(list, func(a, b *AdvisoryRow) int {
		return cmp.Or(-cmp.Compare(min(a.Hosts, 1), min(b.Hosts, 1)), cmp.Compare(place[a.Severity], place[b.Severity]), b.Published.Compare(a.Published))
	})
	return list
}

// Lacking is a host that lacks the answer to an advisory.
type Lacking struct {
	Host     string
	Packages []string
}

// Lacking returns the hosts that lack the answer, by name.
func (row *AdvisoryRow) Lacking() []Lacking {
	list := make([]Lacking, 0, row.Hosts)
	for _, some := range row.lack {
		for _, name := range *some.hosts {
			list = append(list, Lacking{name, some.packages})
		}
	}
	slices.SortFunc(list, func(a, b Lacking) int { return cmp.Compare(a.Host, b.Host) })
	return list
}

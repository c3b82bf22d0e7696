package store

import (
	"context"
	"slices"
	"sync"

	"plumb/policies/patch"
)

// library keeps all advisories, decoded, until one of them changes. As with the roster that is for SQLite, whose file
// belongs to one process.
type library struct {
	mu  sync.Mutex
	all []Advisory // never written, only replaced; nil while none are kept
	// many is true where they are too many to keep.
	many bool
	// edition counts how often they changed.
	edition uint64
	idle    forgetting
}

// mostAdvised bounds how many advisories are kept, at about a kB each.
const mostAdvised = 20_000

// change lets go of them, also of those that somebody is reading now.
func (l *library) change() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.many = nil, false
	l.edition++
}

// end is change for good.
func (l *library) end() {
	l.change()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle.stop()
}

func (l *library) known() (all []Advisory, many bool, edition uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all, l.many, l.edition
}

// keep keeps what was read, unless it changed meanwhile.
func (l *library) keep(all []Advisory, many bool, edition uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.edition != edition {
		return
	}
	if l.many = many; !many {
		l.all = all
	}
	l.idle.later(l.change)
}

// advised returns all advisories, where they are kept. PostgreSQL is asked each time, and so is who has too many.
func (s *Store) advised(ctx context.Context) (all []Advisory, has bool, err error) {
	if s.postgres {
		return nil, false, nil
	}
	all, many, edition := s.library.known()
	if all == nil && !many {
		if all, err = s.advisories(ctx, AdvisoryFilter{Limit: mostAdvised + 1}); err != nil {
			return nil, false, err
		}
		many = len(all) > mostAdvised
	}
	s.library.keep(all, many, edition)
	return all, !many, nil
}

// among are those of all that the filter selects.
func (f AdvisoryFilter) among(all []Advisory) []Advisory {
	packages, ids, list := setOf(f.Packages), setOf(f.IDs), []Advisory{}
	for _, a := range all {
		if f.Limit > 0 && len(list) == f.Limit {
			break
		}
		if (f.Severity == "" || f.Severity == a.Severity) && (!f.Exploited || a.Exploited) && (len(ids) == 0 || ids[a.ID]) &&
			(len(packages) == 0 || slices.ContainsFunc(a.Affected, func(one patch.Affected) bool { return packages[one.Package] })) {
			list = append(list, a)
		}
	}
	return list
}

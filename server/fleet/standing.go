package fleet

import (
	"slices"
	"sync"

	"plumb/policies"
)

// standings remembers of results only which resources did not pass, so that the result before a
// drift need not be read again: there are as many results as hosts, and they are large.
type standings struct {
	mu   sync.Mutex
	held map[string]standing
}

// standing is what a result says about the resources of its catalog, all of which it answers for.
type standing struct {
	catalog string
	wrong   []string
}

const (
	// mostStandings bounds how many are kept, mostWrong how large one may be.
	mostStandings = 100_000
	mostWrong     = 64
)

func (s *standings) get(result string) (standing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, known := s.held[result]
	return one, known
}

// learn keeps what a result says, if it is one that can be told in few words.
func (s *standings) learn(digest string, c policies.Catalog, r Found) {
	if !parallel(c, r) {
		return
	}
	one := standing{catalog: r.Catalog}
	for i := range r.Resources {
		if !r.Resources[i].Status.Passing() {
			one.wrong = append(one.wrong, r.Resources[i].Address)
		}
	}
	if len(one.wrong) > mostWrong {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held = map[string]standing{}
	}
	for old := range s.held {
		if len(s.held) < mostStandings {
			break
		}
		delete(s.held, old) // any one: Go's order of maps is random
	}
	s.held[digest] = one
}

// result makes as much of the result again as is asked for: how the resources stood that a run of
// the same catalog found changed.
func (s standing) result(run Run) *Found {
	out := &Found{Catalog: s.catalog}
	for _, one := range run.Result.Resources {
		if !drifted(one) {
			continue
		}
		status := policies.Compliant
		if slices.Contains(s.wrong, one.Address) {
			status = policies.Noncompliant
		}
		out.Resources = append(out.Resources, &policies.ResourceResult{Address: one.Address, Status: status})
	}
	return out
}

// parallel tells whether a result answers for each resource of the catalog, in its order, and for
// nothing else. Those of our agents do.
func parallel(c policies.Catalog, r Found) bool {
	if len(c.Resources) != len(r.Resources) {
		return false
	}
	for i := range c.Resources {
		if c.Resources[i].Address != r.Resources[i].Address {
			return false
		}
	}
	return true
}

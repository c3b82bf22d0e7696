package agent

import (
	"errors"

	"plumb/agent/cause"
	"plumb/agent/state"
	"plumb/policies"
)

// mendedFile holds what is newer than in the files of the newest run, for the few resources of which
// anything is: megabytes are not written anew for one file that was mended.
const mendedFile = "mended.json"

// mended is what stands in it.
type mended struct {
	// Of names the files that it belongs to; it says nothing about others.
	Of      string                    `json:"of"`
	Last    Last                      `json:"last"` // without catalog and result
	Results []policies.ResourceResult `json:"results"`
	Memory  cause.Memory              `json:"memory"`
	Forgot  []string                  `json:"forgot,omitempty"` // addresses that the memory has not
}

// How many resources stand apart before all is written as a whole: an eighth of them, within bounds.
const (
	fewestApart = 32
	mostApart   = 256
)

func (s *standing) apart() bool {
	return len(s.behind) <= max(fewestApart, min(mostApart, len(s.place)/8))
}

// seals names the files of the newest run by what is in them; empty when one is not sealed.
func (a *Agent) seals() string {
	last, memory := a.Dir.SealOf(lastFile), a.Dir.SealOf(memoryOf("runs"))
	if last == "" || memory == "" {
		return ""
	}
	return last + " " + memory
}

// keep makes a run known to whoever starts anew, and to the next mend.
func (r *round) keep(done finished, last Last) error {
	s := r.standing
	if s == nil || !done.stood || len(last.Result.Resources) != len(s.place) {
		r.standing = nil
		if err := r.keepWhole(last, done.memory); err != nil {
			return err
		}
		if r.standing = r.stand(done, last); r.standing != nil {
			r.standing.of = r.seals()
		}
		return nil
	}
	s.follow(last, done.memory)
	s.found, s.rawFacts, s.rawOffers = r.found, r.rawFacts, r.rawOffers
	if s.of == "" || s.of != r.seals() || !s.apart() {
		s.of = ""
		if err := r.keepWhole(last, done.memory); err != nil {
			return err
		}
		s.of = r.seals()
		clear(s.behind)
		return nil
	}
	return r.Dir.Save(mendedFile, s.mended())
}

func (r *round) keepWhole(last Last, memory cause.Memory) error {
	if err := r.Dir.Save(memoryOf("runs"), memory); err != nil {
		return err
	}
	return r.Dir.Save(lastFile, last)
}

func (s *standing) mended() mended {
	m := mended{Of: s.of, Last: s.last, Memory: cause.Memory{}}
	m.Last.Result = policies.Result{}
	for address := range s.behind {
		m.Results = append(m.Results, s.last.Result.Resources[s.place[address]])
		if left, ok := s.memory[address]; ok {
			m.Memory[address] = left
		} else {
			m.Forgot = append(m.Forgot, address)
		}
	}
	return m
}

// loadLast reads the newest run of a release, with what was mended since.
func (a *Agent) loadLast() (last Last, ok bool, err error) {
	m, apart := a.loadMended()
	if ok, err = a.Dir.Load(lastFile, &last); err != nil || !ok || !apart || a.seals() != m.Of {
		return last, ok, err // without it, or with a whole file that has come meanwhile
	}
	catalog, result := last.Catalog, last.Result
	last = m.Last
	last.Catalog, last.Result = catalog, result
	newer := map[string]policies.ResourceResult{}
	for _, one := range m.Results {
		newer[one.Address] = one
	}
	for i, one := range result.Resources {
		if now, ok := newer[one.Address]; ok {
			result.Resources[i] = now
		}
	}
	return last, true, nil
}

// loadMemory reads what the runs of a folder left.
func (a *Agent) loadMemory(folder string) (memory cause.Memory, err error) {
	m, apart := a.loadMended()
	if _, err = a.Dir.Load(memoryOf(folder), &memory); err != nil || folder != "runs" || !apart || a.seals() != m.Of {
		return memory, err
	}
	for address, left := range m.Memory {
		memory[address] = left
	}
	for _, address := range m.Forgot {
		delete(memory, address)
	}
	return memory, nil
}

func (a *Agent) loadMended() (m mended, ok bool) {
	ok, err := a.Dir.Load(mendedFile, &m)
	if err != nil && !errors.Is(err, state.ErrDamaged) {
		a.Log.Warn("what was mended last cannot be read", "error", err)
	}
	if errors.Is(err, state.ErrDamaged) {
		a.Log.Warn("what was mended last is lost", "error", err)
	}
	return m, ok && err == nil && m.Of != "" && m.Of == a.seals()
}

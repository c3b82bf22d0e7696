package spool

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"plumb/agent/run"
	"plumb/inventory"
	"plumb/policies"
)

// shrink makes room when the spool is full. First the oldest reports lose what was found and
// keep how each resource stood; if that is not enough the oldest keep only that they ran.
// A report itself is never dropped: the numbers have no gaps.
func (s *Spool) shrink() error {
	for _, shorten := range []func(policies.Report) (policies.Report, error){s.strip, s.empty} {
		for _, seq := range s.seqs[:max(0, len(s.seqs)-1)] {
			if full, err := s.full(); err != nil || !full {
				return err
			}
			if err := s.shorten(seq, shorten); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Spool) shorten(seq uint64, f func(policies.Report) (policies.Report, error)) error {
	r, err := s.read(seq)
	if err != nil {
		return err
	}
	short, err := f(r)
	if err != nil || short == r {
		return err
	}
	if err := s.writeReport(seq, short); err != nil {
		return err
	}
	return s.sweep()
}

func (s *Spool) full() (bool, error) {
	var sum int64
	for _, dir := range []string{"reports", "objects"} {
		entries, err := os.ReadDir(filepath.Join(s.dir, dir))
		if err != nil {
			return false, fmt.Errorf("cannot read the spool: %w", err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				sum += info.Size()
			}
		}
	}
	return sum > s.cap, nil
}

// strip replaces the report's result by one that says only how each resource stood.
func (s *Spool) strip(r policies.Report) (policies.Report, error) {
	raw, err := s.Object(r.Result)
	if err != nil {
		return r, nil // there is none, or it is gone: nothing to strip
	}
	var result policies.Result
	if err := json.Unmarshal(raw, &result); err != nil {
		return r, nil
	}
	run.Strip(&result)
	if raw, err = json.Marshal(result); err != nil {
		return r, fmt.Errorf("cannot encode a result: %w", err)
	}
	r.Result = inventory.Digest(raw)
	return r, s.addObject(r.Result, raw)
}

// empty keeps that the run took place.
func (s *Spool) empty(r policies.Report) (policies.Report, error) {
	if r.Result == "" {
		return r, nil
	}
	r.Catalog, r.Result = "", ""
	r.Problem = "the host's spool was full, so the detail of this run was dropped"
	return r, nil
}

// Lost empties the reports that name an object which is gone: without it the server
// could never take them, nor anything after them. Only objects that a report names count.
func (s *Spool) Lost(digest string) error {
	for _, seq := range s.seqs {
		r, err := s.read(seq)
		if err != nil {
			return err
		}
		if r.Facts != digest && r.Catalog != digest && r.Result != digest && r.Offers != digest {
			continue
		}
		if r.Offers == digest {
			r.Offers = ""
		} else {
			r.Catalog, r.Result, r.Problem = "", "", "the detail of this run was lost on the host's disk"
		}
		if r.Facts == digest {
			r.Facts = ""
		}
		if err := s.writeReport(seq, r); err != nil {
			return err
		}
	}
	return s.sweep()
}

package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Ack takes the server's word for what it has: everything of the epoch up to accepted. Word
// about another epoch says nothing about ours.
//
// A server that has less than it once had was restored from a backup, and one that has more
// than we ever sent met a later life of this host, before the host itself was restored. In both
// cases the numbers no longer mean the same on both sides, so what waits goes out under a new
// epoch.
func (s *Spool) Ack(epoch string, accepted uint64) error {
	if epoch != s.meta.Epoch {
		return nil
	}
	accepted += s.meta.Base
	if accepted < s.meta.Acked || accepted > s.last() {
		return s.newEpoch()
	}
	if accepted == s.meta.Acked {
		return nil
	}
	if at, ok := slices.BinarySearch(s.seqs, accepted); ok {
		r, err := s.read(s.seqs[at])
		if err != nil {
			return err
		}
		s.meta.Started, s.meta.Result = r.Started, r.Result
	}
	s.meta.Acked = accepted
	if err := s.writeMeta(); err != nil {
		return err
	}
	return s.forget()
}

// forget removes what was acknowledged. A kill on the way is made good by the next Open.
func (s *Spool) forget() error {
	for len(s.seqs) > 0 && s.seqs[0] <= s.meta.Acked {
		if err := os.Remove(s.reportPath(s.seqs[0])); err != nil {
			return fmt.Errorf("cannot remove a report that was sent: %w", err)
		}
		s.seqs = s.seqs[1:]
	}
	return s.sweep()
}

// sweep removes objects that no report names any more.
func (s *Spool) sweep() error {
	keep, err := s.named()
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, "objects")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read the spool: %w", err)
	}
	for _, e := range entries {
		if !keep[strings.TrimSuffix(e.Name(), ".json")] {
			os.Remove(filepath.Join(dir, e.Name())) // what stays only takes room
		}
	}
	return nil
}

func (s *Spool) named() (map[string]bool, error) {
	names := map[string]bool{}
	for _, seq := range s.seqs {
		r, err := s.read(seq)
		if err != nil {
			return nil, err
		}
		names[r.Facts], names[r.Catalog], names[r.Result], names[r.Offers] = true, true, true, true
	}
	return names, nil
}

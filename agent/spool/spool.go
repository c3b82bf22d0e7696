// Package spool keeps the reports that the server has not acknowledged.
//
// A report is on the disk before it is sent and stays there until the server says that it
// has it, so a kill at any point loses none; and since a report keeps its number, the server
// counts it once however often it arrives.
package spool

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"plumb/agent/state"
	"plumb/inventory"
	"plumb/policies"
)

// MaxBytes is how much the spool may hold. Past it the oldest reports lose their detail.
const MaxBytes = 64 << 20

// Spool is an open spool. It is not safe for use by several goroutines.
type Spool struct {
	dir  string
	cap  int64
	meta meta
	seqs []uint64 // of the reports on the disk, ascending
}

// meta outlives the reports that were acknowledged.
type meta struct {
	// Epoch names this sequence of numbers.
	Epoch string `json:"epoch"`
	// Base is the number before the epoch's first report: names of files count on through
	// all epochs, what is sent counts from 1 in each.
	Base uint64 `json:"base"`
	// Acked is the last file number that the server has.
	Acked uint64 `json:"acked"`
	// Started is when the newest run started that was ever spooled and acknowledged.
	Started time.Time `json:"started"`
	// Result is the digest of what it found.
	Result string `json:"result,omitempty"`
}

// Open reads what is on the disk and finishes what a kill interrupted.
func Open(dir string) (*Spool, error) { return open(dir, MaxBytes) }

func open(dir string, limit int64) (*Spool, error) {
	for _, path := range []string{dir, filepath.Join(dir, "objects"), filepath.Join(dir, "reports")} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("cannot make the spool: %w", err)
		}
	}
	s := &Spool{dir: dir, cap: limit}
	if err := s.readNumbers(); err != nil {
		return nil, err
	}
	if err := s.readMeta(); err != nil {
		return nil, err
	}
	return s, s.forget()
}

func (s *Spool) readMeta() error {
	raw, err := os.ReadFile(filepath.Join(s.dir, "meta.json"))
	if err == nil && unsealed(raw, &s.meta) && s.meta.Epoch != "" {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot read the spool: %w", err)
	}
	return s.newEpoch() // a new folder, or one whose numbers can no longer be trusted
}

// newEpoch starts a new sequence; the reports on the disk become its first ones.
func (s *Spool) newEpoch() error {
	id, err := uuid.NewRandomFromReader(rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make an epoch: %w", err)
	}
	s.meta.Epoch, s.meta.Base = id.String(), s.last()
	if len(s.seqs) > 0 {
		s.meta.Base = s.seqs[0] - 1
	}
	return s.writeMeta()
}

func (s *Spool) writeMeta() error {
	raw, err := json.Marshal(s.meta)
	if err != nil {
		return fmt.Errorf("cannot encode the spool's state: %w", err)
	}
	return state.WriteFile(filepath.Join(s.dir, "meta.json"), state.Seal(raw))
}

func (s *Spool) readNumbers() error {
	entries, err := os.ReadDir(filepath.Join(s.dir, "reports"))
	if err != nil {
		return fmt.Errorf("cannot read the spool: %w", err)
	}
	for _, e := range entries {
		text, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.ParseUint(text, 10, 64); ok && err == nil {
			s.seqs = append(s.seqs, n)
			continue
		}
		os.Remove(filepath.Join(s.dir, "reports", e.Name())) // a write that a kill interrupted
	}
	slices.Sort(s.seqs)
	return nil
}

func (s *Spool) reportPath(seq uint64) string {
	return filepath.Join(s.dir, "reports", fmt.Sprintf("%020d.json", seq))
}

func (s *Spool) objectPath(digest string) string {
	return filepath.Join(s.dir, "objects", digest+".json")
}

// Epoch is the name of the running sequence of numbers.
func (s *Spool) Epoch() string { return s.meta.Epoch }

// Known is the result of the newest report that the server has, which it need not be sent once more.
func (s *Spool) Known() string { return s.meta.Result }

// Len is how many reports wait.
func (s *Spool) Len() int { return len(s.seqs) }

// Add stores a report with the objects that it names, by digest, and gives it its number. When
// it returns nil the report is safe.
func (s *Spool) Add(r policies.Report, objects map[string][]byte) (policies.Report, error) {
	for digest, raw := range objects {
		if err := s.addObject(digest, raw); err != nil {
			return r, err
		}
	}
	seq := s.last() + 1
	r.Seq, r.Epoch = seq-s.meta.Base, s.meta.Epoch
	if err := s.writeReport(seq, r); err != nil {
		return r, err
	}
	s.seqs = append(s.seqs, seq)
	return r, s.shrink()
}

func (s *Spool) last() uint64 {
	if len(s.seqs) == 0 {
		return s.meta.Acked
	}
	return max(s.meta.Acked, s.seqs[len(s.seqs)-1])
}

func (s *Spool) addObject(digest string, raw []byte) error {
	path := s.objectPath(digest)
	if info, err := os.Stat(path); err == nil && info.Size() == int64(len(raw)) {
		return nil // what was written is looked at when it is sent
	}
	if got := inventory.Digest(raw); got != digest {
		return fmt.Errorf("an object of the report has the digest %.12s, not %.12s", got, digest)
	}
	return state.WriteFile(path, raw)
}

func (s *Spool) writeReport(seq uint64, r policies.Report) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cannot encode the report: %w", err)
	}
	return state.WriteFile(s.reportPath(seq), state.Seal(raw))
}

// Pending returns the oldest reports, at most limit of them.
func (s *Spool) Pending(limit int) ([]policies.Report, error) {
	list := []policies.Report{}
	for _, seq := range s.seqs[:min(limit, len(s.seqs))] {
		r, err := s.read(seq)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// read returns one report under the running epoch. A report that the disk damaged is told as
// one without detail: its number must not be missing.
func (s *Spool) read(seq uint64) (policies.Report, error) {
	raw, err := os.ReadFile(s.reportPath(seq))
	if err != nil {
		return policies.Report{}, fmt.Errorf("cannot read a spooled report: %w", err)
	}
	var r policies.Report
	if !unsealed(raw, &r) {
		r = policies.Report{Problem: "this report was damaged on the host's disk"}
	}
	r.Seq, r.Epoch = seq-s.meta.Base, s.meta.Epoch
	return r, nil
}

// unsealed reads what was written with a seal, and tells whether it is as it was.
func unsealed(raw []byte, into any) bool {
	body, err := state.Unseal(raw)
	return err == nil && json.Unmarshal(body, into) == nil
}

// Object returns an object that a report names.
func (s *Spool) Object(digest string) ([]byte, error) {
	raw, err := os.ReadFile(s.objectPath(filepath.Base(digest)))
	if err != nil {
		return nil, fmt.Errorf("cannot read a spooled object: %w", err)
	}
	if inventory.Digest(raw) != digest {
		return nil, fmt.Errorf("the spooled object %.12s is damaged", digest)
	}
	return raw, nil
}

// Started is when the newest run started that the spool has ever held.
func (s *Spool) Started() time.Time {
	newest := s.meta.Started
	if len(s.seqs) > 0 {
		if r, err := s.read(s.seqs[len(s.seqs)-1]); err == nil && r.Started.After(newest) {
			newest = r.Started
		}
	}
	return newest
}

// Waiting counts the reports that wait in a spool, without opening it: its owner may be at work.
func Waiting(dir string) (int, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "reports"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the spool: %w", err)
	}
	return len(entries), nil
}

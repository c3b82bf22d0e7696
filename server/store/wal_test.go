package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"plumb/inventory"
)

// TestBrokenLog starts from the files of a server that was killed, with its log broken here and there. What a power cut may
// leave is taken as it is; what was whole once is told.
func TestBrokenLog(t *testing.T) {
	db, log, _ := killedFiles(t)
	frame := frameHeader + 4096
	if len(log) < 30*frame {
		t.Fatalf("a log of %d bytes is too short", len(log))
	}
	flip := func(at int) func([]byte) []byte {
		return func(raw []byte) []byte { raw[at] ^= 4; return raw }
	}
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		told  bool
	}{
		"whole":                     {func(raw []byte) []byte { return raw }, false},
		"a page at the beginning":   {flip(walHeader + frameHeader + 100), true},
		"the first frame's sum":     {flip(walHeader + 20), true},
		"the salt of a frame":       {flip(walHeader + 3*frame + 9), true},
		"a page in the middle":      {flip(walHeader + len(log)/frame/2*frame + 1000), true},
		"the header":                {flip(17), true},
		"its magic":                 {flip(2), true},
		"a page at the end":         {flip(len(log) - 10), false},
		"half a frame at the end":   {func(raw []byte) []byte { return raw[:len(raw)-2000] }, false},
		"a last page of zeros":      {func(raw []byte) []byte { clear(raw[len(raw)-4096:]); return raw }, false},
		"nothing":                   {func([]byte) []byte { return nil }, false},
		"a header that never came":  {func([]byte) []byte { return make([]byte, walHeader) }, false},
		"another generation behind": {func(raw []byte) []byte { return append(raw, slices.Repeat([]byte{7}, 9*frame)...) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "plumb.db")
			must(t, os.WriteFile(path, db, 0o600))
			must(t, os.WriteFile(path+"-wal", c.spoil(slices.Clone(log)), 0o600))
			s, err := Open(context.Background(), path)
			if err == nil {
				s.Close()
			}
			if told := errors.Is(err, ErrDamaged); told != c.told || !told && err != nil {
				t.Errorf("Open = %v, want it told: %v", err, c.told)
			}
		})
	}
}

// TestBrokenCommits has the index of the log, too, as after a kill: then also the newest commit is missed. An index of which a bit
// turned says nothing.
func TestBrokenCommits(t *testing.T) {
	db, log, index := killedFiles(t)
	open := func(log, index []byte) error {
		path := filepath.Join(t.TempDir(), "plumb.db")
		must(t, os.WriteFile(path, db, 0o600))
		must(t, os.WriteFile(path+"-wal", log, 0o600))
		must(t, os.WriteFile(path+"-shm", index, 0o600))
		s, err := Open(context.Background(), path)
		if err == nil {
			s.Close()
		}
		return err
	}
	must(t, open(log, index))
	for at := len(log) - 20*(frameHeader+4096); at < len(log); at += 997 {
		spoilt := slices.Clone(log)
		spoilt[at] ^= 4
		if err := open(spoilt, index); !errors.Is(err, ErrDamaged) {
			t.Errorf("a bit %d before the end of the log: %v", len(log)-at, err)
		}
	}
	for at := range indexHeader {
		spoilt := slices.Clone(index)
		spoilt[at] ^= 4
		if err := open(log[:len(log)-10], spoilt); err != nil {
			t.Errorf("byte %d of the index: %v", at, err)
		}
	}
}

// FuzzIndex reads indexes that are none.
func FuzzIndex(f *testing.F) {
	f.Add(make([]byte, 2*indexHeader))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) >= 2*indexHeader && parseIndex(raw).frames < 0 {
			t.Error("fewer than no frames")
		}
	})
}

// FuzzLog reads logs that are none. What is refused is refused as damaged.
func FuzzLog(f *testing.F) {
	header, err := hex.DecodeString("377f0682002de21800001000000000000123456789abcdef")
	must(f, err)
	l := &walLog{order: binary.LittleEndian}
	l.add(header)
	header = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(header, l.sum[0]), l.sum[1])
	commit := slices.Concat([]byte{0, 0, 0, 1, 0, 0, 0, 1}, header[16:24], make([]byte, 8+4096))
	f.Add(header)
	f.Add(slices.Concat(header, slices.Repeat(commit, 5)))
	f.Add(make([]byte, walHeader))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := readLog(bytes.NewReader(raw), walIndex{}); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("readLog = %v", err)
		}
	})
}

// killedFiles returns what a server leaves that is killed after some commits.
func killedFiles(t *testing.T) (db, log, index []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plumb.db")
	s := open(t, path)
	for i := range 10 {
		raw := fmt.Appendf(nil, `{"n":%d}`, i)
		must(t, s.PutObject(t.Context(), Ref{KindResult, inventory.Digest(raw)}, raw, start))
	}
	var err error
	db, err = os.ReadFile(path)
	must(t, err)
	log, err = os.ReadFile(path + "-wal")
	must(t, err)
	index, err = os.ReadFile(path + "-shm")
	must(t, err)
	return db, log, index
}

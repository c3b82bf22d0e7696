package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/server/store"
)

// answers is what a server says from its database: of each host what its reports left, all objects, and the release.
type answers struct {
	Hosts    []content
	Objects  map[store.Ref][]byte
	Releases []store.Release
}

// flipped is a database that bits turn in, as it was when its server stopped, or ran.
type flipped struct {
	files map[string][]byte
	hosts []*agent
	refs  []store.Ref
	want  answers
}

// flipSeed is where the bits that turn come from.
const flipSeed = 33

// F33: a bit that turns in the server's database, or in the log that a killed server leaves, never gives a wrong answer: it is found at the
// start, or when something is read.
func TestFlippedBitsInTheDatabase(t *testing.T) {
	flips := 40
	if os.Getenv("PLUMB_SOAK") != "" {
		flips = 5_000
	}
	for _, name := range []string{"plumb.db", "plumb.db-wal"} {
		t.Run(name, func(t *testing.T) {
			db := newFlipped(t, name == "plumb.db")
			chance := rand.New(rand.NewPCG(flipSeed, 0))
			outcome := map[string]int{}
			for i := range flips {
				outcome[db.flip(t, name, chance, i%2 == 0)]++
				if (i+1)%500 == 0 {
					t.Logf("%d bits: %v", i+1, outcome)
				}
			}
			t.Logf("%d bits of %d bytes: %v", flips, len(db.files[name]), outcome)
			if outcome["told"] == 0 {
				t.Error("no bit was ever found: the test proves nothing")
			}
			if got, err := db.spoil(t, name, true, func([]byte) {}); err != nil || !cmp.Equal(got, db.want) {
				t.Errorf("without a turned bit: %v, or another answer", err)
			}
		})
	}
}

// newFlipped fills a database and takes its files, when the server has stopped or while it runs.
func newFlipped(t *testing.T, stopped bool) *flipped {
	t.Helper()
	dir, ctx := t.TempDir(), t.Context()
	s, err := store.Open(ctx, filepath.Join(dir, "plumb.db"))
	must(t, err)
	defer func() { s.Close() }()
	f := &Fleet{Store: s}
	db := &flipped{}
	for n := range 3 {
		must(t, s.CreateToken(ctx, store.Token{ID: fmt.Sprint(n), Hash: fmt.Sprint(n)}))
		h := store.Host{Host: inventory.Host{ID: killID(n), Name: fmt.Sprintf("web%d", n)}, Key: fmt.Sprint(n)}
		must(t, s.CreateHost(ctx, h, fmt.Sprint(n), start))
		db.hosts = append(db.hosts, db.reports(t, f, n))
	}
	bundle := bytes.Repeat([]byte("a bundle "), 5000)
	db.refs = append(db.refs, store.Ref{Kind: store.KindBundle, Digest: inventory.Digest(bundle)})
	must(t, s.PutObject(ctx, db.refs[len(db.refs)-1], bundle, start))
	must(t, s.AddRelease(ctx, store.Release{Number: 1, Commit: "commit1", Bundle: inventory.Digest(bundle), Made: start}))
	if stopped {
		must(t, s.Close())
	}
	db.files = databaseFiles(t, dir)
	db.want, err = db.ask(filepath.Join(dir, "plumb.db"), false)
	must(t, err)
	return db
}

func (db *flipped) reports(t *testing.T, f *Fleet, n int) *agent {
	t.Helper()
	a := &agent{fleet: f, id: killID(n), epoch: "epoch-1", objects: map[string][]byte{}}
	chance := rand.New(rand.NewPCG(flipSeed, uint64(n)))
	for i := range 40 {
		r := anyReport(a, i, chance)
		_, err := a.deliver(t.Context(), r.Finished, r)
		must(t, err)
		for _, ref := range refs(r) {
			if !slices.Contains(db.refs, ref) {
				db.refs = append(db.refs, ref)
			}
		}
	}
	return a
}

func databaseFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"plumb.db", "plumb.db-wal", "plumb.db-shm"} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // of a stopped server
		}
		must(t, err)
		files[name] = raw
	}
	return files
}

// flip turns one bit of a copy, starts from it and asks for everything, after the look over the whole database or without.
func (db *flipped) flip(t *testing.T, name string, chance *rand.Rand, look bool) string {
	t.Helper()
	bit := chance.IntN(len(db.files[name]) * 8)
	got, err := db.spoil(t, name, look, func(raw []byte) { raw[bit/8] ^= 1 << (bit % 8) })
	for ref, raw := range got.Objects {
		if raw != nil && inventory.Digest(raw) != ref.Digest {
			t.Errorf("bit %d of %s: the %s %.12s is another one", bit, name, ref.Kind, ref.Digest)
		}
	}
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound): // who does not know what there was would not miss it
		return "told"
	case err == nil && cmp.Equal(got, db.want):
		return "no effect"
	}
	t.Errorf("bit %d of %s: a wrong answer, %v", bit, name, err)
	return "wrong"
}

// spoil starts from a copy of which one file was spoilt, and asks for everything.
func (db *flipped) spoil(t *testing.T, name string, look bool, how func(raw []byte)) (answers, error) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	must(t, err)
	defer os.RemoveAll(dir)
	for file, raw := range db.files {
		if file == name {
			raw = slices.Clone(raw)
			how(raw)
		}
		must(t, os.WriteFile(filepath.Join(dir, file), raw, 0o600))
	}
	return db.ask(filepath.Join(dir, "plumb.db"), look)
}

// ask starts as a server does, and reads all; the first error ends it.
func (db *flipped) ask(path string, check bool) (answers, error) {
	ctx := context.Background()
	got := answers{Objects: map[store.Ref][]byte{}}
	s, err := store.Open(ctx, path)
	if err != nil {
		return got, err
	}
	defer s.Close()
	if check {
		if err := s.Check(ctx); err != nil {
			return got, err
		}
	}
	for _, a := range db.hosts {
		c, err := readContent(ctx, s, a.id)
		if err != nil {
			return got, err
		}
		got.Hosts = append(got.Hosts, c)
	}
	for _, ref := range db.refs {
		if got.Objects[ref], err = s.Object(ctx, ref); err != nil {
			return got, err
		}
	}
	got.Releases, err = s.Releases(ctx, 10, 0)
	return got, err
}

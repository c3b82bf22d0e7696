package agent

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plumb/agent/state"
	"plumb/inventory"
)

// flipSeed is where the bits that turn come from.
const flipSeed = 33

// F33: whatever bit of the agent's files turns, it never does what nobody wanted: it mends the file, or
// goes without it, or says which file is damaged.
func TestFlippedBitsGiveNoWrongAnswer(t *testing.T) {
	flips := long(100, 10_000)
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.round()
	dir := r.agent.Dir.Path
	whole := snapshot(t, dir)
	var names []string
	for name, raw := range whole {
		if len(raw) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	chance := rand.New(rand.NewPCG(flipSeed, 0))
	outcome := map[string]int{}
	for i := range flips {
		name := names[i%len(names)]
		restore(t, dir, whole)
		raw := slices.Clone(whole[name])
		bit := chance.IntN(len(raw) * 8)
		raw[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		r.spoil()
		said := r.afterFlip(t)
		outcome[said]++
		switch motd := r.motd(); {
		case motd != "one" && motd != "drift":
			t.Fatalf("bit %d of %s: /motd is %q", bit, name, motd)
		case motd == "drift" && said == "fine":
			t.Errorf("bit %d of %s: nothing is mended and nothing said", bit, name)
		}
		if (i+1)%1000 == 0 {
			t.Logf("%d bits: %v", i+1, outcome)
		}
	}
	t.Logf("%d bits in %d files: %v", flips, len(names), outcome)
}

// F33: no catalog is believed of which a bit turned, wherever it is. The rounds above hit few of the bits that
// matter, and compile again for other reasons.
func TestKeptCatalogFindsEveryBit(t *testing.T) {
	a := newRig(t).agent
	const name = "catalog"
	catalog := []byte(`{"resources":[{"address":"file.motd"}]}`)
	want := cached{Key: "key", Bundle: "bundle", Compiled: Compiled{Raw: catalog, Digest: inventory.Digest(catalog), Reads: []string{"os.id"}}}
	if err := a.saveCatalog(name, want, state.WriteFile); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(a.Dir.Path, name)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := a.loadCatalog(name); !ok || !cmp.Equal(got, want, cmpopts.IgnoreUnexported(Compiled{})) {
		t.Fatalf("loadCatalog = %+v, %t", got, ok)
	}
	for bit := range len(raw) * 8 {
		raw[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := a.loadCatalog(name); ok {
			t.Errorf("with bit %d turned: %+v", bit, got)
		}
		raw[bit/8] ^= 1 << (bit % 8)
	}
}

// afterFlip does two rounds and tells whether the last one went well. What went wrong must be told
// in words that name a file, or something that has to do with trust.
func (r *rig) afterFlip(t *testing.T) string {
	t.Helper()
	_, _ = r.agent.Round(context.Background(), true)
	out, err := r.agent.Round(context.Background(), true)
	switch {
	case err != nil && strings.Contains(err.Error(), "damaged"):
		return "told: damaged"
	case err != nil:
		return "told: " + err.Error()
	case out.Called != nil:
		return "told: cannot call"
	case out.Problem != "":
		return "told: refused"
	}
	for _, report := range r.Reports() {
		if report.Release > 1 {
			t.Fatalf("a report of release %d: %+v", report.Release, report)
		}
	}
	return "fine"
}

// snapshot reads all files below a folder.
func snapshot(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			all[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// restore puts exactly those files back.
func restore(t *testing.T, dir string, all map[string][]byte) {
	t.Helper()
	for name := range snapshot(t, dir) {
		if _, ok := all[name]; !ok {
			os.Remove(filepath.Join(dir, name))
		}
	}
	for name, raw := range all {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

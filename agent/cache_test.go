package agent

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
)

// folder writes the policy tree that wants the text in /motd.
func (r *rig) folder(text string) string {
	r.t.Helper()
	dir := r.t.TempDir()
	for name, data := range r.tree(text) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	return dir
}

// compiles applies the folder and tells how often its policies were compiled for that.
func (r *rig) compiles(dir string) int {
	r.t.Helper()
	before := r.compile
	last, err := r.agent.Apply(context.Background(), dir)
	if err != nil || len(last.Result.Resources) != 1 || len(last.Catalog.Resources) != 1 {
		r.t.Fatalf("Apply() = %+v, %v, want one resource", last, err)
	}
	return r.compile - before
}

func TestApplyKeepsItsCatalog(t *testing.T) {
	r := newRig(t)
	one, two := r.folder("one"), r.folder("two")
	steps := []struct {
		what string
		dir  string
		want int
	}{
		{"the first time", one, 1}, {"again", one, 0}, {"another folder", two, 1}, {"that one again", two, 0}, {"the first again", one, 1},
	}
	for _, s := range steps {
		if got := r.compiles(s.dir); got != s.want {
			t.Errorf("%s: compiled %d times, want %d", s.what, got, s.want)
		}
	}
	info, err := os.Stat(filepath.Join(r.agent.Dir.Path, appliedFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kept catalog is %v, %v, want a file of mode 0600", info, err)
	}
	last, ok, err := r.agent.Newest()
	if err != nil || !ok || last.Catalog.Find("file.motd") == nil {
		t.Errorf("Newest() = %+v, %v, %v, want the catalog with it", last, ok, err)
	}
}

func TestApplyCompilesWhenWhatItReadChanged(t *testing.T) {
	r := newRig(t)
	reads := []string{"fact.arch"}
	compile := r.agent.Compile
	r.agent.Compile = func(ctx context.Context, raw []byte, host inventory.Host, facts inventory.Facts) (Compiled, error) {
		comp, err := compile(ctx, raw, host, facts)
		comp.Reads = reads
		return comp, err
	}
	arch := "amd64"
	r.agent.Facts = func(context.Context) (inventory.Facts, error) {
		return inventory.Facts{Hostname: "h1", Arch: arch, BootID: r.bootID}, nil
	}
	dir := r.folder("one")
	r.compiles(dir)
	if r.bootID = "boot-2"; r.compiles(dir) != 0 {
		t.Error("compiled again for a fact that no policy reads")
	}
	if arch = "arm64"; r.compiles(dir) != 1 {
		t.Error("not compiled again for a fact that a policy reads")
	}
	if r.agent.Version = "other"; r.compiles(dir) != 1 {
		t.Error("not compiled again by another version")
	}
}

// TestDamagedCatalogIsCompiledAgain changes each byte of the kept catalog in turn, and cuts it short.
func TestDamagedCatalogIsCompiledAgain(t *testing.T) {
	r := newRig(t)
	dir := r.folder("one")
	r.compiles(dir)
	path := filepath.Join(r.agent.Dir.Path, appliedFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, ok := r.agent.loadCatalog(appliedFile)
	if !ok {
		t.Fatal("the kept catalog cannot be read")
	}
	damage := func(raw []byte) {
		t.Helper()
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := r.agent.loadCatalog(appliedFile); ok {
			t.Fatalf("a damaged catalog was taken: %s", cmp.Diff(want, got))
		}
	}
	for i := range good {
		raw := append([]byte{}, good...)
		raw[i] ^= 4
		damage(raw)
		damage(good[:i])
	}
	if r.compiles(dir) != 1 {
		t.Error("a damaged catalog was not compiled again")
	}
	if r.compiles(dir) != 0 {
		t.Error("the catalog that was compiled again is not kept")
	}
}

func TestAuditThatTheDiskLost(t *testing.T) {
	r := newRig(t)
	dir := r.folder("one")
	r.agent.Audit = true
	for name, left := range map[string]string{"nothing": "", "a half": `{"started":"2026-11-21T10:0`, "zeros": "\x00\x00\x00"} {
		r.compiles(dir)
		if err := os.WriteFile(filepath.Join(r.agent.Dir.Path, "apply", lastFile), []byte(left), 0o600); err != nil {
			t.Fatal(err)
		}
		if last, ok, err := r.agent.Newest(); err != nil || ok {
			t.Errorf("%s: Newest() = %+v, %v, %v, want no run and no error", name, last, ok, err)
		}
		r.compiles(dir)
		if last, ok, err := r.agent.Newest(); err != nil || !ok || last.Catalog.Find("file.motd") == nil {
			t.Errorf("%s: Newest() = %+v, %v, %v after another audit, want it", name, last, ok, err)
		}
	}
}

// A catalog that an older agent kept has one digest for all that follows.
func TestCatalogOfAnOlderAgent(t *testing.T) {
	a := newRig(t).agent
	catalog := `{"resources":[]}`
	rest := `{"key":"k","bundle":"b","compiled":{"raw":null,"digest":"` + inventory.Digest([]byte(catalog)) + `","reads":[]}}` + "\n" + catalog
	for name, tt := range map[string]struct {
		text string
		want bool
	}{"whole": {rest, true}, "damaged": {rest + " ", false}} {
		file := inventory.Digest([]byte(rest)) + "\n" + tt.text
		if err := os.WriteFile(filepath.Join(a.Dir.Path, name), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, ok := a.loadCatalog(name); ok != tt.want || ok && string(c.Compiled.Raw) != catalog {
			t.Errorf("%s: loadCatalog = %+v, %t, want %t", name, c, ok, tt.want)
		}
	}
}

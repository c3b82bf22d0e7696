package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies/bundle"
	"plumb/policies/lang"
)

// TestPoliciesSayTheWork compiles both ways of writing a small work, and counts what they make.
func TestPoliciesSayTheWork(t *testing.T) {
	w := &work{name: "W", files: 90, groups: 5, users: 5, crons: 3, lines: 3}
	if err := w.lay(filepath.Join(t.TempDir(), "W")); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		files map[string]string
		want  int
	}{
		"compact": {map[string]string{"work.hcl": w.compact()}, 90 + 5 + 5 + 3 + 3},
		"blocks":  {w.blocks(), 90},
	}
	for name, c := range cases {
		tree := bundle.Tree{}
		for file, text := range c.files {
			tree[file] = []byte(text)
		}
		config, problems := lang.Load(tree)
		if len(problems) > 0 {
			t.Fatalf("%s: Load() = %v", name, problems)
		}
		out := config.Compile(lang.Input{Host: inventory.Host{Name: "a"}, Facts: map[string]any{}})
		if len(out.Problems) > 0 || len(out.Catalog.Resources) != c.want {
			t.Errorf("%s: Compile() has %d resources and %v, want %d", name, len(out.Catalog.Resources), out.Problems, c.want)
		}
		for _, r := range out.Catalog.Resources {
			if want := w.items.Files[7].Content; strings.HasSuffix(r.Address, "f[7]") && !bytes.Contains(r.Attributes, []byte(want[len(firstLine(7)):60])) {
				t.Errorf("%s: %s wants %s", name, r.Address, r.Attributes)
			}
		}
	}
}

// TestMinimalFindsWhatDiffers runs the minimal program on a work, and again after one file changed.
func TestMinimalFindsWhatDiffers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: the minimal program wants the files to be root's")
	}
	dir := t.TempDir()
	minimal := filepath.Join(dir, "minimal")
	if out, err := exec.Command("go", "build", "-o", minimal, "./minimal").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w := &work{name: "W", files: 20, groups: 5, users: 5, sysctls: 5, lines: 3}
	if err := w.lay(filepath.Join(dir, "W")); err != nil {
		t.Fatal(err)
	}
	runners, err := w.ours("none", minimal)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(minimal, runners[0].argv[1]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.WriteFile(w.items.Files[3].Path, []byte("other"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(minimal, runners[0].argv[1]).Run(); err == nil {
		t.Error("the minimal program finds nothing where a file differs")
	}
}

func TestLookReadsOurselves(t *testing.T) {
	u, err := look(os.Getpid())
	if err != nil || u.resident <= 0 || u.most < u.resident || u.name == "" {
		t.Errorf("look() = %+v, %v", u, err)
	}
}

func TestTable(t *testing.T) {
	one := &runner{name: "one", wall: []time.Duration{3e6, 1e6, 2e6}, cpu: []time.Duration{1e6}}
	two := &runner{name: "two", wall: []time.Duration{8e6}, cpu: []time.Duration{1e6}, goal: 5e6}
	var b bytes.Buffer
	table(&b, []*runner{one, two, {name: "three", failure: "took more than 5m0s"}})
	for _, want := range []string{"2.0 ms", "4.0    under 5.0 ms: no", "took more than 5m0s"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("table() lacks %q:\n%s", want, b.String())
		}
	}
}

package agent

import (
	"os"
	"path/filepath"
	"testing"
)

// A copy of the state folder on another machine has another name there; the same machine keeps its own
// until it boots.
func TestInstance(t *testing.T) {
	one, other := t.TempDir(), t.TempDir()
	for _, root := range []string{one, other} {
		if err := os.Mkdir(filepath.Join(root, "run"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	name := Instance(one)
	if Instance(one) != name || Instance(other) == name {
		t.Errorf("Instance = %q, %q, %q; want the first twice", name, Instance(one), Instance(other))
	}
	if err := os.RemoveAll(filepath.Join(one, "run", "plumb-agent")); err != nil {
		t.Fatal(err)
	}
	if Instance(one) == name {
		t.Error("a boot did not change the name")
	}
}

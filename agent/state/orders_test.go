package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
)

func TestOrdersKeepOnlyTheirSets(t *testing.T) {
	d := open(t)
	if got, err := d.Granted(); err != nil || len(got) != 0 {
		t.Fatalf("Granted on a new host = %v, %v", got, err)
	}
	var digests []string
	for _, text := range []string{"one", "two"} {
		digests = append(digests, inventory.Digest([]byte(text)))
		if err := d.HoldSet(inventory.Digest([]byte(text)), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(d.file(setsFolder), tempMark+"1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err) // what a kill leaves
	}
	want := []Granted{{Rollout: "web", Cycle: 2, Digest: digests[1], Offered: 1, Taken: 2, Emergency: true, Undo: true}}
	if err := d.SaveGranted(want); err != nil {
		t.Fatal(err)
	}
	got, err := d.Granted()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Granted: %v (-want +got):\n%s", err, diff)
	}
	left, _ := os.ReadDir(d.file(setsFolder))
	for _, e := range left {
		if e.Name() != digests[1]+".json" && e.Name() != tempMark+"1" {
			t.Errorf("%s is still held", e.Name())
		}
	}
	if raw, err := d.Set(digests[1]); err != nil || string(raw) != "two" {
		t.Errorf("Set = %q, %v", raw, err)
	}
	if _, err := d.Set(digests[0]); err == nil {
		t.Error("a set that nothing names is still there")
	}
	if err := os.WriteFile(filepath.Join(d.file(setsFolder), digests[1]+".json"), []byte("twO"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Set(digests[1]); err == nil {
		t.Error("a set that rotted was read")
	}
}

func TestLockSweepsSets(t *testing.T) {
	d := open(t)
	dir, err := d.Sub(setsFolder)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, tempMark+"123")
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Lock(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("what a kill left is still there")
	}
}

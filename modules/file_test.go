package modules

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/modules/system"
)

func TestFileAppliesOnce(t *testing.T) {
	root := t.TempDir()
	sys := &system.System{Root: root, State: t.TempDir()}
	content := "one\n"
	f := &File{Path: "/motd", State: "present", Links: "refuse", Content: &content, Mode: "0640", Backup: 3}
	ctx := context.Background()
	for _, before := range []string{"", "other\n"} {
		if before != "" {
			if err := os.WriteFile(filepath.Join(root, "motd"), []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		changes, err := f.Check(ctx, sys)
		if err != nil || len(changes) == 0 {
			t.Fatalf("Check before = %v, %v, want changes", changes, err)
		}
		if err := f.Apply(ctx, sys, changes); err != nil {
			t.Fatal(err)
		}
		if changes, err := f.Check(ctx, sys); err != nil || len(changes) != 0 {
			t.Errorf("Check after = %v, %v, want nothing", changes, err)
		}
	}
	old, err := sys.Original("/motd")
	if err != nil || string(old.Content) != "other\n" {
		t.Errorf("Original = %q, %v, want what was there before", old.Content, err)
	}
}

func TestValidateCmdKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	sys := &system.System{Root: "/"}
	path := filepath.Join(dir, "conf")
	if err := os.WriteFile(path, []byte("good\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bad := "bad\n"
	f := &File{Path: path, State: "present", Links: "refuse", Content: &bad,
		ValidateCmd: []string{"sh", "-c", `grep good "$1" || { echo line 1 is bad >&2; exit 3; }`, "sh", "%"}}
	ctx := context.Background()
	changes, err := f.Check(ctx, sys)
	if err != nil {
		t.Fatal(err)
	}
	err = f.Apply(ctx, sys, changes)
	if err == nil || !strings.Contains(err.Error(), "line 1 is bad") {
		t.Errorf("Apply = %v, want the words of the validator", err)
	}
	if raw, _ := os.ReadFile(path); string(raw) != "good\n" {
		t.Errorf("the file is now %q, want the old content", raw)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d entries in the folder, want no temporary file", len(list))
	}
}

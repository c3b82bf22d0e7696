package lang

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"plumb/policies/bundle"
)

// Each folder of testdata/valid is a repository that compiles without a word on a Debian host.
func TestValid(t *testing.T) {
	folders, err := filepath.Glob("testdata/valid/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("testdata/valid: %v, %v", folders, err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			out := compiled(t, readTree(t, folder), debian())
			if len(out.Catalog.Resources) == 0 {
				t.Error("the catalog is empty")
			}
		})
	}
}

func readTree(t *testing.T, folder string) bundle.Tree {
	t.Helper()
	tree := bundle.Tree{}
	root := os.DirFS(folder)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		tree[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

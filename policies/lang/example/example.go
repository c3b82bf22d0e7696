// Package example holds the policy repository that plumb init makes.
//
// It is meant to be read: its comments teach the language. It compiles without a problem, and
// on a usual Debian host nothing in it is dangerous.
package example

import (
	"embed"
	"io/fs"

	"plumb/policies/bundle"
)

//go:embed all:tree
var files embed.FS

// Example returns the files of the repository.
func Example() bundle.Tree {
	tree := bundle.Tree{}
	root, err := fs.Sub(files, "tree")
	if err != nil {
		return tree // the folder is part of the program
	}
	_ = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		tree[name], err = fs.ReadFile(root, name)
		return err
	})
	return tree
}

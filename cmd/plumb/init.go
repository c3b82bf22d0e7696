package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"plumb/policies/baseline"
	"plumb/policies/bundle"
	"plumb/policies/lang/example"
)

func initCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Make a new policy repository with working examples",
		Long: `Writes a policy repository that compiles as it is: an example policy to learn from and
the shipped baselines in audit mode. The folder may exist, but nothing in it is overwritten.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			tree, err := startTree()
			if err != nil {
				return err
			}
			if err := writeTree(args[0], tree); err != nil {
				return err
			}
			made := map[string]any{"dir": args[0], "files": slices.Sorted(maps.Keys(tree))}
			return t.show(made, func() {
				t.say("%s holds a policy repository of %d files; look at README.md first", args[0], len(tree))
				t.say("next: cd %s && git init -b main && git add --all && git commit -m 'Start' && plumb validate", args[0])
			})
		},
	}
}

func startTree() (bundle.Tree, error) {
	tree := example.Example()
	shipped, err := baseline.Tree()
	if err != nil {
		return nil, err
	}
	maps.Copy(tree, shipped)
	return tree, nil
}

// writeTree looks first and writes then, so that a refusal leaves nothing behind.
func writeTree(dir string, tree bundle.Tree) error {
	for name := range tree {
		_, err := os.Lstat(filepath.Join(dir, name))
		if err == nil {
			return hinted{fmt.Errorf("%s is there already", filepath.Join(dir, name)), "name a new or an empty folder"}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for name, data := range tree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"plumb/policies"
	"plumb/policies/lang/format"
)

func fmtCommand(t *terminal) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [DIR]",
		Short: "Lay out policy files in the one way",
		Long:  "Rewrites the *.hcl files below DIR (here) and lists those that changed. With --check it changes nothing and exits with 2 when it would.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			changed, problems, err := formatAll(folderArg(args), !check)
			if err != nil {
				return err
			}
			if err := t.show(map[string]any{"changed": changed}, func() { t.say("%s", strings.Join(changed, "\n")) }); err != nil {
				return err
			}
			if len(problems) > 0 {
				return t.printProblems(problems)
			}
			if check && len(changed) > 0 {
				return errDiffers
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only tell which files would change")
	return cmd
}

func formatAll(dir string, write bool) (changed []string, problems []policies.Problem, err error) {
	tree, err := readTree(dir)
	if err != nil {
		return nil, nil, err
	}
	changed = []string{}
	for name, old := range tree {
		if !strings.HasSuffix(name, ".hcl") {
			continue
		}
		laid, wrong := format.Format(old, name)
		problems = append(problems, wrong...)
		if len(wrong) > 0 || bytes.Equal(old, laid) {
			continue
		}
		changed = append(changed, name)
		if !write {
			continue
		}
		if err := replace(filepath.Join(dir, name), laid); err != nil {
			return changed, problems, fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	slices.Sort(changed)
	return changed, problems, nil
}

// replace keeps the file's mode, and never leaves half a file.
func replace(path string, data []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".plumb-fmt", data, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(path+".plumb-fmt", path)
}

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/compiler"
	"plumb/policies/lang"
)

func validateCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "validate [DIR]",
		Short: "Find every mistake in a policy repository that shows without a host",
		Long:  "Parses and type-checks all *.hcl and *.hcl.json files below DIR (here). Exits with 1 when there is a mistake.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tree, err := readTree(folderArg(args))
			if err != nil {
				return err
			}
			raw, err := bundle.Pack(tree)
			if err != nil {
				return err
			}
			res, err := compiler.Compiler{}.Compile(cmd.Context(), compiler.Request{Bundle: raw})
			if err != nil {
				return err
			}
			return t.printProblems(append(res.Problems, policies.Aged(res.Waivers, time.Now())...))
		},
	}
}

func folderArg(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// readTree reads a working tree as a commit of it would be: regular files, without Git's own.
func readTree(dir string) (bundle.Tree, error) {
	tree, total := bundle.Tree{}, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if total += len(data); total > bundle.MaxBytes {
			return hinted{fmt.Errorf("%s holds more than %d MiB", dir, bundle.MaxBytes>>20), "is it really a policy repository?"}
		}
		name, err := filepath.Rel(dir, path)
		tree[filepath.ToSlash(name)] = data
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the policy repository: %w", err)
	}
	return tree, nil
}

// printProblems shows mistakes; they are results, so they go to stdout as JSON, and to stderr in words.
func (t *terminal) printProblems(problems []policies.Problem) error {
	errs := 0
	for _, p := range problems {
		if p.Severity == "error" {
			errs++
		}
	}
	answer := map[string]any{"format_version": "1.0", "valid": errs == 0, "error_count": errs, "problems": append([]policies.Problem{}, problems...)}
	err := t.show(answer, func() {
		lang.Write(t.errs, problems, false)
		if errs == 0 {
			t.say("The policy repository is valid.")
		}
	})
	if err != nil || errs == 0 {
		return err
	}
	return fmt.Errorf("%d mistake%s in the policy repository", errs, strings.Repeat("s", min(errs-1, 1)))
}

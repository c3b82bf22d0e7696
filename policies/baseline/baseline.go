// Package baseline holds the baselines that we ship: policies that measure a host against a
// published benchmark, in our own words.
//
// They come in audit mode. A team copies one into its repository, reads it, and sets mode to
// enforce where it means it.
package baseline

import (
	"embed"
	"fmt"
	"io/fs"

	"plumb/policies/bundle"
)

//go:embed *.hcl
var files embed.FS

// Tree returns every baseline, by its path in a policy repository.
func Tree() (bundle.Tree, error) {
	names, err := fs.Glob(files, "*.hcl")
	if err != nil {
		return nil, err
	}
	tree := bundle.Tree{}
	for _, name := range names {
		if tree["baselines/"+name], err = files.ReadFile(name); err != nil {
			return nil, fmt.Errorf("cannot read the baseline %s: %w", name, err)
		}
	}
	return tree, nil
}

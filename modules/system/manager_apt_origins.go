package system

import (
	"context"
	"fmt"

	"plumb/inventory"
)

// Origins reads apt's own copies of the package lists, once for all of the versions.
func (a aptManager) Origins(ctx context.Context, wanted []Target) (map[Target][]inventory.Offer, error) {
	found := map[Target][]inventory.Offer{}
	if len(wanted) == 0 {
		return found, nil
	}
	db, err := a.s.Dpkg()
	if err != nil {
		return nil, fmt.Errorf("cannot tell where versions come from: %w", err)
	}
	asked := &Dpkg{packages: map[string][]Package{}} // lists are read for the names that it knows
	for _, t := range wanted {
		asked.packages[t.bare()] = []Package{{}}
	}
	versions, err := a.versions(ctx, asked)
	if err != nil {
		return nil, fmt.Errorf("cannot tell where versions come from: %w", err)
	}
	for _, t := range wanted {
		for i := range versions[t.bare()] {
			if v := &versions[t.bare()][i]; v.version == t.Version && t.fits(v.arch) {
				there, _ := t.find(db)
				found[t] = append(found[t], v.offer(there, t.Name, versions[t.bare()]))
			}
		}
	}
	return found, nil
}

// fits tells whether a package of the architecture may be what the target names.
func (t Target) fits(arch string) bool {
	return t.arch() == arch || t.arch() == "" || t.arch() == "all" || arch == "all"
}

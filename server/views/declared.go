package views

import (
	"cmp"
	"context"
	"slices"

	"plumb/policies"
)

// declare adds what the newest release says of its policies, also of those that no host has yet. How hosts stand
// is known without that, so a release that cannot be asked takes nothing else away.
func (r Reader) declare(ctx context.Context, c *Compliance) error {
	if r.Plans == nil {
		return nil
	}
	p, err := r.Plans(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		c.Undescribed = err.Error()
		return nil
	}
	c.Release, c.Policies = p.Release, described(c.Policies, p.Policies)
	return nil
}

// described puts what policies say of themselves to how hosts stand with them, by name.
func described(standings []PolicyStanding, infos []policies.PolicyInfo) []PolicyStanding {
	for _, one := range infos {
		i, known := slices.BinarySearchFunc(standings, one.Name, func(p PolicyStanding, name string) int { return cmp.Compare(p.Name, name) })
		if !known {
			standings = slices.Insert(standings, i, policyStanding(one.Name, Tally{}, nil))
		}
		standings[i].Declared = &one
	}
	return standings
}

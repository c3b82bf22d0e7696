package patch

import (
	"cmp"
	"slices"

	"plumb/inventory"
)

// Set is what one patch cycle carries: exact versions, frozen when the cycle begins, so that the
// last ring gets what the first one tested. It is stored as JSON and named by its digest.
//
// A set holds what is approved for any host of the rollout. A host takes of it what it has
// installed in an older version and what its own baseline lets in, so a set that a stolen server
// made brings nothing to a host that its policy does not allow.
type Set struct {
	// Rollout is the rollout block that carries it, Baseline the patch baseline that approved it.
	Rollout  string `json:"rollout"`
	Baseline string `json:"baseline"`
	// Items are sorted; see [Item.Compare].
	Items []Item `json:"items"`
}

// Item is one version of one package.
type Item struct {
	// Manager is apt, dnf or zypper.
	Manager string `json:"manager"`
	// Package is the binary package and Source what it is built from.
	Package string `json:"package"`
	Source  string `json:"source"`
	Arch    string `json:"arch"`
	// Version is exact, in the manager's own words.
	Version string `json:"version"`
	// Repository is that of [inventory.Offer.Repository].
	Repository string `json:"repository"`
	// Level is how bad it is when it is missing: critical, high, medium, low or empty.
	Level string `json:"level,omitempty"`
	// Dependency is true when it is only let in because something else needs it.
	Dependency bool `json:"dependency,omitempty"`
}

// Compare orders items as Set.Items has them.
func (i Item) Compare(other Item) int {
	return cmp.Or(cmp.Compare(i.Manager, other.Manager), cmp.Compare(i.Repository, other.Repository),
		cmp.Compare(i.Package, other.Package), cmp.Compare(i.Arch, other.Arch), cmp.Compare(i.Version, other.Version))
}

// ItemOf is the item for an offer.
func ItemOf(o inventory.Offer) Item {
	return Item{Manager: o.Manager, Package: o.Package, Source: o.Source, Arch: o.Arch, Version: o.Candidate, Repository: o.Repository()}
}

// Normal returns the set with its items in order and without doubles: equal sets have equal bytes.
func (s Set) Normal() Set {
	s.Items = slices.Clone(s.Items)
	slices.SortFunc(s.Items, Item.Compare)
	s.Items = slices.CompactFunc(s.Items, func(a, b Item) bool { return a.Compare(b) == 0 })
	if s.Items == nil {
		s.Items = []Item{}
	}
	return s
}

// Order is a set that a host was given.
type Order struct {
	// Rollout and Cycle name the patch cycle; cycles of a rollout count from 1.
	Rollout string `json:"rollout"`
	Cycle   uint64 `json:"cycle"`
	// Digest names Set.
	Digest string `json:"digest"`
	Set    Set    `json:"set"`
	// Offered is when the cycle was first open to the host's ring, in seconds since 1970: the
	// deadline counts from it.
	Offered int64 `json:"offered"`
	// Taken is when the host first held it, by its own clock: the grace counts from it.
	Taken int64 `json:"taken"`
	// Emergency passes the freezes that let the lane "emergency" through.
	Emergency bool `json:"emergency,omitempty"`
	// Undo wants the versions back that the host had before.
	Undo bool `json:"undo,omitempty"`
}

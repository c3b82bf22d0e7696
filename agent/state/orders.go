package state

import (
	"fmt"
	"os"
	"path/filepath"

	"plumb/inventory"
)

// Granted is a patch cycle that the newest lease lets the host take part in. Its set lies beside
// it in the state folder, by its digest.
type Granted struct {
	// Rollout, Cycle and Digest name the cycle and its set.
	Rollout string `json:"rollout"`
	Cycle   uint64 `json:"cycle"`
	Digest  string `json:"digest"`
	// Offered is when the cycle was first open to the host's ring, Taken since when the host has
	// held it without a break, both in seconds since 1970.
	Offered int64 `json:"offered"`
	Taken   int64 `json:"taken"`
	// Emergency and Undo are as the lease says.
	Emergency bool `json:"emergency,omitempty"`
	Undo      bool `json:"undo,omitempty"`
	// Refused says why the set is not believed, By which version of the agent found that.
	Refused string `json:"refused,omitempty"`
	By      string `json:"by,omitempty"`
}

const (
	ordersFile = "orders.json"
	setsFolder = "sets"
)

// Granted returns the patch cycles that are granted; none yet is not an error.
func (d *Dir) Granted() ([]Granted, error) {
	var list []Granted
	_, err := d.Load(ordersFile, &list)
	return list, err
}

// SaveGranted replaces them all at once, and removes the sets that nothing names any more. What a
// host has under way does not need its order for that: the kind keeps a journal of its own.
func (d *Dir) SaveGranted(list []Granted) error {
	if list == nil {
		list = []Granted{}
	}
	if err := d.Save(ordersFile, list); err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, one := range list {
		keep[one.Digest+".json"] = true
	}
	d.Forget(setsFolder+"/*", keep)
	return nil
}

// HoldSet stores a verified patch set, before an order names it.
func (d *Dir) HoldSet(digest string, raw []byte) error {
	dir, err := d.Sub(setsFolder)
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, digest+".json"), raw)
}

// Set returns the bytes of a held patch set. One that rotted on the disk is an error.
func (d *Dir) Set(digest string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(d.file(setsFolder), digest+".json"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the patch set %.12s: %w", digest, err)
	}
	if inventory.Digest(raw) != digest {
		return nil, fmt.Errorf("the patch set %.12s is damaged on the disk", digest)
	}
	return raw, nil
}

package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"plumb/inventory"
)

// Held is a release whose bundle lies in the state folder.
type Held struct {
	// Number and Commit are as its signed tag says.
	Number uint64 `json:"number"`
	Commit string `json:"commit"`
	// Tag and Bundle are the SHA-256 of the tag object and of the bundle.
	Tag    string `json:"tag"`
	Bundle string `json:"bundle"`
	// Signer is whose key signed the tag.
	Signer string `json:"signer"`
}

// Trial is a release that has not yet shown that this host can live with it.
type Trial struct {
	Held
	// Attempts counts the runs that began; one that never ends was killed by what it ran.
	Attempts int `json:"attempts"`
}

// Quarantine is a release that failed here and is not taken again.
type Quarantine struct {
	Number uint64 `json:"number"`
	Tag    string `json:"tag"`
	// Bundle is what failed: the same tree under a new signature fails again.
	Bundle string `json:"bundle"`
	// Reason is a sentence for people.
	Reason string `json:"reason"`
}

// Releases says which releases the host holds.
type Releases struct {
	// Good is the release that is in force, Previous the one before it.
	Good     *Held `json:"good,omitempty"`
	Previous *Held `json:"previous,omitempty"`
	// Trial is the release that is to take Good's place.
	Trial *Trial `json:"trial,omitempty"`
	// Quarantined is the newest release that failed here.
	Quarantined *Quarantine `json:"quarantined,omitempty"`
}

const releasesFile = "releases.json"

// Releases returns what the host holds; nothing yet is not an error.
func (d *Dir) Releases() (Releases, error) {
	var r Releases
	_, err := d.Load(releasesFile, &r)
	return r, err
}

// SaveReleases writes it, and removes the bundles and tags that nothing names any more.
func (d *Dir) SaveReleases(r Releases) error {
	if err := d.Save(releasesFile, r); err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, one := range []*Held{r.Good, r.Previous, r.trial()} {
		if one != nil {
			keep[one.Tag+".tag"], keep[one.Bundle+".bundle"] = true, true
		}
	}
	entries, err := os.ReadDir(d.file("releases"))
	if err != nil {
		return nil // there are none yet
	}
	for _, e := range entries {
		if !keep[e.Name()] && !strings.HasPrefix(e.Name(), tempMark) {
			os.Remove(filepath.Join(d.file("releases"), e.Name())) // what stays only takes room
		}
	}
	return nil
}

func (r Releases) trial() *Held {
	if r.Trial == nil {
		return nil
	}
	return &r.Trial.Held
}

// Hold stores a verified tag and its verified bundle, before anything names them.
func (d *Dir) Hold(h Held, tag, bundle []byte) error {
	dir, err := d.Sub("releases")
	if err != nil {
		return err
	}
	if err := WriteFile(filepath.Join(dir, h.Tag+".tag"), tag); err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, h.Bundle+".bundle"), bundle)
}

// Bundle returns the bundle of a held release. A bundle that rotted on the disk is an error.
func (d *Dir) Bundle(h Held) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(d.file("releases"), h.Bundle+".bundle"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the held release %d: %w", h.Number, err)
	}
	if inventory.Digest(raw) != h.Bundle {
		return nil, fmt.Errorf("the held release %d is damaged on the disk", h.Number)
	}
	return raw, nil
}

package state

import (
	"fmt"
	"os"
	"path/filepath"
)

const partsFolder = "parts"

// Part opens what came so far of the download with that digest; whoever writes to it adds to its
// end. Nothing is synced, and nothing of it is right before the digest of the whole is.
func (d *Dir) Part(digest string) (*os.File, error) {
	dir, err := d.Sub(partsFolder)
	if err != nil {
		return nil, err
	}
	part, err := os.OpenFile(filepath.Join(dir, digest), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot keep a download: %w", err)
	}
	return part, nil
}

// DropPart removes what came of a download.
func (d *Dir) DropPart(digest string) {
	os.Remove(filepath.Join(d.file(partsFolder), digest)) // what stays only takes room
}

// ForgetParts removes all downloads under way but those to keep.
func (d *Dir) ForgetParts(keep ...string) {
	kept := map[string]bool{}
	for _, digest := range keep {
		kept[digest] = true
	}
	d.Forget(partsFolder+"/*", kept)
}

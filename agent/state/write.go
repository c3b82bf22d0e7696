package state

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

const tempMark = ".new-"

// WriteFile replaces a file by a 0600 one with these bytes. When it returns nil they are on
// the disk; when the machine stops before, the old bytes are still there.
func WriteFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return syncDir(dir) // a quiet host does not wear its disk out
	}
	f, err := os.CreateTemp(dir, tempMark+"*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // fails after the rename, which is fine
	if err := fill(f, data); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return syncDir(dir)
}

func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot sync %s: %w", path, err)
	}
	return nil
}

// sweep removes what a killed write left behind.
func sweep(dir string) {
	old, _ := filepath.Glob(filepath.Join(dir, tempMark+"*"))
	for _, path := range old {
		os.Remove(path)
	}
}

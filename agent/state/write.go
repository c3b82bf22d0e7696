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
	if !Says(path, data) { // a quiet host does not wear its disk out
		if err := replace(path, data, (*os.File).Sync); err != nil {
			return err
		}
	}
	return SyncDir(filepath.Dir(path))
}

// WriteCache is as [WriteFile], but does not wait for the disk: when the machine stops, the file may
// be the old one, the new one, or damaged. It is for what says itself whether it is whole, and can
// be had again.
func WriteCache(path string, data []byte) error {
	if Says(path, data) {
		return nil
	}
	return replace(path, data, func(*os.File) error { return nil })
}

// Says tells whether the file has these bytes, which may not be on the disk yet.
func Says(path string, data []byte) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() != int64(len(data)) {
		return false
	}
	old, err := os.ReadFile(path)
	return err == nil && bytes.Equal(old, data)
}

func replace(path string, data []byte, sync func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), tempMark+"*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // fails after the rename, which is fine
	if err := fill(f, data, sync); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func fill(f *os.File, data []byte, sync func(*os.File) error) error {
	_, err := f.Write(data)
	if err == nil {
		err = sync(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// SyncDir waits until the names in a folder are on the disk.
func SyncDir(path string) error {
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

// sweep removes what a killed write left behind in the folders that a pattern means.
func sweep(folders string) {
	old, _ := filepath.Glob(filepath.Join(folders, tempMark+"*"))
	for _, path := range old {
		os.Remove(path)
	}
}

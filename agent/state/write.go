package state

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

const tempMark = ".new-"

// WriteFile replaces a file by a 0600 one with these bytes, one part after the other. When it returns
// nil they are on the disk; when the machine stops before, the old bytes are still there.
func WriteFile(path string, parts ...[]byte) error {
	if !Says(path, parts...) { // a quiet host does not wear its disk out
		if err := replace(path, parts, (*os.File).Sync); err != nil {
			return err
		}
	}
	return SyncDir(filepath.Dir(path))
}

// WriteCache is as [WriteFile], but does not wait for the disk: when the machine stops, the file may
// be the old one, the new one, or damaged. It is for what says itself whether it is whole, and can
// be had again.
func WriteCache(path string, parts ...[]byte) error {
	if Says(path, parts...) {
		return nil
	}
	return replace(path, parts, func(*os.File) error { return nil })
}

// Says tells whether the file has these bytes, which may not be on the disk yet.
func Says(path string, parts ...[]byte) bool {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != int64(size) {
		return false
	}
	old, err := os.ReadFile(path)
	if err != nil || len(old) != size {
		return false
	}
	for _, part := range parts {
		if !bytes.Equal(old[:len(part)], part) {
			return false
		}
		old = old[len(part):]
	}
	return true
}

func replace(path string, parts [][]byte, sync func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), tempMark+"*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // fails after the rename, which is fine
	if err := fill(f, parts, sync); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

func fill(f *os.File, parts [][]byte, sync func(*os.File) error) (err error) {
	for _, part := range parts {
		if err == nil {
			_, err = f.Write(part)
		}
	}
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

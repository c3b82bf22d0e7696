package patching

import (
	"fmt"
	"os"
	"path/filepath"
)

// putFile replaces a file by these bytes in one instant. When it returns nil they are on the disk.
func putFile(path string, raw []byte) error {
	temp := path + ".new" // one agent at a time holds the state folder
	if err := fill(temp, raw); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("cannot replace the file: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func fill(path string, raw []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

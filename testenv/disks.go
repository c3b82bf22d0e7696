package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// claimDisks makes the folder on which the disks of a run are mounted, and locks it for as long
// as the file that it returns is open. It clears away the folders and cgroups of runs that
// were killed: theirs nobody holds.
func claimDisks(cache Cache) (*os.File, error) {
	all, err := lock(string(cache), syscall.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("cannot make a place for disks: %w", err)
	}
	defer all.Close() // until our own folder is locked too
	old, _ := filepath.Glob(filepath.Join(string(cache), "disks-*"))
	for _, dir := range old {
		if held, err := lock(dir, syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			dropDisks(held)
		}
	}
	dir, err := os.MkdirTemp(string(cache), "disks-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a place for disks: %w", err)
	}
	return lock(dir, syscall.LOCK_EX)
}

// dropDisks takes away what a run leaves. What was mounted on the folder is gone by then.
func dropDisks(dir *os.File) {
	removeCgroups(filepath.Base(dir.Name()))
	_ = os.Remove(dir.Name())
	_ = dir.Close()
}

func lock(dir string, how int) (*os.File, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

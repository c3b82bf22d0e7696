// Package state is the agent's own folder: who the host is, which keys it has pinned, what it
// has seen, the releases that it holds and what its last run left.
//
// Every file is replaced as a whole and synced with its folder before a write returns, so
// that a kill or a power cut leaves the old bytes or the new ones. Only one agent may hold the
// folder's lock; readers need none.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"plumb/policies/canon"
)

// DefaultDir is where the agent keeps its state when nobody says otherwise.
const DefaultDir = "/var/lib/plumb-agent"

// ErrBusy means that another agent holds the lock of the state folder.
var ErrBusy = errors.New("another plumb-agent is at work")

// Dir is an open state folder.
type Dir struct {
	// Path is the folder.
	Path string

	lock *os.File
}

// Open makes the folder where needed and closes it to everybody but its owner.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state folder: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the state folder: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o700); err != nil {
			return nil, fmt.Errorf("cannot close the state folder to others: %w", err)
		}
	}
	return &Dir{Path: path}, nil
}

// Lock takes the folder for this process until [Dir.Close]. The error wraps [ErrBusy] when
// another process has it. The kernel drops the lock of a process that dies.
func (d *Dir) Lock() error {
	f, err := os.OpenFile(d.file("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("cannot lock the state folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("cannot lock the state folder: %w", err)
		}
		pid := make([]byte, 20)
		n, _ := f.Read(pid)
		return fmt.Errorf("%w on %s (process %s)", ErrBusy, d.Path, strings.TrimSpace(string(pid[:n])))
	}
	d.lock = f
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for people only
	sweep(d.Path)
	sweep(d.file("*"))
	return nil
}

// Close gives the lock back.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return err
}

// Sub returns the path of a folder inside the state folder, and makes it.
func (d *Dir) Sub(name string) (string, error) {
	path := d.file(name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("cannot make %s: %w", path, err)
	}
	return path, nil
}

func (d *Dir) file(name string) string { return filepath.Join(d.Path, name) }

// read returns the bytes of a file, and whether there is one.
func (d *Dir) read(name string) ([]byte, bool, error) {
	raw, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("cannot read the state: %w", err)
	}
	return raw, true, nil
}

// Load reads a JSON file of the folder into v and tells whether there was one.
func (d *Dir) Load(name string, v any) (bool, error) {
	raw, ok, err := d.read(name)
	if err != nil || !ok {
		return false, err
	}
	body, err := Unseal(raw)
	if err == nil {
		err = canon.Unmarshal(body, v)
	}
	if err != nil {
		return false, fmt.Errorf("the state file %s is damaged: %w: %w", name, ErrDamaged, err)
	}
	return true, nil
}

// Save writes v as a JSON file of the folder.
func (d *Dir) Save(name string, v any) error {
	raw, err := d.sealed(name, v)
	if err != nil {
		return err
	}
	return WriteFile(d.file(name), raw)
}

// SaveChanged is as [Dir.Save], but does not wait for the disk when the file says the same already.
func (d *Dir) SaveChanged(name string, v any) error {
	raw, err := d.sealed(name, v)
	if err != nil || Says(d.file(name), raw) {
		return err
	}
	return WriteFile(d.file(name), raw)
}

// SaveLoose is as [Dir.Save], but does not wait for the disk, see [WriteCache]: after the machine
// stopped, [Dir.Load] may say [ErrDamaged].
func (d *Dir) SaveLoose(name string, v any) error {
	raw, err := d.sealed(name, v)
	if err != nil {
		return err
	}
	return WriteCache(d.file(name), raw)
}

func (d *Dir) sealed(name string, v any) ([]byte, error) {
	room := 0
	if info, err := os.Stat(d.file(name)); err == nil {
		room = int(info.Size()) // what is there is about as long
	}
	raw, err := canon.Append(make([]byte, 0, room), v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the state file %s: %w", name, err)
	}
	return Seal(append(raw, '\n')), nil
}

// Remove deletes a file of the folder; that it is not there is fine.
func (d *Dir) Remove(name string) error {
	if err := os.Remove(d.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove the state file: %w", err)
	}
	return SyncDir(d.Path)
}

// Forget removes the files that match the pattern but those to keep.
func (d *Dir) Forget(pattern string, keep map[string]bool) {
	found, _ := filepath.Glob(d.file(pattern))
	for _, path := range found {
		if !keep[filepath.Base(path)] {
			os.Remove(path) // what stays only takes room
		}
	}
}

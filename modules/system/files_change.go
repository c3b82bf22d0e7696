package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Attributes are the owner and mode to give; nil leaves one as it is.
type Attributes struct {
	Mode     *uint32
	UID, GID *int
	// Own says that all of the folder is meant to belong to its owner. Then a file of
	// another user is touched there too, if the kernel would not have let anybody link it.
	Own bool
}

// Set changes owner and mode of a file or folder that is there. A link in the last place is
// an error. Where others may link files into the folder, only what already belongs to the
// folder's owner is touched: else they could hand us somebody's file to give away.
func (f Files) Set(name string, a Attributes) error {
	s, err := f.find(name, false)
	if err != nil {
		return fmt.Errorf("cannot change %s: %w", name, err)
	}
	defer s.close()
	if s.target < 0 {
		return fmt.Errorf("cannot change %s: %w", name, fs.ErrNotExist)
	}
	if err := s.set(a); err != nil {
		return fmt.Errorf("cannot change %s: %w", name, err)
	}
	return nil
}

func (s *spot) set(a Attributes) error {
	if s.st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return fmt.Errorf("%w: it is a symbolic link", ErrNotFile)
	}
	if !s.mayTouch() && !(a.Own && s.unlinkable()) {
		return fmt.Errorf("%w: others may swap what lies in %s, so its owner and mode cannot be changed safely",
			ErrUntrusted, s.folderPath())
	}
	return setInode(s.target, a)
}

// mayTouch tells whether the inode that was found cannot be somebody else's in disguise.
func (s *spot) mayTouch() bool {
	parent := s.top()
	if parent.closed() || s.name == "" && parent.safe() {
		return true
	}
	isFolder := s.st.Mode&unix.S_IFMT == unix.S_IFDIR
	if isFolder && parent.safe() {
		return true // folders cannot be hard-linked, and in a sticky folder not be moved
	}
	return len(parent.owners) > 0 && parent.ruledBy(s.st.Uid)
}

// unlinkable tells that nobody but its owner can have linked it to here: folders cannot be
// linked, and for a file the kernel forbids that (fs.protected_hardlinks) to whoever may
// not write to it.
func (s *spot) unlinkable() bool {
	if s.top().open {
		return false
	}
	if s.st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return true
	}
	if s.st.Mode&unix.S_IFMT != unix.S_IFREG || s.st.Nlink != 1 || s.st.Mode&0o022 != 0 {
		return false
	}
	raw, err := os.ReadFile("/proc/sys/fs/protected_hardlinks")
	return err == nil && strings.TrimSpace(string(raw)) == "1"
}

// setInode works on an O_PATH descriptor, so on the inode that was looked at and no other.
func setInode(fd int, a Attributes) error {
	if a.UID != nil || a.GID != nil {
		if err := unix.Fchownat(fd, "", orKeep(a.UID), orKeep(a.GID), unix.AT_EMPTY_PATH); err != nil {
			return fmt.Errorf("cannot give it to %d:%d: %w", orKeep(a.UID), orKeep(a.GID), err)
		}
	}
	if a.Mode == nil {
		return nil
	}
	if err := unix.Chmod(descriptor(fd), *a.Mode); err != nil {
		return fmt.Errorf("cannot set mode %04o: %w", *a.Mode, err)
	}
	return nil
}

func orKeep(id *int) int {
	if id == nil {
		return -1
	}
	return *id
}

// Mkdir makes one folder; its parent must be there. Without a mode it gets 0755.
func (f Files) Mkdir(name string, a Attributes) error {
	s, err := f.find(name, false)
	if err != nil {
		return fmt.Errorf("cannot make folder %s: %w", name, err)
	}
	defer s.close()
	if err := s.mkdir(a); err != nil {
		return fmt.Errorf("cannot make folder %s: %w", name, err)
	}
	return nil
}

func (s *spot) mkdir(a Attributes) error {
	if s.target >= 0 {
		return fs.ErrExist
	}
	if err := unix.Mkdirat(s.top().fd, s.name, 0o700); err != nil {
		return err
	}
	fd, st, err := pathFD(s.top().fd, s.name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := s.isFresh(fd, st); err != nil {
		return err
	}
	if a.Mode == nil {
		mode := uint32(0o755)
		a.Mode = &mode
	}
	return errors.Join(setInode(fd, a), syncFolder(s.top().fd))
}

// isFresh tells our new folder from one that was swapped in: ours is empty and our own.
func (s *spot) isFresh(fd int, st unix.Stat_t) error {
	names, err := folderNames(fd)
	if err != nil {
		return err
	}
	if st.Uid != s.files.euid || len(names) > 0 {
		return fmt.Errorf("%w: somebody swapped the new folder", ErrUntrusted)
	}
	return nil
}

// Symlink makes a symbolic link. A file or link that stands there is replaced in one
// instant when replace is set; a folder never is.
func (f Files) Symlink(target, name string, replace bool) error {
	s, err := f.find(name, false)
	if err != nil {
		return fmt.Errorf("cannot make link %s: %w", name, err)
	}
	defer s.close()
	if err := s.symlink(target, replace); err != nil {
		return fmt.Errorf("cannot make link %s: %w", name, err)
	}
	return nil
}

func (s *spot) symlink(target string, replace bool) error {
	if s.target >= 0 && !replace || s.name == "" {
		return fs.ErrExist
	}
	if s.target >= 0 && s.st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("a folder stands there: %w", fs.ErrExist)
	}
	s.sweep()
	temp := s.tempName()
	if err := unix.Symlinkat(target, s.top().fd, temp); err != nil {
		return err
	}
	return s.commit(temp)
}

// Remove removes one file, link or empty folder. What is not there is no error.
func (f Files) Remove(name string) error {
	s, err := f.find(name, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot remove %s: %w", name, err)
	}
	defer s.close()
	if s.target < 0 {
		return nil
	}
	if err := s.remove(); err != nil {
		return fmt.Errorf("cannot remove %s: %w", name, err)
	}
	return nil
}

func (s *spot) remove() error {
	if s.name == "" {
		return fmt.Errorf("it is the folder %s", s.folderPath())
	}
	s.sweep()
	if err := unix.Unlinkat(s.top().fd, s.name, removeFlag(s.st.Mode)); err != nil {
		return err
	}
	return syncFolder(s.top().fd)
}

func removeFlag(mode uint32) int {
	if mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.AT_REMOVEDIR
	}
	return 0
}

// RemoveAll removes a folder with all that lies below it, of at most limit entries. It
// follows no link and does not go into another file system.
func (f Files) RemoveAll(name string, limit int) error {
	s, err := f.find(name, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot remove %s: %w", name, err)
	}
	defer s.close()
	if s.target < 0 {
		return nil
	}
	left := limit
	if s.st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := count(s.target, s.st.Dev, &left); err != nil {
			return fmt.Errorf("cannot remove %s: %w", name, err)
		}
		if err := empty(s.target, s.st.Dev, 0); err != nil {
			return fmt.Errorf("cannot remove %s: %w", name, err)
		}
	}
	if err := s.remove(); err != nil {
		return fmt.Errorf("cannot remove %s: %w", name, err)
	}
	return nil
}

// maxDepth bounds how deep a tree may be that is counted or removed.
const maxDepth = 100

// count refuses a tree of too many entries before the first of them is gone.
func count(fd int, device uint64, left *int) error {
	return below(fd, device, 0, func(int, string, unix.Stat_t) error {
		if *left--; *left < 0 {
			return fmt.Errorf("%w: more entries than allowed lie below", ErrTooLarge)
		}
		return nil
	})
}

func empty(fd int, device uint64, depth int) error {
	return below(fd, device, depth, func(at int, name string, st unix.Stat_t) error {
		return unix.Unlinkat(at, name, removeFlag(st.Mode))
	})
}

// isMount tells a mount point from a plain folder, also when the same file system is
// mounted there once more.
func isMount(fd int) bool {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// below calls visit for every entry under the folder, children before their folder.
func below(fd int, device uint64, depth int, visit func(at int, name string, st unix.Stat_t) error) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: folders lie more than %d deep", ErrTooLarge, maxDepth)
	}
	names, err := folderNames(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := belowOne(fd, name, device, depth, visit); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func belowOne(at int, name string, device uint64, depth int, visit func(int, string, unix.Stat_t) error) error {
	fd, st, err := pathFD(at, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if st.Dev != device || isMount(fd) {
			return errors.New("another file system is mounted there")
		}
		if err := below(fd, device, depth+1, visit); err != nil {
			return err
		}
	}
	return visit(at, name, st)
}

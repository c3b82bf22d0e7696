package system

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// tempPrefix starts the name of every temporary file. The dot hides it from the patterns
// of include directives (sudoers.d, cron.d, *.conf).
const tempPrefix = ".plumb-"

// WriteOptions says how a file is written.
type WriteOptions struct {
	// Mode is the permission bits; nil keeps those of the old file, 0644 for a new one.
	Mode *uint32
	// UID and GID own the file; nil keeps those of the old file, our own for a new one.
	UID, GID *int
	// Follow writes to where a trusted link in the last place leads. Without it a link
	// there is an error, or is replaced when Replace is set.
	Follow, Replace bool
	// Shared allows a folder in which others than root and the file's owner may swap files.
	Shared bool
	// Validate gets the path, as commands of the host see it, of the finished temporary
	// file. When it returns an error the old file stays.
	Validate func(temp string) error
}

// Write puts content in place of a file. Whoever reads the file, at any instant and after
// any crash, finds the whole old or the whole new content. Hard links to the old file keep
// the old content. Owner, mode, extended attributes and SELinux label of an old file stay,
// unless the options say otherwise.
func (f Files) Write(name string, content []byte, o WriteOptions) error {
	s, err := f.find(name, o.Follow)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	defer s.close()
	if err := s.write(content, o); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

func (s *spot) write(content []byte, o WriteOptions) error {
	if err := s.mayWrite(o); err != nil {
		return err
	}
	s.sweep()
	attr := s.attributes(o)
	temp := s.tempName()
	if err := s.stage(temp, content, attr); err != nil {
		return errors.Join(err, s.drop(temp))
	}
	if err := s.validate(temp, o); err != nil {
		return errors.Join(err, s.drop(temp))
	}
	return s.commit(temp)
}

// mayWrite refuses places where the write would not be ours, or would not stay ours.
func (s *spot) mayWrite(o WriteOptions) error {
	if s.name == "" {
		return fmt.Errorf("%w: it is a folder", ErrNotFile)
	}
	if s.target >= 0 {
		e, err := s.entry()
		if err != nil {
			return err
		}
		if e.IsLink() && !o.Replace {
			return fmt.Errorf("%w: it is a symbolic link to %s", ErrNotFile, e.Target)
		}
		if !e.IsLink() && !e.IsFile() {
			return fmt.Errorf("%w: a %s stands there", ErrNotFile, e.TypeName())
		}
	}
	return s.mayShare(s.wantedOwner(o.UID), o.Shared)
}

// mayShare refuses a folder in which others could replace what we write.
func (s *spot) mayShare(uid uint32, shared bool) error {
	if shared || s.top().ruledBy(uid) {
		return nil
	}
	return fmt.Errorf("%w: others than root and the owner may replace files in %s; close the folder, give the file the same owner, or set shared",
		ErrUntrusted, s.folderPath())
}

func (s *spot) wantedOwner(uid *int) uint32 {
	if uid != nil {
		return uint32(*uid)
	}
	if s.isFile() {
		return s.st.Uid
	}
	return s.files.euid
}

// isFile tells whether a regular file stands there now.
func (s *spot) isFile() bool { return s.target >= 0 && s.st.Mode&unix.S_IFMT == unix.S_IFREG }

// staged is what a new file gets before it takes its place.
type staged struct {
	mode     uint32
	uid, gid int // -1 leaves what the kernel gave
	xattrs   map[string][]byte
}

func (s *spot) attributes(o WriteOptions) staged {
	a := staged{mode: 0o644, uid: -1, gid: -1}
	if s.isFile() {
		a.mode, a.uid, a.gid = s.st.Mode&0o7777, int(s.st.Uid), int(s.st.Gid)
	}
	if o.Mode != nil {
		a.mode = *o.Mode
	}
	if o.UID != nil {
		a.uid = *o.UID
	}
	if o.GID != nil {
		a.gid = *o.GID
	}
	if s.isFile() {
		a.xattrs = keptAttributes(s.target, uint32(a.uid) == s.st.Uid)
	}
	return a
}

// stage writes the whole new file under its temporary name and onto the disk.
func (s *spot) stage(temp string, content []byte, a staged) error {
	fd, err := unix.Openat(s.top().fd, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot make a temporary file: %w", err)
	}
	defer unix.Close(fd)
	if err := writeAll(fd, content); err != nil {
		return fmt.Errorf("cannot fill the temporary file: %w", err)
	}
	if err := dress(fd, a); err != nil {
		return err
	}
	if err := unix.Fsync(fd); err != nil {
		return fmt.Errorf("cannot bring the temporary file to the disk: %w", err)
	}
	return nil
}

func writeAll(fd int, content []byte) error {
	for len(content) > 0 {
		n, err := unix.Write(fd, content)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		content = content[n:]
	}
	return nil
}

// dress gives owner, attributes and mode. Owner first: it clears setuid. Mode last: an
// access control list among the attributes changes it.
func dress(fd int, a staged) error {
	if a.uid >= 0 || a.gid >= 0 {
		if err := unix.Fchown(fd, a.uid, a.gid); err != nil {
			return fmt.Errorf("cannot give it to %d:%d: %w", a.uid, a.gid, err)
		}
	}
	for name, value := range a.xattrs {
		if err := unix.Fsetxattr(fd, name, value, 0); err != nil && !unsupported(err) {
			return fmt.Errorf("cannot keep its attribute %s: %w", name, err)
		}
	}
	if err := unix.Fchmod(fd, a.mode); err != nil {
		return fmt.Errorf("cannot set mode %04o: %w", a.mode, err)
	}
	return nil
}

func unsupported(err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM)
}

func (s *spot) validate(temp string, o WriteOptions) error {
	if o.Validate == nil {
		return nil
	}
	return o.Validate(path.Join(s.files.root, s.folderPath(), temp))
}

// commit is the one instant at which the new file takes the place of the old.
func (s *spot) commit(temp string) error {
	fd := s.top().fd
	if err := unix.Renameat(fd, temp, fd, s.name); err != nil {
		return errors.Join(renameTrouble(err), s.drop(temp))
	}
	return syncFolder(fd)
}

func renameTrouble(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("cannot replace it (is it immutable? see lsattr): %w", err)
	}
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("cannot replace it (it is a mount point): %w", err)
	}
	return fmt.Errorf("cannot replace it: %w", err)
}

// syncFolder makes the change of a name last through a power cut.
func syncFolder(fd int) error {
	dir, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open its folder: %w", err)
	}
	defer unix.Close(dir)
	if err := unix.Fsync(dir); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("cannot bring its folder to the disk: %w", err)
	}
	return nil
}

func (s *spot) drop(temp string) error {
	err := unix.Unlinkat(s.top().fd, temp, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// tempName is different each time, and tells by its start for which file it is.
func (s *spot) tempName() string { return s.tempStem() + rand.Text()[:12] }

func (s *spot) tempStem() string {
	sum := sha256.Sum256([]byte(s.name))
	return tempPrefix + hex.EncodeToString(sum[:6]) + "-"
}

// sweep removes what a killed run of ours left beside this file. It is no loss when it fails.
func (s *spot) sweep() {
	stem := s.tempStem()
	for _, name := range s.files.left.in(s.top().fd) {
		if !strings.HasPrefix(name, stem) {
			continue
		}
		e, err := entryAt(s.top().fd, name)
		// A half-dressed leftover may belong to the file's owner already.
		ours := err == nil && (s.files.trusted(uint32(e.UID)) || s.target >= 0 && e.UID == int(s.st.Uid))
		if ours && (e.IsFile() || e.IsLink()) {
			_ = s.drop(name)
		}
	}
}

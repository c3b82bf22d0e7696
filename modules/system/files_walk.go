package system

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxLinks is how many links one path may lead over; the kernel's own number.
const maxLinks = 40

// spot is a place that a path led to: an open parent folder, the name in it, and what has
// that name now. All its descriptors are O_PATH: they name, they do not read; but see reads.
type spot struct {
	files Files
	stack []folder
	// spare are folders of a trail, the next ones on the way if it is the same. They lie where the
	// stack grows, and go onto it one by one.
	spare []folder
	// looked is when the walk began, or the one whose trail is fresh enough to be taken over.
	looked time.Time
	fresh  bool
	// linked is true when a link was followed, so that the stack is not the path.
	linked bool
	// name is empty when the path led to the folder on top of the stack itself.
	name   string
	target int
	st     unix.Stat_t
	// reads asks for a target that can be read, and opened says that it can.
	reads, opened bool
}

// folder is one open folder on the way. What it says of others holds for the way down to
// it: whoever can rename a folder rules over everything below.
type folder struct {
	fd            int
	name          string
	device, inode uint64
	// owners are the users, but trusted ones, who own a folder on the way.
	owners []uint32
	// open is true when a group or everybody may swap entries of a folder on the way.
	open bool
	// shared is true when others may make new entries in this very folder, sticky or not.
	shared bool
}

// safe tells whether what lies in the folder was put there by somebody trusted, provided
// that its owner is trusted too (in a sticky folder everybody owns their own).
func (d folder) safe() bool { return len(d.owners) == 0 && !d.open }

// closed tells whether nobody else can make or swap entries.
func (d folder) closed() bool { return d.safe() && !d.shared }

// ruledBy tells whether nobody but root and this user can swap entries.
func (d folder) ruledBy(uid uint32) bool {
	for _, owner := range d.owners {
		if owner != uid {
			return false
		}
	}
	return !d.open
}

// find walks to the path. The last name need not exist (target is then -1); every other
// must be a folder or a trusted link to one. follow says what to do with a link at the end.
func (f Files) find(name string, follow bool) (*spot, error) {
	return f.findFor(&spot{files: f, target: -1}, name, follow)
}

// findToRead is find that opens a regular file for reading at once where nobody can swap it.
func (f Files) findToRead(name string, follow bool) (*spot, error) {
	return f.findFor(&spot{files: f, target: -1, reads: true}, name, follow)
}

func (f Files) findFor(s *spot, name string, follow bool) (*spot, error) {
	if !strings.HasPrefix(name, "/") || strings.IndexByte(name, 0) >= 0 || strings.Contains(name, "..") && slices.Contains(strings.Split(name, "/"), "..") {
		return nil, fmt.Errorf("%q is not an absolute path without \"..\"", name)
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	if err := s.walk(parts(name), follow); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func parts(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}

func (s *spot) walk(rest []string, follow bool) error {
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == "." {
			continue
		}
		if name == ".." {
			s.leave()
			continue
		}
		target, err := s.step(name, len(rest) == 0, follow)
		if err != nil {
			return err
		}
		if target == "" {
			continue
		}
		if links++; links > maxLinks {
			return unix.ELOOP
		}
		s.linked = true
		s.forget()
		if strings.HasPrefix(target, "/") {
			s.restart()
		}
		rest = append(parts(target), rest...)
	}
	return s.finish()
}

// step goes into one name of the top folder. It returns the text of a link to follow.
func (s *spot) step(name string, last, follow bool) (string, error) {
	if !last && s.again(name) {
		return "", nil
	}
	parent := s.top()
	if last && s.reads && parent.closed() && s.openFile(name) {
		return "", nil
	}
	fd, st, err := pathFD(parent.fd, name)
	if errors.Is(err, fs.ErrNotExist) && last {
		s.name = name
		return "", nil
	}
	if err != nil {
		return "", err
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFLNK && (!last || follow) {
		defer unix.Close(fd)
		return s.follow(parent, name, fd, st)
	}
	if last {
		s.name, s.target, s.st = name, fd, st
		return "", nil
	}
	if kind != unix.S_IFDIR {
		unix.Close(fd)
		return "", unix.ENOTDIR
	}
	s.push(fd, st, name)
	return "", nil
}

// openFile opens a regular file of the top folder for reading. It looks before it opens, because it
// does something to open a device; nobody but a trusted user can put one there in between.
func (s *spot) openFile(name string) bool {
	var st unix.Stat_t
	if unix.Fstatat(s.top().fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false
	}
	fd, err := unix.Openat(s.top().fd, name, toRead|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return false
	}
	s.name, s.target, s.st, s.opened = name, fd, st, true
	return true
}

// toRead are the flags to open a file with; a pipe that stands there must not hold us up.
const toRead = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY

// follow reads a link, if nobody but a trusted user can have made it.
func (s *spot) follow(parent folder, name string, fd int, st unix.Stat_t) (string, error) {
	// In a sticky folder anybody may hard-link an old link of root under a new name.
	planted := parent.shared && st.Nlink > 1
	if !parent.safe() || !s.files.trusted(st.Uid) || planted {
		return "", fmt.Errorf("%w: the link %s could have been made by another user than root; name the real path",
			ErrUntrusted, path.Join(s.folderPath(), name))
	}
	return readLink(fd)
}

// finish opens the folder itself when the path ended in one by "/" or "..".
func (s *spot) finish() error {
	if s.name != "" {
		return nil
	}
	fd, st, err := pathFD(s.top().fd, ".")
	s.target, s.st = fd, st
	return err
}

func (s *spot) top() folder { return s.stack[len(s.stack)-1] }

func (s *spot) enter(at int, name, as string) error {
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return err
	}
	s.push(fd, st, as)
	return nil
}

func (s *spot) push(fd int, st unix.Stat_t, name string) {
	d := folder{fd: fd, name: name, device: uint64(st.Dev), inode: st.Ino, shared: st.Mode&0o022 != 0}
	if len(s.stack) > 0 {
		d.owners, d.open = slices.Clone(s.top().owners), s.top().open
	}
	if !s.files.trusted(st.Uid) {
		d.owners = append(d.owners, st.Uid)
	}
	d.open = d.open || d.shared && st.Mode&unix.S_ISVTX == 0
	s.stack = append(s.stack, d)
}

// leave goes up by one, never above the root.
func (s *spot) leave() {
	if len(s.stack) > 1 {
		unix.Close(s.top().fd)
		s.stack = s.stack[:len(s.stack)-1]
	}
}

func (s *spot) restart() {
	for len(s.stack) > 1 {
		s.leave()
	}
}

func (s *spot) close() {
	if s.target >= 0 {
		unix.Close(s.target)
	}
	s.end()
}

// folderPath is where the top folder really is, below the root.
func (s *spot) folderPath() string {
	var full strings.Builder
	for _, d := range s.stack[1:] {
		full.WriteString("/")
		full.WriteString(d.name)
	}
	if full.Len() == 0 {
		return "/"
	}
	return full.String()
}

func (s *spot) path() string { return path.Join(s.folderPath(), s.name) }

func (f Files) trusted(uid uint32) bool { return uid == 0 || uid == f.euid }

// pathFD names an entry of a folder without following it.
func pathFD(at int, name string) (int, unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, st, err
	}
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

func readLink(fd int) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// entry describes what was found.
func (s *spot) entry() (Entry, error) {
	e, err := describe(s.path(), s.target, s.st)
	e.Sure = s.mayTouch()
	return e, err
}

func entryAt(at int, name string) (Entry, error) {
	fd, st, err := pathFD(at, name)
	if err != nil {
		return Entry{}, err
	}
	defer unix.Close(fd)
	return describe(name, fd, st)
}

func describe(name string, fd int, st unix.Stat_t) (Entry, error) {
	e := Entry{
		Path: name, Type: fileType(st.Mode), Perm: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid),
		Size: st.Size, Links: uint64(st.Nlink), Modified: time.Unix(st.Mtim.Unix()),
		inode: st.Ino,
	}
	if !e.IsLink() {
		return e, nil
	}
	target, err := readLink(fd)
	e.Target = target
	return e, err
}

func fileType(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	default:
		return fs.ModeDevice
	}
}

package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Files reaches the files of a host below its root. A local user cannot win a race against
// it: every path is walked folder by folder on open descriptors, and a symbolic link is
// followed only when nobody but root (or the user who runs this) could have put it there.
type Files struct {
	root   string
	euid   uint32
	trails *trails    // nil keeps nothing open
	left   *leftovers // nil lists a folder for each write
}

// Files returns the files below the root of the host.
func (s *System) Files() Files {
	root := s.Root
	if root == "" {
		root = "/"
	}
	return Files{root: root, euid: s.user(), trails: &s.trails, left: &s.left}
}

// Entry is one name in a folder, as lstat tells it.
type Entry struct {
	// Path is where it really is below the root, after the links that were followed.
	Path string
	// Type holds the type bits only: 0 for a regular file, fs.ModeDir, fs.ModeSymlink …
	Type fs.FileMode
	// Perm holds the permission bits with setuid, setgid and sticky, as chmod counts them.
	Perm uint32
	// UID and GID own it.
	UID, GID int
	// Size is in bytes.
	Size int64
	// Links counts the hard links.
	Links uint64
	// Modified is the time of the last write.
	Modified time.Time
	// Target is the text of a symbolic link.
	Target string
	// Sure is true when no other user can have put somebody else's file there. What is not
	// sure must not be shown or given away. List leaves it false.
	Sure bool

	inode uint64
}

// IsFile tells a regular file; IsDir and IsLink tell the other two types that are managed.
func (e Entry) IsFile() bool { return e.Type == 0 }

// IsDir tells whether it is a folder.
func (e Entry) IsDir() bool { return e.Type == fs.ModeDir }

// IsLink tells whether it is a symbolic link.
func (e Entry) IsLink() bool { return e.Type == fs.ModeSymlink }

// Stat returns what has that name; a link in the last place is not followed.
// The error is fs.ErrNotExist when there is nothing.
func (f Files) Stat(name string) (Entry, error) { return f.stat(name, false) }

// StatFollow is Stat that follows a link in the last place, when that link can be trusted.
func (f Files) StatFollow(name string) (Entry, error) { return f.stat(name, true) }

func (f Files) stat(name string, follow bool) (Entry, error) {
	s, err := f.find(name, follow)
	if err != nil {
		return Entry{}, fmt.Errorf("cannot look at %s: %w", name, err)
	}
	defer s.close()
	if s.target < 0 {
		return Entry{}, fmt.Errorf("cannot look at %s: %w", name, fs.ErrNotExist)
	}
	return s.entry()
}

// Exists tells whether something has that name. An error other than "not there" is returned.
func (f Files) Exists(name string) (bool, error) {
	_, err := f.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

// Read returns the content of a regular file of at most limit bytes; a trusted link in the
// last place is followed. A larger file is [ErrTooLarge], never a cut one.
func (f Files) Read(name string, limit int64) ([]byte, error) { return f.readFile(name, true, limit) }

// ReadNoFollow is Read that refuses a link in the last place.
func (f Files) ReadNoFollow(name string, limit int64) ([]byte, error) {
	return f.readFile(name, false, limit)
}

func (f Files) readFile(name string, follow bool, limit int64) ([]byte, error) {
	s, err := f.findToRead(name, follow)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	defer s.close()
	raw, err := s.read(limit)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return raw, nil
}

// Load returns what has that name together with its content, of one and the same instant.
// Without follow a link in the last place is described, not read. The content is nil for
// what is no regular file; a file of more than limit bytes is described with [ErrTooLarge].
func (f Files) Load(name string, follow bool, limit int64) (Entry, []byte, error) {
	return f.LoadInto(nil, name, follow, limit)
}

// LoadInto is Load that reads into the room of buf as far as that goes.
func (f Files) LoadInto(buf []byte, name string, follow bool, limit int64) (Entry, []byte, error) {
	s, err := f.findToRead(name, follow)
	if err != nil {
		return Entry{}, nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	defer s.close()
	if s.target < 0 {
		return Entry{}, nil, fmt.Errorf("cannot read %s: %w", name, fs.ErrNotExist)
	}
	e, err := s.entry()
	if err != nil || !e.IsFile() {
		return e, nil, err
	}
	raw, err := s.readInto(buf, limit)
	if err != nil {
		return e, nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return e, raw, nil
}

// List returns the entries of a folder by name; a trusted link to a folder is followed.
func (f Files) List(name string) ([]Entry, error) {
	s, err := f.find(name, true)
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", name, err)
	}
	defer s.close()
	names, err := s.names()
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", name, err)
	}
	return s.entries(names)
}

// Open returns a regular file for reading, for content that is hashed and not kept.
func (f Files) Open(name string) (*os.File, error) {
	s, err := f.find(name, true)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", name, err)
	}
	defer s.close()
	file, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", name, err)
	}
	return file, nil
}

var (
	// ErrTooLarge is wrapped when a file is larger than its reader is ready to take.
	ErrTooLarge = errors.New("the file is too large")
	// ErrUntrusted is wrapped when a link or a folder could have been planted by a user.
	ErrUntrusted = errors.New("not trusted")
	// ErrNotFile is wrapped when a folder, a device or a pipe stands where a file was expected.
	ErrNotFile = errors.New("not a regular file")
)

// open opens the very inode that find found, so nothing can be swapped in between.
func (s *spot) open() (*os.File, error) {
	fd, err := s.openFD()
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), s.path()), nil
}

func (s *spot) openFD() (int, error) {
	if s.target < 0 {
		return -1, fs.ErrNotExist
	}
	if s.st.Mode&unix.S_IFMT != unix.S_IFREG {
		return -1, ErrNotFile
	}
	return unix.Open(descriptor(s.target), toRead, 0)
}

func (s *spot) read(limit int64) ([]byte, error) { return s.readInto(nil, limit) }

func (s *spot) readInto(buf []byte, limit int64) ([]byte, error) {
	fd := s.target
	if !s.opened {
		own, err := s.openFD()
		if err != nil {
			return nil, err
		}
		defer unix.Close(own)
		fd = own
	}
	raw, err := readAll(fd, buf, s.st.Size, limit+1)
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return raw, nil
}

// readAll reads up to most bytes. Files of the kernel say that they are empty, or have a page.
func readAll(fd int, buf []byte, size, most int64) ([]byte, error) {
	raw := slices.Grow(buf[:0], int(max(512, min(size+1, most))))
	for int64(len(raw)) < most {
		if len(raw) == cap(raw) {
			raw = slices.Grow(raw, len(raw))
		}
		n, err := unix.Read(fd, raw[len(raw):min(int64(cap(raw)), most)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if raw = raw[:len(raw)+n]; n == 0 || int64(len(raw)) == size && n > 0 && len(raw) < cap(raw) {
			return raw, nil // a whole file, and there was room for more
		}
	}
	return raw, nil
}

// names lists the folder that was found, sorted.
func (s *spot) names() ([]string, error) {
	if s.target < 0 {
		return nil, fs.ErrNotExist
	}
	return folderNames(s.target)
}

func folderNames(fd int) ([]string, error) {
	dup, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(dup), ".")
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	sort.Strings(names)
	return names, err
}

// entries looks at each name in the folder; one that has gone meanwhile is left out.
func (s *spot) entries(names []string) ([]Entry, error) {
	list := make([]Entry, 0, len(names))
	for _, name := range names {
		e, err := entryAt(s.target, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		e.Path = path.Join(s.path(), name)
		list = append(list, e)
	}
	return list, nil
}

// descriptor is a name for an open descriptor; it leads to the inode, wherever that is now.
func descriptor(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// TypeName says in a word what it is.
func (e Entry) TypeName() string {
	switch {
	case e.IsFile():
		return "file"
	case e.IsDir():
		return "folder"
	case e.IsLink():
		return "link"
	case e.Type&fs.ModeNamedPipe != 0:
		return "pipe"
	case e.Type&fs.ModeSocket != 0:
		return "socket"
	default:
		return "device"
	}
}

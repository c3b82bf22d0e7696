package system

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// maxTrails is how many walks keep their folders open at a time.
const maxTrails = 4

// trails keeps the folders of walks open for the walks that follow: most files of a catalog lie
// beside each other. Each folder is looked at again before it is used, by its name in the folder
// above, so a walk sees no less than one that opens them all anew.
type trails struct {
	mu   sync.Mutex
	on   bool
	kept [][]folder
}

// KeepFolders keeps folders open between look-ups until the function that it returns is called. An
// open folder keeps a file system from being unmounted, so nothing may change the host meanwhile.
func (s *System) KeepFolders() (release func()) {
	s.trails.mu.Lock()
	defer s.trails.mu.Unlock()
	s.trails.on = true
	return func() {
		s.trails.mu.Lock()
		defer s.trails.mu.Unlock()
		s.trails.on = false
		for _, trail := range s.trails.kept {
			closeAll(trail)
		}
		s.trails.kept = nil
	}
}

func closeAll(trail []folder) {
	for _, d := range trail {
		unix.Close(d.fd)
	}
}

func (t *trails) take() []folder {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) == 0 {
		return nil
	}
	trail := t.kept[len(t.kept)-1]
	t.kept = t.kept[:len(t.kept)-1]
	return trail
}

func (t *trails) put(trail []folder) {
	if t == nil {
		closeAll(trail)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.on || len(t.kept) >= maxTrails {
		closeAll(trail)
		return
	}
	t.kept = append(t.kept, trail)
}

// begin enters the root, by a trail that still leads there or anew.
func (s *spot) begin() error {
	s.spare = s.files.trails.take()
	if len(s.spare) == 0 {
		return s.enter(unix.AT_FDCWD, s.files.root, "")
	}
	var st unix.Stat_t
	if err := unix.Stat(s.files.root, &st); err == nil && s.spare[0].is(st) {
		s.reuse(st, "")
		return nil
	}
	s.forget()
	return s.enter(unix.AT_FDCWD, s.files.root, "")
}

// again goes into a folder that the trail holds open, if the name still is that very folder's.
func (s *spot) again(name string) bool {
	if len(s.spare) == 0 {
		return false
	}
	var st unix.Stat_t
	if s.spare[0].name == name && unix.Fstatat(s.top().fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && s.spare[0].is(st) {
		s.reuse(st, name)
		return true
	}
	s.forget()
	return false
}

func (s *spot) reuse(st unix.Stat_t, name string) {
	fd := s.spare[0].fd
	s.spare = s.spare[1:]
	s.push(fd, st, name)
}

// forget closes the rest of the trail, which leads elsewhere.
func (s *spot) forget() {
	closeAll(s.spare)
	s.spare = nil
}

// is tells whether a name leads to this folder. The descriptor keeps the inode from being given
// to another.
func (d folder) is(st unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFDIR && uint64(st.Dev) == d.device && st.Ino == d.inode
}

// end closes what the walk has open, but the folders that the next one may use. Where links were
// followed these are not the folders of the path.
func (s *spot) end() {
	if s.linked || len(s.stack) == 0 {
		s.forget()
		closeAll(s.stack)
		s.stack = nil
		return
	}
	s.files.trails.put(slices.Concat(s.stack, s.spare))
	s.stack, s.spare = nil, nil
}

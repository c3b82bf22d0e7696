package system

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxTrails is how many walks keep their folders open at a time.
const maxTrails = 4

// moment is how long what was looked at needs no second look. Any walk may be held up for as long
// between two of its steps, so one that begins where another was a moment ago sees no less.
const moment = time.Millisecond

// trails keeps the folders of walks open for the walks that follow: most files of a catalog lie
// beside each other. After a moment each folder is looked at again before it is used, by its name in
// the folder above.
type trails struct {
	mu   sync.Mutex
	on   bool
	kept []trail
}

// trail is a way into the depth of the host.
type trail struct {
	folders []folder
	looked  time.Time // before the first of them was
}

func (t trail) fresh() bool { return time.Since(t.looked) < moment }

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
		for _, one := range s.trails.kept {
			closeAll(one.folders)
		}
		s.trails.kept = nil
	}
}

// steady tells whether nothing changes the host: what was looked at a moment ago still holds.
func (s *System) steady() bool {
	s.trails.mu.Lock()
	defer s.trails.mu.Unlock()
	return s.trails.on
}

func closeAll(folders []folder) {
	for _, d := range folders {
		unix.Close(d.fd)
	}
}

func (t *trails) take() trail {
	if t == nil {
		return trail{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) == 0 {
		return trail{}
	}
	one := t.kept[len(t.kept)-1]
	t.kept = t.kept[:len(t.kept)-1]
	return one
}

func (t *trails) put(one trail) {
	if t == nil {
		closeAll(one.folders)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.on || len(t.kept) >= maxTrails {
		closeAll(one.folders)
		return
	}
	t.kept = append(t.kept, one)
}

// begin enters the root, by a trail that still leads there or anew.
func (s *spot) begin() error {
	old := s.files.trails.take()
	s.stack, s.spare, s.looked, s.fresh = old.folders[:0], old.folders, old.looked, old.fresh()
	if len(s.spare) > 0 && s.fresh {
		s.resume()
		return nil
	}
	s.looked, s.fresh = time.Now(), false
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
	if s.fresh && s.spare[0].name == name {
		s.resume()
		return true
	}
	var st unix.Stat_t
	if s.spare[0].name == name && unix.Fstatat(s.top().fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && s.spare[0].is(st) {
		s.reuse(st, name)
		return true
	}
	s.forget()
	return false
}

// resume goes into the next folder of a fresh trail as it was when it was looked at.
func (s *spot) resume() { s.stack, s.spare = append(s.stack, s.spare[0]), s.spare[1:] }

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
	s.files.trails.put(trail{append(s.stack, s.spare...), s.looked})
	s.stack, s.spare = nil, nil
}

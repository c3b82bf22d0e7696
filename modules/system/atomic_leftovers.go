package system

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// leftovers remembers what killed runs left in each folder that this run writes to: a folder is listed
// at the first write, and not again for each of a thousand files. What this run itself leaves, the
// next one finds.
type leftovers struct {
	mu    sync.Mutex
	found map[folderID][]string
}

type folderID struct{ dev, ino uint64 }

// in lists the temporary names in a folder.
func (l *leftovers) in(fd int) []string {
	var st unix.Stat_t
	if l == nil || unix.Fstat(fd, &st) != nil {
		return temporaryNames(fd)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := folderID{st.Dev, st.Ino}
	names, ok := l.found[id]
	if ok {
		return names
	}
	if l.found == nil {
		l.found = map[folderID][]string{}
	}
	l.found[id] = temporaryNames(fd)
	return l.found[id]
}

func temporaryNames(fd int) []string {
	names, err := folderNames(fd)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, tempPrefix) })
}

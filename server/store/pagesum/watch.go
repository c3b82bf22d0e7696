package pagesum

import (
	"fmt"
	"net/url"
	"strconv"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// Fault is a page that is not as it was written: one of the database or, if Frame is not zero, of the log.
type Fault struct{ Page, Frame int64 }

func (f Fault) Error() string {
	if f.Frame != 0 {
		return fmt.Sprintf("the page in frame %d of its log is not as it was written", f.Frame)
	}
	return fmt.Sprintf("page %d is not as it was written", f.Page)
}

// watchParameter says in the name of a database who is told of its faults.
const watchParameter = "watcher"

// Watch is what hears of the faults of some connections.
type Watch struct {
	id   int64
	tell func(Fault)
}

// SQLite's files are opened and read by name and number, so its watchers need such.
var watches = struct {
	sync.Mutex
	last int64
	all  map[int64]*Watch
}{all: map[int64]*Watch{}}

// NewWatch makes a watch. While SQLite reads, tell is called for each fault that it comes upon: it must not wait, nor use the database.
func NewWatch(tell func(Fault)) *Watch {
	watches.Lock()
	defer watches.Unlock()
	watches.last++
	w := &Watch{id: watches.last, tell: tell}
	watches.all[w.id] = w
	return w
}

// Set has a connection with these parameters use the layer, and tell w.
func (w *Watch) Set(parameters url.Values) {
	parameters.Set("vfs", VFS)
	parameters.Set(watchParameter, strconv.FormatInt(w.id, 10))
}

// End ends it.
func (w *Watch) End() {
	watches.Lock()
	defer watches.Unlock()
	delete(watches.all, w.id)
}

// found tells of a fault and returns what SQLite hears.
func (t *file) found(fault Fault) int32 {
	watches.Lock()
	w := watches.all[t.watcher]
	watches.Unlock()
	if w != nil {
		w.tell(fault)
	}
	return sqlite3.SQLITE_IOERR_DATA
}

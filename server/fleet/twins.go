package fleet

import (
	"slices"
	"sync"
	"time"

	"plumb/inventory"
)

// twins notices when two machines use the identity of one host, as after a disk was copied.
//
// An agent names the boot of the machine that it runs on. Such a name never comes back once another
// one was heard, unless there are two machines that take turns. All this is in memory: a server
// that starts anew needs two more calls of each twin.
type twins struct {
	mu   sync.Mutex
	held map[inventory.HostID]*trail
}

// trail is what one host called itself.
type trail struct {
	now    string
	before []string  // older names, the newest last
	turns  int       // how often an older name came back
	last   time.Time // when one came back last
	told   time.Time // when that was told last
}

const (
	// turnsOfTwins is how often a name has to come back: a call that overtakes another one around a
	// reboot looks alike.
	turnsOfTwins = 2
	// twinsFor is how long a host counts as one that has a twin, after it was noticed last.
	twinsFor = 24 * time.Hour
	// tellTwins is how often it is told.
	tellTwins = time.Hour
	// olderNames is how many names of each host are kept.
	olderNames = 8
)

// hear notes what the machine is called that calls as a host. It returns true when it is to be told
// that there is another one.
func (t *twins) hear(id inventory.HostID, name string, now time.Time) bool {
	if name == "" { // an agent that is older than this
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held == nil {
		t.held = map[inventory.HostID]*trail{}
	}
	one := t.held[id]
	if one == nil {
		one = &trail{now: name}
		t.held[id] = one
	}
	if now.Sub(one.last) >= twinsFor {
		one.turns = 0
	}
	if name == one.now {
		return false
	}
	if slices.Contains(one.before, name) {
		one.turns, one.last = one.turns+1, now
	}
	one.before = slices.DeleteFunc(append(one.before, one.now), func(old string) bool { return old == name })
	one.before, one.now = one.before[max(0, len(one.before)-olderNames):], name
	if one.turns < turnsOfTwins || now.Sub(one.told) < tellTwins {
		return false
	}
	one.told = now
	return true
}

// has tells whether a host has a twin.
func (t *twins) has(id inventory.HostID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.held[id]
	return one != nil && one.turns >= turnsOfTwins && now.Sub(one.last) < twinsFor
}

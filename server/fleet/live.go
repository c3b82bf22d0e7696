package fleet

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
)

// Live is what a host last said about a patch cycle that it is at work on right now.
type Live struct {
	Host inventory.HostID
	// Name is the host's name.
	Name string
	protocol.Progress
	// Since is when it first told of the phase, Told when it last did, both by the server's clock.
	Since, Told time.Time
}

const (
	// liveFor is how long a word counts: agents tell every ten seconds.
	liveFor = 5 * time.Minute
	// liveHosts is of how many hosts words are kept. Further ones are not heard until others end.
	liveHosts = 20_000
	// maxLive is of how many cycles a host may tell at once, maxPackages how many a cycle may have.
	maxLive     = 16
	maxPackages = 100_000
)

// lives keeps in memory what is no fact yet: a server that starts anew hears it again.
type lives struct {
	mu   sync.Mutex
	held map[inventory.HostID][]Live
}

// Live lists what hosts are at work on, by rollout and name of the host.
func (f *Fleet) Live(now time.Time) []Live {
	f.lives.mu.Lock()
	defer f.lives.mu.Unlock()
	all := []Live{}
	for _, of := range f.lives.held {
		for _, one := range of {
			if !one.over(now) {
				all = append(all, one)
			}
		}
	}
	slices.SortFunc(all, func(a, b Live) int {
		return cmp.Or(cmp.Compare(a.Rollout, b.Rollout), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func (l Live) over(now time.Time) bool { return now.Sub(l.Told) >= liveFor }

// hear takes what a host says it is at work on. It is all of it: what it does not name any more
// is over.
func (l *lives) hear(id inventory.HostID, name string, said []protocol.Progress, now time.Time) {
	if len(said) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before, known := l.held[id]
	if !known && !l.room(now) {
		return
	}
	list := make([]Live, 0, len(said))
	for _, p := range said {
		one := Live{Host: id, Name: name, Progress: p, Since: now.UTC(), Told: now.UTC()}
		for _, old := range before {
			if old.Rollout == p.Rollout && old.Cycle == p.Cycle && old.Phase == p.Phase && !old.over(now) {
				one.Since = old.Since
			}
		}
		list = append(list, one)
	}
	l.held[id] = list
}

// room makes room for one more host, and tells whether there is any.
func (l *lives) room(now time.Time) bool {
	if l.held == nil {
		l.held = map[inventory.HostID][]Live{}
	}
	if len(l.held) < liveHosts {
		return true
	}
	maps.DeleteFunc(l.held, func(_ inventory.HostID, of []Live) bool { return of[0].over(now) })
	return len(l.held) < liveHosts
}

// forget drops what a host said: its report says it better.
func (l *lives) forget(id inventory.HostID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, id)
}

// cleanProgress checks what a host says it is at work on.
func cleanProgress(list []protocol.Progress) error {
	if len(list) > maxLive {
		return refuse("a check-in tells of too many patch cycles at once", updateAgent)
	}
	for _, p := range list {
		if p.Rollout == "" || strings.Contains(p.Rollout, "/") || !isWord(p.Rollout) || p.Cycle == 0 || p.Cycle > maxCounter || !slices.Contains(livePhases(), p.Phase) ||
			p.Done < 0 || p.Done > p.Total || p.Total > maxPackages {
			return refuse("a check-in tells of a patch cycle what cannot be", updateAgent)
		}
	}
	return nil
}

// livePhases are those in which a host is at work. A cycle that failed keeps the phase in which it did.
func livePhases() []string {
	return []string{policies.PhasePreflight, policies.PhaseDownload, policies.PhaseInstall, policies.PhaseRestart, policies.PhaseReboot,
		policies.PhaseVerify, policies.PhaseRollback}
}

package fleet

import (
	"reflect"
	"sync"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
)

// leases remembers what was signed a moment ago. A host that calls again within leaseFresh gets the
// same lease, as long as a new one would say the same: it counts that as no step back.
type leases struct {
	mu         sync.Mutex
	young, old map[inventory.HostID]signedLease
	turned     time.Time
}

type signedLease struct {
	said protocol.Lease
	text string
}

// leaseFresh is how old a lease may be that is handed out once more.
const leaseFresh = 30 * time.Second

// again returns the lease of a host that can be handed out once more, if there is one.
func (l *leases) again(next protocol.Lease, counter uint64, now time.Time) (string, bool) {
	l.mu.Lock()
	one, known := l.young[next.Host]
	if !known {
		one, known = l.old[next.Host]
	}
	l.mu.Unlock()
	if age := now.Sub(one.said.Issued); !known || age < 0 || age >= leaseFresh || one.said.Counter < counter {
		return "", false
	}
	next.Counter, next.Issued, next.Expires = one.said.Counter, one.said.Issued, one.said.Expires
	return one.text, reflect.DeepEqual(next, one.said)
}

// keep remembers a lease for about leaseFresh.
func (l *leases) keep(said protocol.Lease, text string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := now.Sub(l.turned); l.young == nil || age >= leaseFresh || age < 0 {
		l.young, l.old, l.turned = map[inventory.HostID]signedLease{}, l.young, now
	}
	l.young[said.Host] = signedLease{said, text}
}

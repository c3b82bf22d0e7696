package fleet

import (
	"sync"
	"time"

	"plumb/inventory"
	"plumb/server/store"
)

// inbox holds in memory what belongs to reports that are not stored yet: what each host was asked
// for, and the results that came. A result is stored together with the report that names it, in one
// commit; until then nothing was acknowledged, and a host whose server died sends it again.
type inbox struct {
	mu      sync.Mutex
	asked   map[inventory.HostID]map[string]want
	results map[store.Ref]*parcel
	bytes   int
	swept   time.Time
}

// want is one object that a host was asked for.
type want struct {
	kind string
	at   time.Time
	// came is what came of it so far when it comes in pieces, of how many bytes; done is when that was all.
	came []byte
	of   int
	done bool
}

// parcel is a result that waits for its report.
type parcel struct {
	store.Object
	value any
	size  int
	at    time.Time
}

const (
	// wantLife is how long a host may take to send what it was asked for, and its report after it.
	wantLife = 10 * time.Minute
	// inboxBytes is how much of results may wait, in bytes of their JSON. Further ones are stored at once.
	inboxBytes = 128 << 20
)

func (b *inbox) ask(id inventory.HostID, refs []store.Ref, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	if b.asked == nil {
		b.asked = map[inventory.HostID]map[string]want{}
	}
	if b.asked[id] == nil {
		b.asked[id] = map[string]want{}
	}
	for _, ref := range refs {
		w := b.asked[id][ref.Digest]
		w.kind, w.at, w.done = ref.Kind, now, false
		b.asked[id][ref.Digest] = w
	}
}

// wanted returns the kind of what a host was asked for, empty when it was not.
func (b *inbox) wanted(id inventory.HostID, digest string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[id][digest].kind
}

// done forgets what a host was asked for.
func (b *inbox) done(id inventory.HostID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for digest := range b.asked[id] {
		b.unask(id, digest)
	}
}

// unask forgets that a host was asked for an object, with what came of it.
func (b *inbox) unask(id inventory.HostID, digest string) {
	b.bytes -= len(b.asked[id][digest].came)
	if delete(b.asked[id], digest); len(b.asked[id]) == 0 {
		delete(b.asked, id)
	}
}

// put keeps a result; it tells whether there was room for it.
func (b *inbox) put(p *parcel) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(p.at)
	if b.bytes+p.size > inboxBytes {
		return false
	}
	if b.results == nil {
		b.results = map[store.Ref]*parcel{}
	}
	if b.results[p.Ref] == nil {
		b.bytes += p.size
		b.results[p.Ref] = p
	}
	return true
}

func (b *inbox) get(ref store.Ref) *parcel {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.results[ref]
}

// stored takes out what was stored.
func (b *inbox) stored(ref store.Ref) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(ref)
}

func (b *inbox) drop(ref store.Ref) {
	if p := b.results[ref]; p != nil {
		b.bytes -= p.size
		delete(b.results, ref)
	}
}

// sweep forgets what nobody came back for.
func (b *inbox) sweep(now time.Time) {
	if now.Sub(b.swept) < wantLife/10 {
		return
	}
	b.swept = now
	for ref, p := range b.results {
		if now.Sub(p.at) > wantLife {
			b.drop(ref)
		}
	}
	for id, of := range b.asked {
		for digest, w := range of {
			if now.Sub(w.at) > wantLife {
				b.unask(id, digest)
			}
		}
	}
}

package fleet

import (
	"fmt"
	"time"

	"plumb/inventory"
	"plumb/server/store"
)

// Piece is a part of an object on its way, as it is compressed.
type Piece struct {
	// From is where it begins, Total how long all of it is.
	From, Total int
	Body        []byte
}

// PutPiece adds a piece of an object that this host was asked for to what came before, and returns how much there is.
// Once it is all there, it is returned as well, and forgotten here. A piece that leaves a gap is not taken,
// and what came twice is passed over: the host goes on from what there is.
func (f *Fleet) PutPiece(id inventory.HostID, digest string, p Piece, now time.Time) (have int, whole []byte, err error) {
	return f.inbox.piece(id, digest, p, now)
}

func (b *inbox) piece(id inventory.HostID, digest string, p Piece, now time.Time) (have int, whole []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	w, ok := b.asked[id][digest]
	if !ok {
		return 0, nil, fmt.Errorf("%w: %w", errNotAsked, store.ErrConflict)
	}
	if w.done && w.of == p.Total {
		return w.of, nil, nil // the answer to the last piece was lost
	}
	if w.of != p.Total { // the first one, or the host compressed it anew
		b.clear(id) // a host sends one after the other, and may hold no more than that here
		w = want{kind: w.kind, of: p.Total}
	}
	if b.bytes+len(p.Body) > inboxBytes {
		return 0, nil, fmt.Errorf("too much is on its way to this server: %w", store.ErrConflict)
	}
	before := len(w.came)
	if len(w.came) >= p.From && len(w.came) < p.From+len(p.Body) {
		w.came = append(w.came, p.Body[len(w.came)-p.From:]...)
	}
	if have = len(w.came); have == w.of {
		whole, w.came, w.done = w.came, nil, true
	}
	b.bytes += len(w.came) - before
	w.at = now
	b.asked[id][digest] = w
	return have, whole, nil
}

// clear forgets the pieces of a host.
func (b *inbox) clear(id inventory.HostID) {
	for digest, w := range b.asked[id] {
		b.bytes -= len(w.came)
		w.came, w.of, w.done = nil, 0, false
		b.asked[id][digest] = w
	}
}

package fleet

import (
	"bytes"
	"errors"
	"testing"

	"plumb/inventory"
	"plumb/server/store"
)

// wanting is a fleet that asked a host for two objects.
func wanting(t *testing.T) (f *Fleet, id inventory.HostID) {
	f, id = newFleet(t), "h1"
	f.inbox.ask(id, []store.Ref{{Kind: store.KindFacts, Digest: "a"}, {Kind: store.KindResult, Digest: "b"}}, start)
	return f, id
}

// F20: an object comes in pieces, goes on from what is there, and counts once.
func TestObjectsComeInPieces(t *testing.T) {
	f, id := wanting(t)
	all := []byte("0123456789")
	for i, step := range []struct{ from, to, have int }{{0, 4, 4}, {0, 4, 4}, {6, 8, 4}, {2, 6, 6}, {6, 9, 9}, {9, 10, 10}, {9, 10, 10}, {0, 4, 10}} {
		have, whole, err := f.PutPiece(id, "a", Piece{step.from, len(all), all[step.from:step.to]}, start)
		if err != nil || have != step.have {
			t.Errorf("step %d: PutPiece = %d, %v; want %d", i, have, err, step.have)
		}
		if i == 5 != (whole != nil) || whole != nil && !bytes.Equal(whole, all) {
			t.Errorf("step %d: the whole is %q", i, whole)
		}
	}
	same(t, "bytes held", f.inbox.bytes, 0)
	f.inbox.ask(id, []store.Ref{{Kind: store.KindFacts, Digest: "a"}}, start)
	if have, _, err := f.PutPiece(id, "a", Piece{0, len(all), all[:4]}, start); have != 4 || err != nil {
		t.Errorf("asked for again: %d, %v; want 4, for it was no good", have, err)
	}
}

// What a host sends in pieces is bounded, and forgotten when nobody comes back for it.
func TestPiecesAreBounded(t *testing.T) {
	f, id := wanting(t)
	put := func(digest string, total int) error {
		_, _, err := f.PutPiece(id, digest, Piece{0, total, make([]byte, 100)}, start)
		return err
	}
	for _, digest := range []string{"a", "b", "a"} {
		must(t, put(digest, 1000))
		same(t, "bytes held", f.inbox.bytes, 100)
	}
	must(t, put("a", 2000)) // compressed anew
	same(t, "bytes held", f.inbox.bytes, 100)
	if _, _, err := f.PutPiece("h2", "a", Piece{0, 1000, make([]byte, 100)}, start); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a host that was not asked: %v", err)
	}
	f.inbox.sweep(start.Add(2 * wantLife))
	same(t, "bytes held by nobody", f.inbox.bytes, 0)
	if err := put("a", 1000); !errors.Is(err, store.ErrConflict) {
		t.Errorf("after a long time: %v", err)
	}
	f, id = wanting(t)
	must(t, put("a", 1000))
	f.inbox.done(id)
	same(t, "bytes held by one that is done", f.inbox.bytes, 0)
	f, id = wanting(t)
	f.inbox.bytes = inboxBytes - 50
	if err := put("a", 1000); !errors.Is(err, store.ErrConflict) {
		t.Errorf("too much in all: %v", err)
	}
}

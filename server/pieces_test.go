package server_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"plumb/agent/protocol"
	"plumb/inventory"
)

// piece sends bytes from..to of an object, and returns what the server says.
func (h *insider) piece(t *testing.T, digest string, packed []byte, from, to int) (code int, answer string) {
	t.Helper()
	return h.raw(t, digest, protocol.Range{From: from, To: to, Total: len(packed)}.String(), packed[from:to])
}

func (h *insider) raw(t *testing.T, digest, said string, body []byte) (code int, answer string) {
	t.Helper()
	code, answer, err := h.send("PUT", protocol.PathPieces+digest, body, http.Header{"Content-Range": {said}})
	if err != nil {
		t.Fatal(err)
	}
	return code, answer
}

// first sends a report that names factsOfNobody, and returns the answer.
func (h *insider) first(t *testing.T) string {
	t.Helper()
	_, answer, err := h.send("POST", protocol.PathCheckIn, checkInWith("", problemReport(h.epoch, 1)), http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestObjectsInPieces is that an object may come in pieces, counts when it is whole and right, and that nothing else does.
func TestObjectsInPieces(t *testing.T) {
	h := start(t).insiders(t, 1)[0]
	facts := inventory.Digest([]byte(factsOfNobody))
	packed, err := protocol.Pack([]byte(factsOfNobody))
	if err != nil {
		t.Fatal(err)
	}
	if code, body := h.piece(t, facts, packed, 0, 10); code != http.StatusConflict {
		t.Errorf("not asked for: %d %s", code, body)
	}
	h.first(t)
	for _, said := range []string{"", "bytes 0-9", "bytes 9-0/20", "bytes -1-9/20", "bytes 0-9/9", "bytes 0-19/20", "bytes 0-9/99999999999999999999", "bytes 0-9/*", "bytes 00-0/1"} {
		if code, body := h.raw(t, facts, said, []byte("x")); code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", said, code, body)
		}
	}
	if code, body := h.raw(t, facts, "bytes 0-0/8388609", []byte("x")); code != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d %s", code, body)
	}
	wrong := bytes.Repeat([]byte("x"), len(packed))
	if code, body := h.piece(t, facts, wrong, 0, len(wrong)); code != http.StatusConflict || !strings.Contains(body, "from the beginning") {
		t.Errorf("no object: %d %s", code, body)
	}
	h.first(t)
	if code, body := h.piece(t, facts, packed, 0, 10); code != http.StatusOK || !strings.Contains(body, "10") {
		t.Errorf("the first piece: %d %s", code, body)
	}
	if code, body := h.piece(t, facts, packed, 10, len(packed)); code != http.StatusOK {
		t.Errorf("the last piece: %d %s", code, body)
	}
	if body := h.first(t); acceptedOf(body, h.epoch) != 1 {
		t.Errorf("the report is not taken: %s", body)
	}
}

// T13: a bomb in pieces is refused like any other.
func TestBombInPieces(t *testing.T) {
	h := start(t).insiders(t, 1)[0]
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, protocol.MaxObject+1))
	_ = z.Close()
	h.first(t)
	if code, body := h.piece(t, inventory.Digest([]byte(factsOfNobody)), bomb.Bytes(), 0, bomb.Len()); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a bomb: %d %s", code, body)
	}
}

package transport_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"plumb/agent/protocol"
	"plumb/agent/testserver"
	"plumb/agent/transport"
	"plumb/inventory"
)

// taker takes an object in pieces, over a line that breaks off.
type taker struct {
	got      []byte
	requests int
	sent     int
	// breaks tells what becomes of a request: "" is well, or it does not arrive, or its answer does not.
	breaks func(n int) string
}

func (k *taker) answer(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, protocol.PathPieces) {
		return false
	}
	fate := k.breaks(k.requests)
	k.requests++
	body, _ := io.ReadAll(r.Body)
	k.sent += len(body)
	if fate == "lost" {
		panic(http.ErrAbortHandler)
	}
	part, err := protocol.ParseRange(r.Header.Get("Content-Range"))
	if from := part.From; err == nil && from <= len(k.got) && len(k.got) < from+len(body) {
		k.got = append(k.got, body[len(k.got)-from:]...)
	}
	if fate == "unheard" {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(protocol.Received{Have: len(k.got)})
	return true
}

// noise is an object that nothing can compress.
func noise() []byte {
	raw := make([]byte, 200<<10)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(raw)
	return raw
}

// F20: what an agent sends goes on where the line broke off.
func TestUploadsGoOn(t *testing.T) {
	overBoth(t, func(t *testing.T, c *transport.Client, s *testserver.Server) {
		raw := noise()
		for name, breaks := range map[string]func(int) string{
			"well":    func(int) string { return "" },
			"lost":    func(n int) string { return []string{"", "lost", "lost"}[n%3] },
			"unheard": func(n int) string { return []string{"", "unheard"}[n%2] },
		} {
			k := &taker{breaks: breaks}
			s.Before(k.answer)
			err := c.Put(t.Context(), inventory.Digest(raw), raw)
			got, unpacked := protocol.Unpack(k.got, protocol.MaxObject)
			if err != nil || unpacked != nil || !bytes.Equal(got, raw) {
				t.Errorf("%s: %d bytes came, %v, %v", name, len(got), err, unpacked)
			}
			if k.sent > 4*len(raw) || name == "well" && k.sent != len(k.got) {
				t.Errorf("%s: %d bytes were sent for %d", name, k.sent, len(k.got))
			}
		}
	})
}

// F20: over a line that takes no large pieces small ones are sent, and nothing is given up.
func TestUploadsGetSmaller(t *testing.T) {
	overBoth(t, func(t *testing.T, c *transport.Client, s *testserver.Server) {
		raw := noise()
		k := &taker{breaks: func(int) string { return "" }}
		s.Before(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, protocol.PathPieces) && r.ContentLength > 5000 {
				panic(http.ErrAbortHandler)
			}
			return k.answer(w, r)
		})
		err := c.Put(t.Context(), inventory.Digest(raw), raw)
		if got, unpacked := protocol.Unpack(k.got, protocol.MaxObject); err != nil || unpacked != nil || !bytes.Equal(got, raw) {
			t.Errorf("%d bytes came, %v, %v", len(got), err, unpacked)
		}
	})
}

// A line over which nothing comes ends the call, and a server that knows no pieces gets the whole.
func TestUploadsEnd(t *testing.T) {
	overBoth(t, func(t *testing.T, c *transport.Client, s *testserver.Server) {
		raw := noise()
		k := &taker{breaks: func(int) string { return "lost" }}
		s.Before(k.answer)
		if err := c.Put(t.Context(), inventory.Digest(raw), raw); err == nil || k.requests < 5 || k.requests > 10 {
			t.Errorf("Put = %v after %d requests, want an error after five, each perhaps twice", err, k.requests)
		}
		for _, mad := range []int{-1, 1 << 40} {
			s.Before(func(w http.ResponseWriter, _ *http.Request) bool {
				_ = json.NewEncoder(w).Encode(protocol.Received{Have: mad})
				return true
			})
			if err := c.Put(t.Context(), inventory.Digest(raw), raw); err == nil || !strings.Contains(err.Error(), "says that it has") {
				t.Errorf("a server that has %d bytes: %v", mad, err)
			}
		}
		whole := false
		s.Before(func(_ http.ResponseWriter, r *http.Request) bool {
			whole = whole || strings.HasPrefix(r.URL.Path, protocol.PathObjects)
			return false
		})
		if err := c.Put(t.Context(), inventory.Digest(raw), raw); err != nil || !whole {
			t.Errorf("an older server: %v, the whole was sent: %v", err, whole)
		}
	})
}

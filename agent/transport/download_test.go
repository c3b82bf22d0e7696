package transport_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/agent/protocol"
	"plumb/agent/testserver"
	"plumb/agent/transport"
	"plumb/inventory"
)

// bad is a server whose answers break off, as the test says of each request.
type bad struct {
	content []byte
	// breaks is after how many bytes each answer breaks off; the last one holds for all to come, and
	// those below 0 do not break off.
	breaks []int
	// from is where each request wanted to begin.
	from []int
}

func (b *bad) answer(w http.ResponseWriter, r *http.Request) bool {
	from := 0
	_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
	limit := b.breaks[min(len(b.from), len(b.breaks)-1)]
	b.from = append(b.from, from)
	if limit >= 0 {
		w = &breaking{ResponseWriter: w, left: limit}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.content))
	return true
}

// breaking ends the connection after so many bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; err == nil && n < len(p) {
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// overBoth runs a test with a client of each kind, against a server of its own.
func overBoth(t *testing.T, run func(*testing.T, *transport.Client, *testserver.Server)) {
	t.Run("https", func(t *testing.T) {
		s := testserver.Start(t)
		c, err := transport.HTTPS(s.Agents, s.CA.PEM(), s.CA.Certificate(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		run(t, c, s)
	})
	t.Run("ssh", func(t *testing.T) {
		s := testserver.Start(t)
		c, err := transport.SSH(s.SSH, s.Token().SSHKey, protocol.SSHAgent, testserver.NewKey(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		run(t, c, s)
	})
}

func newPart(t *testing.T, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return openPart(t, path)
}

func openPart(t *testing.T, path string) *os.File {
	t.Helper()
	part, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { part.Close() })
	return part
}

func content() []byte { return bytes.Repeat([]byte("0123456789"), 20_000) }

// F20: a download may break off any number of times while it gets on, and nothing is sent twice.
func TestDownloadsResume(t *testing.T) {
	overBoth(t, func(t *testing.T, c *transport.Client, s *testserver.Server) {
		whole := content()
		digest := inventory.Digest(whole)
		for name, fetch := range map[string]func() ([]byte, error){
			"bundle": func() ([]byte, error) { return c.Bundle(t.Context(), digest, int64(len(whole)), nil) },
			"set":    func() ([]byte, error) { return c.Set(t.Context(), digest, nil) },
		} {
			server := &bad{content: whole, breaks: []int{15_000}}
			s.Before(server.answer)
			got, err := fetch()
			if err != nil || !bytes.Equal(got, whole) {
				t.Fatalf("%s: %d bytes, %v; want %d", name, len(got), err, len(whole))
			}
			var want []int
			for at := 0; at < len(whole); at += 15_000 {
				want = append(want, at)
			}
			if diff := cmp.Diff(want, server.from); diff != "" {
				t.Errorf("%s: where it went on (-want +got):\n%s", name, diff)
			}
		}
	})
}

// F20: what came before a call ended is not fetched again by the next one.
func TestDownloadsGoOnInTheNextCall(t *testing.T) {
	overBoth(t, func(t *testing.T, c *transport.Client, s *testserver.Server) {
		whole := content()
		digest := inventory.Digest(whole)
		part := newPart(t, nil)
		first := &bad{content: whole, breaks: []int{70_000, 0}}
		s.Before(first.answer)
		got, err := c.Bundle(t.Context(), digest, int64(len(whole)), part)
		if !errors.Is(err, transport.ErrUnfinished) || got != nil || len(first.from) != 6 {
			t.Fatalf("Bundle = %d bytes, %v after %d requests; want 6, five of them in vain", len(got), err, len(first.from))
		}
		second := &bad{content: whole, breaks: []int{-1}}
		s.Before(second.answer)
		got, err = c.Bundle(t.Context(), digest, int64(len(whole)), openPart(t, part.Name()))
		if err != nil || !bytes.Equal(got, whole) || !slices.Equal(second.from, []int{70_000}) {
			t.Errorf("Bundle = %d bytes, %v; it went on at %d, want 70000", len(got), err, second.from)
		}
		got, err = c.Bundle(t.Context(), digest, int64(len(whole)), openPart(t, part.Name()))
		if err != nil || !bytes.Equal(got, whole) || len(second.from) != 1 {
			t.Errorf("Bundle = %d bytes, %v; it asked for %d, want nothing: all is there", len(got), err, second.from)
		}
	})
}

// What rotted on the disk, or never was a part of it, costs one more download and is not believed.
func TestSpoiltPartsAreThrownAway(t *testing.T) {
	overBoth(t, func(t *testing.T, c *transport.Client, s *testserver.Server) {
		whole := content()
		digest := inventory.Digest(whole)
		flipped := bytes.Clone(whole[:70_000])
		flipped[12_345] ^= 1
		for name, old := range map[string]struct {
			part []byte
			from []int
		}{
			"a bit turned":     {flipped, []int{70_000, 0}},
			"as long, but not": {bytes.Repeat([]byte("x"), len(whole)), []int{len(whole), 0}},
			"too long":         {bytes.Repeat([]byte("x"), len(whole)+1), []int{0}},
		} {
			server := &bad{content: whole, breaks: []int{-1}}
			s.Before(server.answer)
			part := newPart(t, old.part)
			got, err := c.Bundle(t.Context(), digest, int64(len(whole)), part)
			if err != nil || !bytes.Equal(got, whole) || !slices.Equal(server.from, old.from) {
				t.Errorf("%s: %d bytes, %v; it asked from %d, want %d", name, len(got), err, server.from, old.from)
			}
			if kept, _ := os.ReadFile(part.Name()); !bytes.Equal(kept, whole) {
				t.Errorf("%s: %d bytes are kept", name, len(kept))
			}
		}
	})
}

// What does not get on ends, also when a few bytes trickle in.
func TestDownloadsWithoutProgressEnd(t *testing.T) {
	overBoth(t, func(t *testing.T, c *transport.Client, s *testserver.Server) {
		for _, each := range []int{0, 100} {
			server := &bad{content: content(), breaks: []int{each}}
			s.Before(server.answer)
			_, err := c.Bundle(t.Context(), inventory.Digest(content()), int64(len(content())), nil)
			if err == nil || len(server.from) != 5 {
				t.Errorf("%d bytes a try: %v after %d tries, want 5", each, err, len(server.from))
			}
		}
	})
}

// A download is what its digest says or nothing, and a wrong one is not asked for again and again.
func TestWrongDownloadsAreNotTaken(t *testing.T) {
	overBoth(t, func(t *testing.T, c *transport.Client, s *testserver.Server) {
		digest := inventory.Digest([]byte("[]"))
		for name, fetch := range map[string]func(part *os.File) ([]byte, error){
			"bundle": func(part *os.File) ([]byte, error) { return c.Bundle(context.Background(), digest, 2, part) },
			"set":    func(part *os.File) ([]byte, error) { return c.Set(context.Background(), digest, part) },
		} {
			server := &bad{content: []byte("{}"), breaks: []int{-1}}
			s.Before(server.answer)
			part := newPart(t, nil)
			got, err := fetch(part)
			if !errors.Is(err, transport.ErrWrong) || got != nil || len(server.from) != 1 || !strings.Contains(err.Error(), "something else") {
				t.Errorf("%s: %q, %v after %d requests", name, got, err, len(server.from))
			}
			if kept, _ := os.ReadFile(part.Name()); len(kept) > 0 {
				t.Errorf("%s: %q was kept", name, kept)
			}
		}
	})
}

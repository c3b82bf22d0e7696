package server_test

import (
	"bytes"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/server/store"
)

// F20: who has the first half of a bundle is sent the second half, and nothing else.
func TestOnlyTheRestIsSent(t *testing.T) {
	r := start(t)
	s, err := store.Open(t.Context(), filepath.Join(r.data, "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bundle := bytes.Repeat([]byte("0123456789"), 10_000)
	digest := inventory.Digest(bundle)
	if err := s.PutObject(t.Context(), store.Ref{Kind: store.KindBundle, Digest: digest}, bundle, time.Now()); err != nil {
		t.Fatal(err)
	}
	cert, _, _, _ := r.enroll(t, "h1")
	for asked, want := range map[string]struct {
		code int
		body []byte
	}{
		"":               {http.StatusOK, bundle},
		"bytes=70000-":   {http.StatusPartialContent, bundle[70_000:]},
		"bytes=100000-":  {http.StatusRequestedRangeNotSatisfiable, nil},
		"bytes=nonsense": {http.StatusRequestedRangeNotSatisfiable, nil},
	} {
		c := r.overTLS(r.at.Agents, cert)
		if asked != "" {
			c.header.Set("Range", asked)
		}
		code, body, err := c.try("GET", protocol.PathBundles+digest, nil)
		if err != nil || code != want.code || want.body != nil && !bytes.Equal(body, want.body) {
			t.Errorf("%q: %d with %d bytes, %v; want %d with %d", asked, code, len(body), err, want.code, len(want.body))
		}
	}
}

package agent

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/agent/protocol"
	"plumb/agent/transport"
)

// slowly sends zeros for each bundle, in a few pieces of so many bytes, and then nothing more.
func (r *rig) slowly(piece, pieces int) {
	asked := 0
	r.Before(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasPrefix(req.URL.Path, protocol.PathBundles) {
			return false
		}
		if asked++; asked > pieces {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", "1000000") // and breaks off long before
		if req.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(make([]byte, piece))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
}

// parts are the downloads of which something is kept.
func (r *rig) parts() []string {
	found, _ := filepath.Glob(filepath.Join(r.agent.Dir.Path, "parts", "*"))
	var kept []string
	for _, path := range found {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			kept = append(kept, filepath.Base(path))
		}
	}
	return kept
}

// noise is text that no bundle makes smaller.
func noise(n int) string {
	raw := make([]byte, n/2)
	_, _ = rand.Read(raw)
	return hex.EncodeToString(raw)
}

// F20: a round goes on with a download where the one before had to leave it, over both transports.
func TestTheNextRoundGoesOnWithADownload(t *testing.T) {
	for _, over := range []string{"https", "ssh"} {
		t.Run(over, func(t *testing.T) {
			r := newRig(t)
			text := noise(300_000)
			l := r.publish(1, 0, r.tree(text))
			if over == "ssh" {
				r.enroll("ssh://" + r.SSH)
			} else {
				r.enroll("")
			}
			var asked []string
			r.Before(func(w http.ResponseWriter, req *http.Request) bool {
				if !strings.HasPrefix(req.URL.Path, protocol.PathBundles) {
					return false
				}
				asked = append(asked, req.Header.Get("Range"))
				if len(asked) != 1 {
					panic(http.ErrAbortHandler)
				}
				w.Header().Set("Content-Length", "400000")
				_, _ = w.Write(r.Bundle(l.Bundle)[:100_000])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			if out := r.round(); !errors.Is(out.Called, transport.ErrUnfinished) || len(r.parts()) != 1 {
				t.Fatalf("Round = %+v with %v kept, want an unfinished download", out, r.parts())
			}
			asked = nil
			r.Before(func(_ http.ResponseWriter, req *http.Request) bool {
				if strings.HasPrefix(req.URL.Path, protocol.PathBundles) {
					asked = append(asked, req.Header.Get("Range"))
				}
				return false
			})
			r.round()
			r.want(text, 1)
			if len(asked) != 1 || asked[0] != "bytes=100000-" || len(r.parts()) != 0 {
				t.Errorf("it asked for %q and left %v", asked, r.parts())
			}
		})
	}
}

// What came of a release that nobody wants any more is no burden, and nothing is believed of it.
func TestHalfADownloadIsForgotten(t *testing.T) {
	r := newRig(t)
	first := r.publish(1, 0, r.tree(noise(300_000)))
	r.enroll("")
	r.slowly(50_000, 2)
	r.round()
	if got := r.parts(); len(got) != 1 || got[0] != first.Bundle {
		t.Fatalf("kept %v, want a part of %s", got, first.Bundle)
	}
	second := r.publish(2, 0, r.tree(noise(300_000)))
	r.slowly(50_000, 2)
	r.round()
	if got := r.parts(); len(got) != 1 || got[0] != second.Bundle {
		t.Errorf("kept %v, want a part of %s", got, second.Bundle)
	}
	r.Before(nil)
	text := "three"
	r.publish(3, 0, r.tree(text))
	r.round()
	r.want(text, 3)
	if got := r.parts(); len(got) != 0 {
		t.Errorf("%v is left", got)
	}
}

// A part that rotted, and a disk that keeps none, cost a download and no release.
func TestADownloadNeedsNoPart(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, folder, digest string){
		"zeros": func(t *testing.T, folder, digest string) {
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, digest), make([]byte, 1000), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no folder": func(t *testing.T, folder, _ string) {
			if err := os.WriteFile(folder, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			l := r.publish(1, 0, r.tree("one"))
			r.enroll("")
			spoil(t, filepath.Join(r.agent.Dir.Path, "parts"), l.Bundle)
			r.round()
			r.want("one", 1)
		})
	}
}

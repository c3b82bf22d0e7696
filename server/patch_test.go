package server_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies/patch"
	"plumb/server/api"
	"plumb/server/store"
)

// TestHostsFetchPatchSets gives a host the bytes of a set that a cycle carries, and no other object.
func TestHostsFetchPatchSets(t *testing.T) {
	r := start(t)
	cert, _, _, _ := r.enroll(t, "web1")
	host := r.overTLS(r.at.Agents, cert)
	s, err := store.Open(t.Context(), filepath.Join(r.data, "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(kind, text string) string {
		t.Helper()
		digest := inventory.Digest([]byte(text))
		if err := s.PutObject(t.Context(), store.Ref{Kind: kind, Digest: digest}, []byte(text), time.Now()); err != nil {
			t.Fatal(err)
		}
		return digest
	}
	raw, err := json.Marshal(patch.Set{Rollout: "os", Baseline: "os", Items: []patch.Item{{Manager: "apt", Package: "openssl", Version: "2"}}})
	if err != nil {
		t.Fatal(err)
	}
	carried, loose, facts := put(store.KindSet, string(raw)), put(store.KindSet, `{}`), put(store.KindFacts, `{"secret":1}`)
	if err := s.SaveCycle(t.Context(), store.Cycle{Rollout: "os", Number: 1, Set: carried, Made: time.Now(), State: "{}", Updated: time.Now()}); err != nil {
		t.Fatal(err)
	}
	code, body, err := host.try("GET", protocol.PathSets+carried, nil)
	if err != nil || code != http.StatusOK || inventory.Digest(body) != carried {
		t.Errorf("a set that a cycle carries: %d, %q, %v", code, body, err)
	}
	for name, digest := range map[string]string{"a set of no cycle": loose, "the facts of a host": facts, "nothing": "x"} {
		if code, body, _ := host.try("GET", protocol.PathSets+digest, nil); code != http.StatusNotFound {
			t.Errorf("%s: %d, %q, want 404", name, code, body)
		}
	}
}

// TestNewPatchSetIsRefusedWithoutPolicy says why, in a form that the command line shows.
func TestNewPatchSetIsRefusedWithoutPolicy(t *testing.T) {
	r := start(t)
	ada := r.person(t, "operator")
	for reason, want := range map[string]int{"": http.StatusConflict, "now": http.StatusConflict} {
		if code := ada.do(t, "POST", "/v1/patch/sets/os", api.ActRequest{Reason: reason}, nil); code != want {
			t.Errorf("new set with the reason %q: %d, want %d", reason, code, want)
		}
	}
	if code := ada.do(t, "GET", "/v1/patch/sets/os/newest", nil, nil); code != http.StatusNotFound {
		t.Errorf("newest set of nothing: %d, want 404", code)
	}
	if code := ada.do(t, "GET", "/v1/patch/sets/os/none", nil, nil); code != http.StatusBadRequest {
		t.Errorf("set number none: %d, want 400", code)
	}
}

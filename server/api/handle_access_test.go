package api

import (
	"errors"
	"path/filepath"
	"testing"

	"plumb/server/store"
)

// TestTokenIDThatIsTaken: short IDs meet in a large fleet, which is nobody's mistake.
func TestTokenIDThatIsTaken(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := &API{Store: s}
	ids := []string{"one", "one", "one", "two"}
	draw := func() string {
		id := ids[0]
		ids = append(ids[1:], id)
		return id
	}
	for _, want := range []string{"one", "two"} {
		got, err := a.keepToken(t.Context(), draw, store.Token{Hash: "hash of " + want})
		if err != nil || got.ID != want {
			t.Fatalf("the token is %q, %v, and not %q", got.ID, err, want)
		}
	}
	if _, err := a.keepToken(t.Context(), func() string { return "one" }, store.Token{Hash: "another"}); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("a draw that never ends: %v", err)
	}
}

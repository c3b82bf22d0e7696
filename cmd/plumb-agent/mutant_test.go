package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumb/agent/state"
	"plumb/agent/testserver"
	"plumb/policies/bundle"
)

// mutate changes a policy at random places, and now and then puts in what is known to be hard.
func mutate(chance *rand.Rand, text string) string {
	raw := []byte(text)
	for range 1 + chance.IntN(8) {
		at := chance.IntN(len(raw))
		switch chance.IntN(5) {
		case 0:
			raw[at] = byte(chance.IntN(256))
		case 1:
			raw = slices.Delete(raw, at, min(len(raw), at+1+chance.IntN(20)))
		case 2:
			raw = slices.Insert(raw, at, raw[:chance.IntN(len(raw))]...)
		case 3:
			raw = slices.Insert(raw, at, []byte(hard[chance.IntN(len(hard))])...)
		default:
			raw[at] ^= 1 << chance.IntN(8)
		}
		raw = append(raw, ' ')
	}
	return string(raw)
}

var hard = []string{strings.Repeat("[", 60_000), strings.Repeat("!(", 20_000), "1e999999999", "${", "%{ for x in [1] }", "\x00", "\u202e",
	`"${join("", [for a in range(99) : [for b in range(99) : [for c in range(99) : "x"]]])}"`, "content = content\n", "resource \"file\" \"motd\" {}\n"}

// F41: no release, however mad, costs a host its last good one, as long as it is signed or not.
func TestMadReleasesLeaveTheLastGoodOne(t *testing.T) {
	releases := 15
	if os.Getenv("PLUMB_SOAK") == "1" {
		releases = 10_000
	}
	s, h := testserver.Start(t), newHost(t)
	s.Publish(t, 1, 0, policy("one"), s.Author)
	h.agent("enroll", s.Token().String(), "--name", "web1")
	if _, problems, code := h.agent("run", "--once"); code != 0 {
		t.Fatalf("exit %d, %s", code, problems)
	}
	chance := rand.New(rand.NewPCG(41, 0))
	refused := 0
	for v := range uint64(releases) {
		text := mutate(chance, string(policy("one")["main.hcl"]))
		s.Publish(t, v+2, 1, bundle.Tree{"main.hcl": []byte(text)}, s.Author)
		_, problems, code := h.agent("run", "--once")
		if code != 0 && code != 2 || strings.Contains(problems, "\ngoroutine ") {
			t.Fatalf("release %d: exit %d, %.400s\nof %.400q", v+2, code, problems, text)
		}
		held, err := (&state.Dir{Path: h.state}).Releases()
		if err != nil || held.Good == nil {
			t.Fatalf("release %d cost the last good one: %+v, %v", v+2, held, err)
		}
		if code == 2 {
			refused++
		}
		if failed := held.Quarantined != nil && held.Quarantined.Number == v+2; held.Good.Number > v+2 || (code == 2) != failed || failed == (held.Good.Number == v+2) {
			t.Fatalf("exit %d after release %d, but %+v is in force and %+v in quarantine", code, v+2, held.Good, held.Quarantined)
		}
		if (v+1)%500 == 0 {
			t.Logf("%d releases, %d of them refused", v+1, refused)
		}
	}
	s.Publish(t, uint64(releases)+2, 1, policy("sane"), s.Author)
	_, problems, code := h.agent("run", "--once")
	if raw, _ := os.ReadFile(filepath.Join(h.root, "motd")); code != 0 || string(raw) != "Welcome to sane\n" {
		t.Errorf("a good release after that: exit %d, %s; /motd is %.40q", code, problems, raw)
	}
	if t.Logf("%d releases, %d of them refused", releases, refused); refused == 0 {
		t.Error("no release was mad")
	}
}

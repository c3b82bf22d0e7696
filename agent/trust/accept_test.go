package trust_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"plumb/agent/protocol"
	"plumb/agent/testserver"
	"plumb/agent/trust"
	"plumb/inventory"
	"plumb/policies/bundle"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const host = inventory.HostID("h1")

type keys struct {
	sign note.Signer
	pin  string
}

func newKeys(t *testing.T) keys {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "plumb-lease")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return keys{signer, public}
}

func (k keys) lease(t *testing.T, l protocol.Lease) string {
	t.Helper()
	if l.Issued.IsZero() {
		l.Issued = now.Add(-time.Minute)
	}
	if l.Expires.IsZero() {
		l.Expires = l.Issued.Add(24 * time.Hour)
	}
	if l.Host == "" {
		l.Host = host
	}
	signed, err := protocol.SignLease(l, k.sign)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestLease(t *testing.T) {
	k, other := newKeys(t), newKeys(t)
	seen := trust.Floors{Counter: 10, Lease: "x", Release: 50, Oldest: 40}
	for name, c := range map[string]struct {
		floors trust.Floors
		lease  protocol.Lease
		key    keys
		want   string // in the error; empty: it is accepted
	}{
		"fresh host":             {trust.Floors{}, protocol.Lease{Counter: 1, Release: 12_345}, k, ""},
		"newer":                  {seen, protocol.Lease{Counter: 11, Release: 51}, k, ""},
		"one step back":          {seen, protocol.Lease{Counter: 11, Release: 40}, k, ""},
		"older counter":          {seen, protocol.Lease{Counter: 9, Release: 51}, k, "went back"},
		"same counter, other":    {seen, protocol.Lease{Counter: 10, Release: 51}, k, "already used"},
		"below the oldest":       {seen, protocol.Lease{Counter: 11, Release: 39}, k, "older than 40"},
		"as far as allowed":      {seen, protocol.Lease{Counter: 11, Release: 50 + protocol.MaxJump}, k, ""},
		"a jump":                 {seen, protocol.Lease{Counter: 11, Release: 51 + protocol.MaxJump}, k, "ahead of 50"},
		"the last number":        {seen, protocol.Lease{Counter: 11, Release: 1<<63 - 1}, k, "ahead of 50"},
		"another host":           {seen, protocol.Lease{Host: "h2", Counter: 11, Release: 51}, k, "not for this one"},
		"another key":            {seen, protocol.Lease{Counter: 11, Release: 51}, other, "not signed by the pinned key"},
		"run out":                {seen, protocol.Lease{Counter: 11, Release: 51, Issued: now.Add(-25 * time.Hour)}, k, "ran out"},
		"runs out now":           {seen, protocol.Lease{Counter: 11, Release: 51, Issued: now.Add(-24 * time.Hour)}, k, "ran out"},
		"for years":              {seen, protocol.Lease{Counter: 11, Release: 51, Expires: now.AddDate(1, 0, 0)}, k, "no server gives"},
		"ends before its start":  {seen, protocol.Lease{Counter: 11, Release: 51, Issued: now.Add(2 * time.Hour), Expires: now.Add(time.Hour)}, k, "no server gives"},
		"counter of all numbers": {trust.Floors{Counter: 1<<64 - 1, Lease: "x"}, protocol.Lease{Counter: 1, Release: 1}, k, "went back"},
	} {
		t.Run(name, func(t *testing.T) {
			got, floors, err := trust.Lease(c.floors, c.key.lease(t, c.lease), k.pin, host, now)
			if c.want == "" {
				if err != nil || got.Counter != c.lease.Counter || floors.Counter != c.lease.Counter {
					t.Fatalf("Lease = %+v, %+v, %v; want it accepted", got, floors, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("Lease = %v, want an error with %q", err, c.want)
			}
			if floors != c.floors {
				t.Errorf("a refused lease moved the floors from %+v to %+v", c.floors, floors)
			}
		})
	}
}

// Whoever has seen lease j refuses every lease i < j, and takes the very same j again.
func TestLeaseReplayMatrix(t *testing.T) {
	k := newKeys(t)
	var signed [21]string
	for v := 1; v <= 20; v++ {
		signed[v] = k.lease(t, protocol.Lease{Counter: uint64(v), Release: uint64(v)})
	}
	refused := 0
	for j := 1; j <= 20; j++ {
		_, floors, err := trust.Lease(trust.Floors{}, signed[j], k.pin, host, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := trust.Lease(floors, signed[j], k.pin, host, now); err != nil {
			t.Errorf("lease %d again: %v, want it accepted", j, err)
		}
		for i := 1; i < j; i++ {
			if _, _, err := trust.Lease(floors, signed[i], k.pin, host, now); err == nil {
				t.Errorf("lease %d was accepted after %d", i, j)
			}
			refused++
		}
	}
	if refused != 190 {
		t.Errorf("tried %d pairs, want 190", refused)
	}
}

func TestRelease(t *testing.T) {
	author, stranger := testserver.NewKey(t), testserver.NewKey(t)
	signers, err := protocol.ParseSigners(testserver.SignerLine("author", author))
	if err != nil {
		t.Fatal(err)
	}
	digest := strings.Repeat("a", 64)
	good := protocol.Release{Number: 7, Commit: strings.Repeat("1", 40), Bundle: digest, Size: 10, RollbackTo: 6, Tagged: now}
	with := func(f func(*protocol.Release)) protocol.Release { r := good; f(&r); return r }
	for name, c := range map[string]struct {
		floors trust.Floors
		tag    []byte
		lease  func(*protocol.Lease)
		want   string
	}{
		"good":             {tag: testserver.SignTag(t, good, author)},
		"foreign key":      {tag: testserver.SignTag(t, good, stranger), want: "not pinned"},
		"other number":     {tag: testserver.SignTag(t, with(func(r *protocol.Release) { r.Number = 8 }), author), want: "is that of release 8"},
		"other bundle":     {tag: testserver.SignTag(t, with(func(r *protocol.Release) { r.Bundle = strings.Repeat("b", 64) }), author), want: "another bundle"},
		"too large":        {tag: testserver.SignTag(t, with(func(r *protocol.Release) { r.Size = bundle.MaxBytes + 1 }), author), want: "is the most"},
		"other tag":        {tag: testserver.SignTag(t, good, author), lease: func(l *protocol.Lease) { l.Tag = digest }, want: "has the digest"},
		"two of a number":  {floors: trust.Floors{Release: 7, Bundle: strings.Repeat("b", 64)}, tag: testserver.SignTag(t, good, author), want: "seen before"},
		"below the oldest": {floors: trust.Floors{Release: 9, Oldest: 8}, tag: testserver.SignTag(t, good, author), want: "older than 8"},
	} {
		t.Run(name, func(t *testing.T) {
			l := protocol.Lease{Release: 7, Tag: inventory.Digest(c.tag), Bundle: digest}
			if c.lease != nil {
				c.lease(&l)
			}
			got, floors, err := trust.Release(c.floors, l, c.tag, signers)
			if c.want == "" {
				if err != nil || got.Number != 7 || floors.Oldest != 6 || floors.Release != 7 {
					t.Fatalf("Release = %+v, %+v, %v; want it accepted", got, floors, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || floors != c.floors {
				t.Fatalf("Release = %+v, %v; want an error with %q", floors, err, c.want)
			}
		})
	}
}

func TestBundle(t *testing.T) {
	raw := []byte("tree")
	r := protocol.Release{Bundle: inventory.Digest(raw), Size: 4}
	if err := trust.Bundle(r, raw); err != nil {
		t.Error(err)
	}
	for name, wrong := range map[string][]byte{"longer": []byte("trees"), "other": []byte("TREE"), "none": nil} {
		if trust.Bundle(r, wrong) == nil {
			t.Errorf("%s: the bundle was accepted", name)
		}
	}
}

func TestSigners(t *testing.T) {
	line := testserver.SignerLine("new", testserver.NewKey(t))
	for name, c := range map[string]struct {
		floors  trust.Floors
		number  uint64
		tree    bundle.Tree
		want    string
		signers uint64
		fails   bool
	}{
		"none brought":   {trust.Floors{Signers: 3}, 5, bundle.Tree{}, "old\n", 3, false},
		"brought":        {trust.Floors{Signers: 3}, 5, bundle.Tree{protocol.SignersFile: []byte(line)}, line + "\n", 5, false},
		"by a step back": {trust.Floors{Signers: 6}, 5, bundle.Tree{protocol.SignersFile: []byte(line)}, "old\n", 6, false},
		"empty":          {trust.Floors{Signers: 3}, 5, bundle.Tree{protocol.SignersFile: []byte("# nobody\n")}, "old\n", 3, true},
		"unreadable":     {trust.Floors{Signers: 3}, 5, bundle.Tree{protocol.SignersFile: []byte("x cert-authority ssh-ed25519 AAAA\n")}, "old\n", 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, floors, err := trust.Signers(c.floors, c.number, c.tree, "old\n")
			if (err != nil) != c.fails || got != c.want || floors.Signers != c.signers {
				t.Errorf("Signers = %q, %d, %v; want %q, %d", got, floors.Signers, err, c.want, c.signers)
			}
		})
	}
}

func TestClock(t *testing.T) {
	early, late := now.AddDate(-56, 0, 0), now.AddDate(0, 1, 0)
	for name, c := range map[string]struct{ local, built, lease, want time.Time }{
		"the host's own":   {late, now, now, late},
		"fell back":        {early, now, time.Time{}, now},
		"turned back":      {now, early, late, late},
		"nothing is known": {now, time.Time{}, time.Time{}, now},
	} {
		if got := trust.Clock(c.local, c.built, trust.Floors{Time: c.lease}); !got.Equal(c.want) {
			t.Errorf("%s: Clock = %s, want %s", name, got, c.want)
		}
	}
}

func FuzzRelease(f *testing.F) {
	author := testserver.NewKey(f)
	signers, err := protocol.ParseSigners(testserver.SignerLine("author", author))
	if err != nil {
		f.Fatal(err)
	}
	r := protocol.Release{Number: 7, Commit: strings.Repeat("1", 40), Bundle: strings.Repeat("a", 64), Size: 10, RollbackTo: 6, Tagged: now}
	genuine := testserver.SignTag(f, r, author)
	f.Add(genuine)
	f.Add([]byte(fmt.Sprintf("%s\n-----BEGIN SSH SIGNATURE-----\n", r.Payload("x <x@x>"))))
	f.Fuzz(func(t *testing.T, tag []byte) {
		got, _, err := trust.Release(trust.Floors{}, protocol.Lease{Release: 7, Tag: inventory.Digest(tag), Bundle: r.Bundle}, tag, signers)
		if err == nil && (got.Number != 7 || got.Bundle != r.Bundle || got.RollbackTo != 6) {
			t.Errorf("a release that nobody signed was accepted: %+v", got)
		}
	})
}

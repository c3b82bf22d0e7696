package people

import (
	"fmt"
	"testing"
	"time"
)

func TestTriesSlowDown(t *testing.T) {
	l, tries := newLimits(), 0
	for now := start; now.Before(start.Add(time.Hour)); now = now.Add(time.Second) {
		if l.take("ada", "192.0.2.1:99", "", now) == 0 {
			tries++
		}
	}
	if want := pairBurst + int(time.Hour/pairEvery); tries > want || tries < want*9/10 {
		t.Errorf("%d tries in an hour from one address, want %d", tries, want)
	}
	if wait := l.take("ada", "192.0.2.1:99", "", start.Add(time.Hour)); wait > pairEvery {
		t.Errorf("whoever stops for a moment waits for %s, want %s at the most", wait, pairEvery)
	}
}

// TestManyAddresses has a flood from everywhere at one account.
func TestManyAddresses(t *testing.T) {
	p, _, _ := newPeople(t, cheap)
	must(t, p.Add(t.Context(), local("ada"), good))
	mark, err := p.newDevice(t.Context(), "ada")
	must(t, err)
	refused := 0
	for i := range 200 {
		if p.limits.take("ada", fmt.Sprintf("198.51.100.%d:1", i), "", start) > 0 {
			refused++
		}
	}
	if refused != 200-accountBurst {
		t.Errorf("%d of 200 were refused, want %d", refused, 200-accountBurst)
	}
	in := try("ada", good)
	if _, _, err := p.SignIn(t.Context(), in); kindOf(err) != Slow {
		t.Errorf("the person from a new browser: %v, want to be told to wait", err)
	}
	in.Device = mark
	if _, _, err := p.SignIn(t.Context(), in); err != nil {
		t.Errorf("the person from a browser that signed in before: %v", err)
	}
	if wait := p.limits.take("bob", "203.0.113.1:1", "", start); wait > 0 {
		t.Errorf("another account has to wait for %s", wait)
	}
}

func TestMarksOfBrowsers(t *testing.T) {
	p, _, _ := newPeople(t, cheap)
	ctx := t.Context()
	mark, err := p.newDevice(ctx, "ada")
	must(t, err)
	for name, c := range map[string]struct {
		account, mark string
		want          bool
	}{
		"own": {"ada", mark, true}, "another's": {"bob", mark, false}, "none": {"ada", "", false}, "half": {"ada", mark[:22], false},
		"made up": {"ada", "x.y", false}, "changed": {"ada", "x" + mark, false},
	} {
		if got := p.device(ctx, c.account, c.mark) != ""; got != c.want {
			t.Errorf("%s: the mark counts = %v, want %v", name, got, c.want)
		}
	}
}

func TestOneBrowserCannotGuess(t *testing.T) {
	l, tries := newLimits(), 0
	for i := range 1000 {
		if l.take("ada", fmt.Sprintf("198.51.100.%d:1", i%250), "device", start) == 0 {
			tries++
		}
	}
	if tries != deviceBurst {
		t.Errorf("a known browser has %d tries at once, want %d", tries, deviceBurst)
	}
}

func TestNetworkOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7:443": "192.0.2.7", "[2001:db8:1:2:3:4:5:6]:443": "2001:db8:1:2::/64", "[fe80::1%eth0]:1": "fe80::/64", "[::ffff:192.0.2.7]:1": "::ffff:192.0.2.7", "pipe": "pipe", "": "",
	} {
		if got := networkOf(address); got != want {
			t.Errorf("networkOf(%q) = %q, want %q", address, got, want)
		}
	}
}

// TestBucketsStayFew floods a table with keys: memory stays bounded, and nobody gets new tries by it.
func TestBucketsStayFew(t *testing.T) {
	b := newBuckets(2, time.Minute)
	b.take("ada", start)
	b.take("ada", start)
	for i := range mostBuckets + 1000 {
		b.take(fmt.Sprint(i), start)
	}
	if len(b.of) > mostBuckets {
		t.Errorf("%d buckets, want %d at the most", len(b.of), mostBuckets)
	}
	if b.take("ada", start) == 0 {
		t.Error("the flood gave ada new tries")
	}
	if b.take("newcomer", start) == 0 {
		t.Error("a newcomer gets around the flood")
	}
	if later := start.Add(time.Hour); b.take("newcomer", later) > 0 || len(b.of) > 1 {
		t.Errorf("an hour later there are %d buckets", len(b.of))
	}
}

package watch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
)

var start = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

func TestBreaker(t *testing.T) {
	cases := map[string]struct {
		every time.Duration // between two mends
		mends int
		trips int // the mend that trips it, 0 is none
	}{
		"fought over":      {10 * time.Second, 8, 5},
		"now and then":     {3 * time.Minute, 50, 0},
		"at the very edge": {150 * time.Second, 50, 0},
		"just within":      {149 * time.Second, 8, 5},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b, trips := NewBreaker(), 0
			for i := 1; i <= c.mends && trips == 0; i++ {
				if _, tripped := b.Mended("file.x", Writer{}, start.Add(time.Duration(i)*c.every)); tripped {
					trips = i
				}
			}
			if trips != c.trips {
				t.Errorf("it tripped at mend %d, want %d", trips, c.trips)
			}
		})
	}
}

func TestBreakerRestsAndComesBack(t *testing.T) {
	b := NewBreaker()
	var flap Flap
	for i := range 5 {
		flap, _ = b.Mended("file.x", Writer{PID: 100 + i, Comm: "chef", Login: "ann"}, start)
	}
	want := Flap{Address: "file.x", Flapping: policies.Flapping{Since: start, Until: start.Add(time.Hour), Mends: 5, Writers: []string{"chef of ann"}}}
	if diff := cmp.Diff(want, flap); diff != "" {
		t.Errorf("Mended (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Flap{want}, b.Flapping(start)); diff != "" {
		t.Errorf("Flapping (-want +got):\n%s", diff)
	}
	if !b.Rests("file.x", start.Add(59*time.Minute)) || b.Rests("file.y", start) {
		t.Error("it does not rest for its hour, or another one rests")
	}
	if b.Rests("file.x", start.Add(time.Hour)) || len(b.Flapping(start.Add(time.Hour))) > 0 {
		t.Error("it rests for more than an hour")
	}
	if _, tripped := b.Mended("file.x", Writer{}, start.Add(time.Hour)); tripped {
		t.Error("after its rest the first mend trips it again")
	}
}

// TestBreakerIsShownOnceAndRestored is about what is told, and about a start of the agent.
func TestBreakerIsShownOnceAndRestored(t *testing.T) {
	b := NewBreaker()
	for range 5 {
		b.Mended("file.x", Writer{}, start)
	}
	if b.Show("file.y") || !b.Show("file.x") || b.Show("file.x") {
		t.Error("it is not shown once")
	}
	again := NewBreaker()
	again.Restore(b.Flapping(start))
	if !again.Rests("file.x", start.Add(59*time.Minute)) || again.Show("file.x") {
		t.Error("a breaker that was restored knows nothing")
	}
	if again.Rests("file.x", start.Add(-2*time.Second)) {
		t.Error("a clock that was set back makes it rest for more than an hour")
	}
}

func TestWriterWords(t *testing.T) {
	cases := map[string]struct {
		writer                Writer
		String, programInList string
	}{
		"not told":         {Writer{}, "", ""},
		"gone":             {Writer{PID: 12}, "unknown (pid 12)", ""},
		"nobody logged in": {Writer{PID: 12, Comm: "chef"}, "chef (pid 12)", "chef"},
		"a login":          {Writer{PID: 12, Comm: "vim", Login: "ann"}, "vim (pid 12) of ann", "vim of ann"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.writer.String(); got != c.String {
				t.Errorf("String() = %q, want %q", got, c.String)
			}
			if got := c.writer.program(); got != c.programInList {
				t.Errorf("program() = %q, want %q", got, c.programInList)
			}
		})
	}
}

// TestBudget changes an address every 20 ms for ten minutes.
func TestBudget(t *testing.T) {
	p, events, longest, last := newPending(), 0, time.Duration(0), start
	for at := start; at.Before(start.Add(10 * time.Minute)); at = at.Add(20 * time.Millisecond) {
		p.note(Drift{Address: "file.x"}, at)
		if e, _ := p.due(at); len(e.Drifts) > 0 {
			events, longest, last = events+1, max(longest, at.Sub(last)), at
		}
	}
	if events < 70 || events > 80 {
		t.Errorf("%d events in ten minutes, want a burst of %d and one every %s", events, burst, refill)
	}
	if longest > refill+time.Second {
		t.Errorf("it was silent for %s, want %s at most", longest, refill)
	}
}

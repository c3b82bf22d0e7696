package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plumb/agent/state"
	"plumb/agent/transport"
	"plumb/agent/watch"
	"plumb/inventory"
)

// diary notes when rounds took place, in time since the start.
type diary struct {
	mu     sync.Mutex
	start  time.Time
	rounds []time.Duration
	calls  []time.Duration
	said   []string
}

func (d *diary) round(call bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Since(d.start)
	d.rounds = append(d.rounds, at)
	if call {
		d.calls = append(d.calls, at)
	}
}

func (d *diary) say(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, text)
}

// live runs a daemon for a virtual time and returns what it did.
func live(t *testing.T, length time.Duration, edit func(*Daemon, *diary)) *diary {
	t.Helper()
	d := &diary{start: time.Now()}
	ctx, stop := context.WithCancel(context.Background())
	daemon := &Daemon{Host: "h1", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Notify: d.say,
		Round: func(_ context.Context, call bool) (Outcome, error) { d.round(call); return Outcome{}, nil }}
	edit(daemon, d)
	done := make(chan error, 1)
	go func() { done <- daemon.Run(ctx) }()
	time.Sleep(length)
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	return d
}

func TestRoundsKeepTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := live(t, time.Hour, func(*Daemon, *diary) {})
		if len(d.rounds) < 12 || len(d.rounds) > 13 || d.rounds[0] > firstDelay {
			t.Fatalf("rounds at %v", d.rounds)
		}
		for i := 2; i < len(d.rounds); i++ {
			if gap := d.rounds[i] - d.rounds[i-1]; gap != DefaultInterval {
				t.Errorf("a gap of %s", gap)
			}
		}
		if d.said[0] != "READY=1\nSTATUS=waiting for the first round" || d.said[len(d.said)-1] != "STOPPING=1" {
			t.Errorf("said %q", d.said)
		}
	})
}

func TestServerSetsTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := live(t, time.Hour, func(one *Daemon, d *diary) {
			one.Round = func(_ context.Context, call bool) (Outcome, error) {
				d.round(call)
				return Outcome{Interval: 20 * time.Minute}, nil
			}
		})
		if len(d.rounds) < 3 || len(d.rounds) > 4 {
			t.Errorf("rounds at %v", d.rounds)
		}
	})
}

func TestDeadServerIsLeftAloneAndDriftMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := live(t, 48*time.Hour, func(one *Daemon, d *diary) {
			one.Round = func(_ context.Context, call bool) (Outcome, error) {
				d.round(call)
				if call {
					return Outcome{Called: errors.New("no route")}, nil
				}
				return Outcome{}, nil
			}
		})
		if len(d.rounds) < 2*24*12-2 {
			t.Errorf("only %d rounds in two days", len(d.rounds))
		}
		if n := len(d.calls); n < 48 || n > 300 {
			t.Errorf("%d calls in two days, want one in half an hour or so", n)
		}
		for i := 1; i < len(d.calls); i++ {
			if gap := d.calls[i] - d.calls[i-1]; gap > maxBackoff+DefaultInterval {
				t.Errorf("the server was left alone for %s", gap)
			}
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := live(t, 2*time.Hour, func(one *Daemon, d *diary) {
			one.Round = func(_ context.Context, call bool) (Outcome, error) {
				d.round(call)
				if call && len(d.calls) == 1 {
					return Outcome{Called: fmt.Errorf("x: %w", &transport.Refused{RetryAfter: time.Hour})}, nil
				}
				return Outcome{}, nil
			}
		})
		if gap := d.calls[1] - d.calls[0]; gap < time.Hour || gap > 70*time.Minute {
			t.Errorf("called again after %s, want an hour", gap)
		}
	})
}

func TestSignalWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wake := make(chan struct{}, 1)
		d := live(t, 4*time.Minute, func(one *Daemon, d *diary) {
			one.Wake, one.Interval = wake, time.Hour
			time.AfterFunc(3*time.Minute, func() { wake <- struct{}{} })
		})
		if last := d.calls[len(d.calls)-1]; last != 3*time.Minute {
			t.Errorf("the last call was at %s, want 3m", last)
		}
	})
}

func TestWatchdogStopsForARoundThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := live(t, 24*time.Hour, func(one *Daemon, d *diary) {
			one.Watchdog = 2 * time.Minute
			one.Round = func(ctx context.Context, _ bool) (Outcome, error) {
				<-ctx.Done()
				return Outcome{}, ctx.Err()
			}
		})
		beats := 0
		for _, text := range d.said {
			if text == "WATCHDOG=1" {
				beats++
			}
		}
		if beats < 700 || beats > 730 { // one a minute for twelve hours, and then none
			t.Errorf("%d beats", beats)
		}
	})
}

// What was started is looked at once more at its time, and other drift does not wait for that.
func TestDaemonLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drift, ctx, rests := make(chan watch.Event), t.Context(), []string{}
		began, calls := time.Now(), []string{}
		d := &Daemon{Host: "h1", Interval: time.Hour, Drift: drift, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Notify: func(string) {},
			Round: func(context.Context, bool) (Outcome, error) { return Outcome{}, nil }}
		d.Rest = func() { rests = append(rests, time.Since(began).String()) }
		d.Mend = func(_ context.Context, event watch.Event) (Outcome, error) {
			calls = append(calls, fmt.Sprintf("%s %v", time.Since(began), event.Addresses()))
			if time.Since(began) < time.Second {
				return Outcome{Again: began.Add(time.Second)}, nil
			}
			return Outcome{}, nil
		}
		ctx, stop := context.WithCancel(ctx)
		go func() {
			drift <- watch.Event{Drifts: []watch.Drift{{Address: "a"}}}
			time.Sleep(500 * time.Millisecond)
			drift <- watch.Event{Drifts: []watch.Drift{{Address: "b"}}}
			time.Sleep(time.Minute)
			stop()
		}()
		if err := d.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(calls, ", "); got != "0s [a], 500ms [b], 1s []" {
			t.Errorf("Mend was called at %s", got)
		}
		if got := strings.Join(rests, ", "); !strings.HasPrefix(got, "6s") || strings.Contains(got, "7s") {
			t.Errorf("it rested at %s, want once after five seconds of quiet", got)
		}
	})
}

func TestUnenrolledDaemonEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Daemon{Host: "h1", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Notify: func(string) {},
			Round: func(context.Context, bool) (Outcome, error) { return Outcome{}, state.ErrNotEnrolled }}
		if err := d.Run(t.Context()); !errors.Is(err, state.ErrNotEnrolled) {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestSplaySpreads(t *testing.T) {
	const hosts, slots = 10_000, 10
	var count [slots]int
	for i := range hosts {
		s := splay(inventory.HostID(fmt.Sprint("host-", i)), DefaultInterval)
		if s < 0 || s >= DefaultInterval {
			t.Fatalf("splay = %s", s)
		}
		count[int(s*slots/DefaultInterval)]++
	}
	for i, n := range count {
		if n < hosts/slots*8/10 || n > hosts/slots*12/10 {
			t.Errorf("%d hosts in tenth %d, want about %d", n, i, hosts/slots)
		}
	}
}

func TestBackoff(t *testing.T) {
	most := func(n int64) int64 { return n - 1 }
	for failures, want := range map[int]time.Duration{1: time.Minute, 2: 2 * time.Minute, 5: 16 * time.Minute, 7: time.Hour, 1000: time.Hour} {
		if got := backoff(failures, errors.New("x"), most); got > want+time.Second || got < want {
			t.Errorf("backoff(%d) is at most %s, want %s", failures, got, want)
		}
		if got := backoff(failures, errors.New("x"), func(int64) int64 { return 0 }); got != time.Second {
			t.Errorf("backoff(%d) is at least %s", failures, got)
		}
	}
}

func TestUnit(t *testing.T) {
	text := Unit([]string{"/opt/a b/plumb-agent", "run", "--state", "/x%y"})
	if !strings.Contains(text, "ExecStart=\"/opt/a b/plumb-agent\" run --state \"/x%%y\"\n") || strings.Contains(text, "@") {
		t.Errorf("unit:\n%s", text)
	}
}

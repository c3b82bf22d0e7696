package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"plumb/agent/state"
	"plumb/agent/watch"
	"plumb/inventory"
)

// Daemon does rounds for as long as it lives.
type Daemon struct {
	// Round does one round, see [Agent.Round].
	Round func(ctx context.Context, call bool) (Outcome, error)
	// Host gives the host its place within the interval.
	Host inventory.HostID
	// Interval is the time between rounds; 0 leaves it to the server, DefaultInterval until then.
	Interval time.Duration
	// Wake asks for a round now.
	Wake <-chan struct{}
	// Drift says what may have drifted, and Mend looks at it, see [Agent.Mend]. A nil channel says
	// nothing.
	Drift <-chan watch.Event
	Mend  func(ctx context.Context, event watch.Event) (Outcome, error)
	// Rest is called once when nothing has happened for a while, to give back what work took; nil does
	// nothing.
	Rest func()
	// Notify tells systemd how things stand, in the words of sd_notify.
	Notify func(state string)
	// Watchdog is how often systemd wants a sign of life, 0 for never.
	Watchdog time.Duration
	// Log takes what an administrator should know.
	Log *slog.Logger
}

// Limits of the loop.
const (
	DefaultInterval = 5 * time.Minute
	minInterval     = 10 * time.Second
	maxInterval     = 24 * time.Hour
	firstDelay      = 30 * time.Second // hosts that boot together start within this
	openingDelay    = time.Minute      // hosts whose window opens at once start within this
	soonDelay       = time.Minute      // between two rounds while a patch cycle is under way
	maxBackoff      = time.Hour
	restAfter       = 5 * time.Second
	maxRound        = 12 * time.Hour // a round that takes longer hangs, and systemd may restart us
)

// Run does rounds until ctx ends; a round under way then finishes the resource at hand. It
// returns an error only when no round can ever succeed.
func (d *Daemon) Run(ctx context.Context) error {
	plan := newSchedule(d.Host, d.Interval, time.Now())
	began := d.watch(ctx)
	d.Notify("READY=1\nSTATUS=waiting for the first round")
	for {
		forced, ok := d.wait(ctx, time.Until(plan.next()), began)
		if !ok {
			d.Notify("STOPPING=1")
			return nil
		}
		now := time.Now()
		began.Store(now.UnixNano())
		out, err := d.Round(ctx, forced || !now.Before(plan.call))
		began.Store(0)
		if errors.Is(err, state.ErrNotEnrolled) {
			return err
		}
		d.tell(ctx, out, err)
		plan.after(time.Now(), out, rand.Int64N)
	}
}

// wait returns true in its second value unless ctx ended, and whether somebody asked for a round.
// Meanwhile it has drift mended.
func (d *Daemon) wait(ctx context.Context, pause time.Duration, began *atomic.Int64) (forced, ok bool) {
	timer := time.NewTimer(max(0, pause))
	defer timer.Stop()
	var again <-chan time.Time
	rest := time.After(restAfter)
	for {
		var event watch.Event
		select {
		case <-ctx.Done():
			return false, false
		case <-d.Wake:
			return true, true
		case <-timer.C:
			return false, ctx.Err() == nil
		case event = <-d.Drift:
		case <-again:
		case <-rest:
			rest = nil
			if d.Rest != nil {
				d.Rest()
			}
			continue
		}
		again = d.mend(ctx, event, began)
		rest = time.After(restAfter)
	}
}

// mend returns what says when to look once more at what was mended.
func (d *Daemon) mend(ctx context.Context, event watch.Event, began *atomic.Int64) (again <-chan time.Time) {
	began.Store(time.Now().UnixNano())
	defer began.Store(0)
	out, err := d.Mend(ctx, event)
	if err != nil && ctx.Err() == nil {
		d.Log.Error("cannot mend what may have drifted", "error", err)
	}
	if out.Again.IsZero() {
		return nil
	}
	return time.After(time.Until(out.Again))
}

// watch gives systemd its signs of life for as long as no round hangs. It returns where to
// note the start of a round, in nanoseconds; 0 between two rounds.
func (d *Daemon) watch(ctx context.Context) *atomic.Int64 {
	var began atomic.Int64
	if d.Watchdog <= 0 {
		return &began
	}
	go func() {
		beat := time.NewTicker(d.Watchdog / 2)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return // systemd has asked us to stop and watches no more
			case now := <-beat.C:
				if at := began.Load(); at == 0 || now.Sub(time.Unix(0, at)) < maxRound {
					d.Notify("WATCHDOG=1")
				}
			}
		}
	}()
	return &began
}

func (d *Daemon) tell(ctx context.Context, out Outcome, err error) {
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		d.Log.Error("the round failed", "error", err)
		d.Notify("STATUS=the last round failed: " + oneLine(err.Error()))
		return
	case out.Called != nil:
		d.Log.Warn("the server was not reached", "error", out.Called)
	}
	d.Notify("STATUS=" + oneLine(fmt.Sprintf("release %d: %s. %s", out.Release, out.Worst(), out.Problem)))
}

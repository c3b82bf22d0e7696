package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"plumb/agent"
	"plumb/agent/watch"
	"plumb/policies"
)

func (a *app) run(args []string) error {
	set := a.flags("run")
	once := set.Bool("once", false, "do one round and end")
	audit := set.Bool("audit", false, "change nothing")
	blind := set.Bool("no-watch", false, "notice drift by rounds only")
	interval := set.String("interval", "", "the time between two rounds, such as 5m")
	if _, err := a.parse(set, args); err != nil {
		return err
	}
	every, err := parseDuration(*interval)
	if *interval != "" && err != nil {
		return err
	}
	one, err := a.open(true)
	if err != nil {
		return err
	}
	defer one.Dir.Close()
	one.Audit = *audit
	id, err := one.Dir.Identity()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if *once {
		return a.once(ctx, one)
	}
	watchdog, _ := daemon.SdWatchdogEnabled(false) // a damaged setting means no watchdog
	one.Reboot = agent.BootAgain(a.root)
	d := &agent.Daemon{Round: one.Round, Host: id.Host.ID, Interval: every, Wake: wakes(), Log: one.Log, Watchdog: watchdog,
		Rest: rest, Notify: func(state string) { _, _ = daemon.SdNotify(false, state) }}
	if *blind {
		return d.Run(ctx)
	}
	return watched(ctx, one, d)
}

// watched runs the daemon with a watch on what it manages. Where nothing can be watched, rounds
// alone notice drift.
func watched(ctx context.Context, one *agent.Agent, d *agent.Daemon) error {
	w, err := watch.Open(watch.Options{Log: one.Log, Own: os.Getpid(), Root: one.Root})
	if err != nil {
		one.Log.Warn("drift is noticed by rounds only", "error", err)
		return d.Run(ctx)
	}
	one.Watch, one.Breaker, d.Drift, d.Mend = w, watch.NewBreaker(), w.Events(), one.Mend
	one.WatchLast()
	return errors.Join(d.Run(ctx), w.Close())
}

// wakes turns SIGHUP and SIGUSR1 into requests for a round now.
func wakes() <-chan struct{} {
	signals, wake := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	go func() {
		for range signals {
			select {
			case wake <- struct{}{}:
			default: // one is asked for already
			}
		}
	}()
	return wake
}

func (a *app) once(ctx context.Context, one *agent.Agent) error {
	out, err := one.Round(ctx, true)
	if err != nil {
		return err
	}
	if out.Release == 0 {
		fmt.Fprintln(a.stdout, "there is no release for this host yet")
	} else if err := a.tellRound(one, out); err != nil {
		return err
	}
	if out.Problem != "" {
		fmt.Fprintln(a.stderr, "plumb-agent: warning:", out.Problem)
	}
	if out.Called != nil {
		return &failure{err: out.Called, hint: "the last good release stays in force; the agent reports when it reaches the server"}
	}
	if out.Problem != "" {
		return errDiffers // the host does not run what its server wants it to
	}
	return differs(out.Counts)
}

// tellRound prints what the round changed and what it could not, and the counts.
func (a *app) tellRound(one *agent.Agent, out agent.Outcome) error {
	last, _, err := one.Newest()
	if err != nil {
		return err
	}
	a.printResults(last.Result.Resources)
	fmt.Fprintf(a.stdout, "release %d: %s\n", out.Release, counts(out.Counts))
	a.tellReboot(out.Reboot)
	return nil
}

// differs returns errDiffers when not everything is as wanted.
func differs(counts map[policies.Status]int) error {
	for status, n := range counts {
		if n > 0 && !status.Passing() && status != policies.NotApplicable && status != policies.Waived {
			return errDiffers
		}
	}
	return nil
}

// counts says how many resources have each status, the worst first.
func counts(c map[policies.Status]int) string {
	text := ""
	for i := len(policies.Statuses) - 1; i >= 0; i-- {
		if n := c[policies.Statuses[i]]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, policies.Statuses[i])
		}
	}
	if text == "" {
		return "nothing to do"
	}
	return text[2:]
}

func (a *app) pause(args []string) error {
	set := a.flags("pause")
	length := set.String("for", "", "how long, such as 2h or 7d")
	reason := set.String("reason", "", "why")
	if _, err := a.parse(set, args); err != nil {
		return err
	}
	d, err := parseDuration(*length)
	if err != nil {
		return err
	}
	if *reason == "" {
		return &failure{err: errors.New("a pause needs a reason"), hint: `plumb-agent pause --for 2h --reason "debugging the database"`}
	}
	one, err := a.open(false)
	if err != nil {
		return err
	}
	until := time.Now().Add(d)
	if err := one.Dir.Pause(until, *reason); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "nothing is changed on this host until %s; plumb-agent resume ends that\n", until.Format(time.RFC3339))
	return nil
}

func (a *app) resume(args []string) error {
	if _, err := a.parse(a.flags("resume"), args); err != nil {
		return err
	}
	one, err := a.open(false)
	if err != nil {
		return err
	}
	return one.Dir.Resume()
}

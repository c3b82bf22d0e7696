// Bench measures how long `plumb-agent apply --audit` takes on a host that is in order, beside a
// small Go program that does no more than what nobody can leave out, in turn and in one run.
//
//	bench -bin bin           the table of docs/performance.md
//	bench -bin bin -peers    the same work in CFEngine, Puppet, Ansible and goss
//	bench -pid N -idle 10m   what a process, such as the daemon, takes while nothing happens
//
// It needs root: the files belong to root, as on a real host. All that it makes lies in one
// temporary folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// setting is what the flags say.
type setting struct {
	bin   string
	runs  int
	only  string
	peers bool
	pid   int
	idle  time.Duration
}

func main() {
	var s setting
	flag.StringVar(&s.bin, "bin", "bin", "folder with plumb-agent")
	flag.IntVar(&s.runs, "runs", 9, "how often each program is measured")
	flag.StringVar(&s.only, "work", "", "one work only: W1, W2, W3 or W4")
	flag.BoolVar(&s.peers, "peers", false, "measure other programs, too; installs them by apt")
	flag.IntVar(&s.pid, "pid", 0, "measure this process instead, which has nothing to do")
	flag.DurationVar(&s.idle, "idle", 10*time.Minute, "for so long")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, s setting) (err error) {
	if s.pid != 0 {
		return idle(ctx, s.pid, s.idle)
	}
	if os.Geteuid() != 0 {
		return errors.New("needs root: the files of the work belong to root")
	}
	agent, err := filepath.Abs(filepath.Join(s.bin, "plumb-agent"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(agent); err != nil {
		return fmt.Errorf("cannot find the agent: %w; make build makes it", err)
	}
	dir, err := os.MkdirTemp("", "plumb-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	minimal := filepath.Join(dir, "minimal")
	build := exec.CommandContext(ctx, "go", "build", "-o", minimal, "./testenv/bench/minimal")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the minimal program: %w: %s", err, out)
	}
	fmt.Println(conditions(agent))
	if s.peers {
		return comparePeers(ctx, s, agent, minimal, dir)
	}
	return compare(ctx, s, agent, minimal, dir)
}

// compare prints one table a work: Plumb in each way, and the minimal program.
func compare(ctx context.Context, s setting, agent, minimal, dir string) error {
	for _, w := range works(s.only) {
		if err := w.lay(filepath.Join(dir, w.name)); err != nil {
			return err
		}
		runners, err := w.ours(agent, minimal)
		if err != nil {
			return err
		}
		fmt.Printf("\n%s: %s\n", w.name, w.title())
		if err := measure(ctx, runners, s.runs); err != nil {
			return err
		}
		table(os.Stdout, runners)
	}
	return nil
}

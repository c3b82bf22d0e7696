// Demo tells Plumb's story on one machine: this machine is measured against a
// baseline and nothing on it is changed; then three demo hosts, which are folders, show a
// good commit rolling out, a tampered file mended, and a bad commit refused.
//
// It runs the real programs and prints the commands, so that a person can go on by hand.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	once := flag.Bool("once", false, "end after the story")
	bin := flag.String("bin", "bin", "folder with plumb and plumb-agent")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := tell(ctx, *bin, *once)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: error: %v\n", err)
		os.Exit(1)
	}
}

// tell runs the story in a temporary folder that goes away at the end.
func tell(ctx context.Context, bin string, once bool) error {
	if err := needs("git", "ssh", "ssh-keygen"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "plumb-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	s := &stage{ctx: ctx, bin: bin, dir: dir, began: time.Now()}
	defer s.stopAll()
	for _, act := range []func() error{s.startServer, s.makePolicy, s.measureThisMachine, s.rollOut, s.tamper, s.refuse, s.showPage} {
		if err := act(); err != nil {
			return err
		}
	}
	if once {
		fmt.Printf("\nAll steps did what they should (%.0f s).\n", time.Since(s.began).Seconds())
		return nil
	}
	return s.stayUp()
}

// needs says what is missing before anything is begun.
func needs(programs ...string) error {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is missing, and the demo needs Git and an SSH client; on Debian: apt-get install git openssh-client", p)
		}
	}
	return nil
}

package compiler

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// run starts the child in namespaces of its own, and without them where the kernel refuses.
func (c Compiler) run(ctx context.Context, input io.Reader, limits Limits) ([]byte, error) {
	answer, err := c.start(ctx, input, limits, namespaces())
	if errors.Is(err, errNotStarted) && ctx.Err() == nil {
		answer, err = c.start(ctx, input, limits, &syscall.SysProcAttr{})
	}
	return answer, err
}

var errNotStarted = errors.New("cannot start the policy compiler")

// namespaces asks for a network namespace, which has not even a loopback that is up.
func namespaces() *syscall.SysProcAttr {
	if os.Geteuid() == 0 {
		return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getegid(), Size: 1}},
	}
}

func (c Compiler) start(ctx context.Context, input io.Reader, limits Limits, attr *syscall.SysProcAttr) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, cmp.Or(c.Exe, "/proc/self/exe"), Argument)
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.Stdin = input
	out, problems := &capped{most: maxAnswer, stop: cancel}, &capped{most: 8 << 10, stop: func() {}}
	cmd.Stdout, cmd.Stderr = out, problems
	attr.Setpgid, attr.Pdeathsig = true, syscall.SIGKILL
	cmd.SysProcAttr = attr
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	err := cmd.Wait()
	if out.over {
		return nil, fmt.Errorf("%w: its answer has more than %d MiB", ErrDied, maxAnswer>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrDied, reason(ctx, cmd, limits, problems.kept.String()))
	}
	return out.kept.Bytes(), nil
}

// reason says in words why a child ended.
func reason(ctx context.Context, cmd *exec.Cmd, limits Limits, problems string) string {
	state := cmd.ProcessState
	used := state.UserTime() + state.SystemTime()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("it took more than %s", limits.Wall)
	case ctx.Err() != nil:
		return "it was no longer wanted: " + ctx.Err().Error()
	case strings.Contains(problems, "out of memory") || strings.Contains(problems, "cannot allocate memory"):
		return fmt.Sprintf("it needed more than %d MiB of memory", limits.Memory>>20)
	case strings.Contains(problems, "stack overflow") || strings.Contains(problems, "stack exceeds"):
		return "its stack overflowed, so something in the policy is nested too deeply"
	case killed(state) && used >= limits.CPU/2: // the kernel counts in other ticks than it reports
		return fmt.Sprintf("it used more than %s of processor time", limits.CPU)
	}
	return fmt.Sprintf("%s: %s", state, firstLine(problems))
}

func killed(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return cmp.Or(line, "it said nothing")
}

// capped keeps the first bytes, and calls stop for the rest. The buffer is no embedded one:
// its ReadFrom would be used in place of Write.
type capped struct {
	kept bytes.Buffer
	most int
	stop func()
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	room := c.most - c.kept.Len()
	if len(p) <= room {
		return c.kept.Write(p)
	}
	c.kept.Write(p[:max(room, 0)])
	c.over = true
	c.stop()
	return len(p), nil
}

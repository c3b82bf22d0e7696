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
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// run starts the child in namespaces of its own, and without them where the kernel refuses.
func (c Compiler) run(ctx context.Context, input io.Reader, limits Limits) (*process, error) {
	p, err := c.start(ctx, input, limits, namespaces())
	if err != nil && ctx.Err() == nil {
		p, err = c.start(ctx, input, limits, &syscall.SysProcAttr{})
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	return p, nil
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

// process is a child that runs.
type process struct {
	ctx      context.Context    // the caller's
	cancel   context.CancelFunc // kills it
	limits   Limits
	cmd      *exec.Cmd
	stdout   *os.File
	problems *capped
	wait     func() error // waits for its end, however often it is asked
}

func (c Compiler) start(ctx context.Context, input io.Reader, limits Limits, attr *syscall.SysProcAttr) (*process, error) {
	stdout, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	inner, cancel := context.WithCancel(ctx)
	p := &process{ctx: ctx, cancel: cancel, limits: limits, stdout: stdout, problems: &capped{most: 8 << 10}}
	p.cmd, p.wait = c.command(inner, attr), sync.OnceValue(p.end)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = input, in, p.problems
	widen(in)
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, errors.Join(err, stdout.Close())
	}
	return p, nil
}

func (c Compiler) command(ctx context.Context, attr *syscall.SysProcAttr) *exec.Cmd {
	cmd := exec.CommandContext(ctx, cmp.Or(c.Exe, "/proc/self/exe"), Argument)
	cmd.Dir, cmd.Env = "/", []string{}
	attr.Setpgid, attr.Pdeathsig = true, syscall.SIGKILL
	cmd.SysProcAttr = attr
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = waitDelay
	return cmd
}

// waitDelay is how long somebody may hold the pipes of a child that was killed.
const waitDelay = 5 * time.Second

// widen lets a catalog of the usual size through the pipe at once. A kernel that does not allow it only
// has both sides wait for each other more often.
func widen(pipe *os.File) {
	const room = 1 << 20 // the most that is everybody's
	raw, err := pipe.SyscallConn()
	if err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, room) })
	}
}

// answer reads the answer. One that is whole is an answer, however the child ends.
func (p *process) answer() ([]byte, error) {
	release := context.AfterFunc(p.ctx, func() { _ = p.stdout.SetReadDeadline(time.Now().Add(waitDelay)) })
	defer release()
	answer, err := readAnswer(p.stdout)
	if err == nil {
		return answer, nil
	}
	if errors.Is(err, errForm) {
		p.cancel()
		_ = p.wait()
	} else if p.wait() != nil {
		return nil, fmt.Errorf("%w: %s", ErrDied, p.reason())
	}
	return nil, fmt.Errorf("%w: its answer cannot be read: %w", ErrDied, err)
}

func (p *process) end() error {
	defer p.cancel()
	_ = p.stdout.Close() // nothing more is read
	return p.cmd.Wait()
}

// reason says in words why a child ended.
func (p *process) reason() string {
	ctx, limits, state, problems := p.ctx, p.limits, p.cmd.ProcessState, p.problems.kept.String()
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

// capped keeps the first bytes. The buffer is no embedded one: its ReadFrom would be used in place
// of Write.
type capped struct {
	kept bytes.Buffer
	most int
}

func (c *capped) Write(p []byte) (int, error) {
	room := c.most - c.kept.Len()
	c.kept.Write(p[:min(len(p), max(room, 0))])
	return len(p), nil
}

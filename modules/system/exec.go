package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is one call of a program of the host. Nothing of the agent's own environment
// reaches it.
type Command struct {
	// Argv is the program and its arguments. A name without a slash is looked up in the
	// system's folders only, never in the agent's PATH.
	Argv []string
	// Stdin is what it can read; without it that is /dev/null.
	Stdin []byte
	// Env is added to the clean environment and wins over it.
	Env map[string]string
	// Dir is where it runs, "/" when empty.
	Dir string
	// User runs it, with that user's groups; the agent's own user when empty.
	User string
	// Umask is what new files of it lack; nil is 0022.
	Umask *int
	// Timeout ends it and all that it started; 0 leaves it to the context, or to five
	// minutes when that has no deadline.
	Timeout time.Duration
	// MaxOutput caps stdout and stderr, each, in bytes; 0 is 1 MiB. The rest is dropped.
	MaxOutput int
	// Sink gets stdout as it comes, in place of Output.Stdout and without a cap.
	Sink io.Writer
}

// Output is what a program said.
type Output struct {
	Stdout, Stderr []byte
	// Code is the exit code; 128 and the signal's number when a signal ended it.
	Code int
	// Cut is true when it said more than MaxOutput.
	Cut bool
}

var (
	// ErrNotRunning is returned below a root that is not a running host.
	ErrNotRunning = errors.New("this is a folder and not a running host, so no command is run")
	// ErrTimeout is wrapped when a command took too long and was ended.
	ErrTimeout = errors.New("took too long and was ended")
)

const (
	searchPath    = "/usr/sbin:/usr/bin:/sbin:/bin"
	commandLimit  = 5 * time.Minute
	defaultOutput = 1 << 20
	// pipeGrace is how long we go on reading after the program itself has ended: something
	// that it left in the background may hold the pipe for ever.
	pipeGrace = 2 * time.Second
)

// Run runs a command to its end. A failed command is no error: look at Code. It returns
// [ErrNoTool] when the program is missing and [ErrTimeout] when it was ended.
func (s *System) Run(ctx context.Context, c Command) (Output, error) {
	if len(c.Argv) == 0 {
		return Output{}, errors.New("cannot run a command without a name")
	}
	if !s.Running() {
		return Output{}, fmt.Errorf("cannot run %s: %w", c.Argv[0], ErrNotRunning)
	}
	if _, bounded := ctx.Deadline(); c.Timeout <= 0 && !bounded {
		c.Timeout = commandLimit
	}
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	out, err := s.run(ctx, c)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = ErrTimeout
	} else if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("cannot run %s: %w", c.Argv[0], err)
	}
	return out, nil
}

func (s *System) run(ctx context.Context, c Command) (Output, error) {
	program, err := lookProgram(c.Argv[0])
	if err != nil {
		return Output{}, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Args = c.Argv
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	// An own session: its processes can be ended together, and none can ask on a terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.become(ctx, cmd, c); err != nil {
		return Output{}, err
	}
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	stdout, stderr := &capped{left: outputCap(c)}, &capped{left: outputCap(c)}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if c.Sink != nil {
		cmd.Stdout = c.Sink
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = pipeGrace
	if err := startWithUmask(cmd, c.Umask); err != nil {
		return Output{}, err
	}
	err = cmd.Wait()
	out := Output{Stdout: stdout.buf.Bytes(), Stderr: stderr.buf.Bytes(), Cut: stdout.cut || stderr.cut}
	out.Code = exitCode(cmd.ProcessState)
	var exit *exec.ExitError
	if errors.As(err, &exit) || errors.Is(err, exec.ErrWaitDelay) {
		return out, nil
	}
	return out, err
}

// become sets user and environment.
func (s *System) become(ctx context.Context, cmd *exec.Cmd, c Command) error {
	env := map[string]string{
		"PATH": searchPath, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
		"HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh",
	}
	if c.User != "" {
		who, err := s.lookUser(ctx, c.User)
		if err != nil {
			return err
		}
		groups, err := s.groupsOf(ctx, who)
		if err != nil {
			return err
		}
		env["HOME"], env["USER"], env["LOGNAME"] = who.home, who.name, who.name
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(who.id), Gid: uint32(who.gid), Groups: groups}
	}
	maps.Copy(env, c.Env)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	return nil
}

func outputCap(c Command) int {
	if c.MaxOutput > 0 {
		return c.MaxOutput
	}
	return defaultOutput
}

func lookProgram(name string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			return "", errors.New("name it by its absolute path, or by its bare name")
		}
		return executable(name)
	}
	for _, dir := range filepath.SplitList(searchPath) {
		if found, err := executable(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", ErrNoTool
}

func executable(name string) (string, error) {
	if err := unix.Access(name, unix.X_OK); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return "", ErrNoTool
		}
		return "", err
	}
	return name, nil
}

func exitCode(p interface {
	ExitCode() int
	Sys() any
}) int {
	if status, ok := p.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.ExitCode()
}

// startWithUmask starts the command on a thread of its own: the umask belongs to a
// process, unless a thread has stopped sharing it. The thread is never used again.
func startWithUmask(cmd *exec.Cmd, umask *int) error {
	mask := 0o022
	if umask != nil {
		mask = *umask
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			started <- fmt.Errorf("cannot set the umask: %w", err)
			return
		}
		unix.Umask(mask)
		started <- cmd.Start()
	}()
	return <-started
}

// capped keeps the first bytes and drops the rest, so that no command can fill the memory.
type capped struct {
	buf  bytes.Buffer
	left int
	cut  bool
}

// Write never fails: a writer that fails would end the command by SIGPIPE.
func (c *capped) Write(p []byte) (int, error) {
	take := min(len(p), c.left)
	c.left -= take
	c.cut = c.cut || take < len(p)
	c.buf.Write(p[:take])
	return len(p), nil
}

// LastWords returns the end of what the command complained about, fit for a report: at
// most five lines, stdout when stderr is empty.
func (o Output) LastWords() string {
	said := strings.TrimSpace(strings.ToValidUTF8(string(o.Stderr), "?"))
	if said == "" {
		said = strings.TrimSpace(strings.ToValidUTF8(string(o.Stdout), "?"))
	}
	lines := strings.Split(said, "\n")
	said = strings.Join(lines[max(0, len(lines)-5):], "; ")
	if len(said) > 1000 {
		said = strings.ToValidUTF8(said[len(said)-1000:], "")
	}
	return said
}

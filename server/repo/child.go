package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	maxServed  = 8                // gits that serve the wire at once
	serveTime  = 15 * time.Minute // one clone or push, its validation included
	runTime    = 2 * time.Minute  // one command of our own
	fetchTime  = 10 * time.Minute // one fetch from upstream
	maxRunText = 1 << 20          // bytes of output that we keep of a command of our own
)

// limits runs a program under limits that its own children inherit: 4 GiB of address space,
// 10 minutes of processor time, files of 1 GiB, 256 open files, no core. One that cannot be
// set is stricter already.
const limits = `{ ulimit -v 4194304; ulimit -t 600; ulimit -f 2097152; ulimit -n 256; ulimit -c 0; } 2>/dev/null; exec "$@"`

// settings are given to every git, whatever the repository's own configuration says.
func (r *Repo) settings() []string {
	return []string{
		"-c", "core.hooksPath=" + r.hooks,
		"-c", "core.fsmonitor=false",
		"-c", "core.symlinks=false",
		"-c", "core.sshCommand=false",
		"-c", "credential.helper=",
		"-c", "submodule.recurse=false",
		"-c", "protocol.allow=never",
		"-c", "protocol.ext.allow=never",
		"-c", "safe.directory=" + r.dir,
		"-c", "safe.bareRepository=explicit",
	}
}

// environment is all that a git gets to know. Nothing of the server's own comes through.
func environment(extra ...string) []string {
	return append([]string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"HOME=/nonexistent",
		"XDG_CONFIG_HOME=/nonexistent",
		"LC_ALL=C.UTF-8",
		"TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=/bin/false",
		"GIT_EDITOR=/bin/false",
		"GIT_PAGER=cat",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_NO_LAZY_FETCH=1",
	}, extra...)
}

// child is a git under limits in a process group of its own, which ends as a whole.
func (r *Repo) child(ctx context.Context, env []string, args ...string) *exec.Cmd {
	words := append([]string{"-c", limits, "sh", r.git}, r.settings()...)
	cmd := exec.CommandContext(ctx, "/bin/sh", append(words, args...)...)
	cmd.Dir = r.dir
	cmd.Env = environment(env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Git removes its lock files on SIGTERM only. What does not heed that is killed later.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs one command of our own on the repository and returns its output.
func (r *Repo) run(ctx context.Context, args ...string) (string, error) {
	return r.runWith(ctx, runTime, nil, args...)
}

func (r *Repo) runWith(ctx context.Context, limit time.Duration, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out, errs capped
	cmd := r.child(ctx, env, append([]string{"--git-dir=" + r.dir}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s failed: %w", args[0], explain(ctx, err, errs.String()))
	}
	return out.String(), nil
}

// explain prefers what git said over its exit code, and a passed deadline over both.
func explain(ctx context.Context, err error, said string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said = oneLine(said)
	if said == "" {
		return err
	}
	return fmt.Errorf("%s (%w)", said, err)
}

// oneLine makes foreign text fit into one line of a log or a terminal.
func oneLine(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0xfffd {
			return ' '
		}
		return c
	}, strings.TrimSpace(text))
	return fmt.Sprintf("%.400s", text)
}

// exitCode returns the exit code that err stands for, or -1 when there is none.
func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

func lookGit() (string, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return "", fmt.Errorf("cannot find git; install the package git: %w", err)
	}
	return filepath.Abs(git)
}

// capped keeps the first maxRunText bytes and swallows the rest.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	room := max(0, maxRunText-c.Len())
	c.Buffer.Write(p[:min(room, len(p))])
	return len(p), nil
}

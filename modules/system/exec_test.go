package system

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	t.Setenv("PLUMB_TEST_SECRET", "leaked")
	dir := t.TempDir()
	cases := map[string]struct {
		c      Command
		stdout string
		code   int
	}{
		"output":            {Command{Argv: []string{"echo", "hi"}}, "hi\n", 0},
		"exit code":         {Command{Argv: []string{"sh", "-c", "exit 7"}}, "", 7},
		"signal":            {Command{Argv: []string{"sh", "-c", "kill -TERM $$"}}, "", 143},
		"stdin":             {Command{Argv: []string{"cat"}, Stdin: []byte("in")}, "in", 0},
		"no stdin":          {Command{Argv: []string{"cat"}}, "", 0},
		"no terminal":       {Command{Argv: []string{"sh", "-c", "cat </dev/tty || echo none"}}, "none\n", 0},
		"own environment":   {Command{Argv: []string{"sh", "-c", "echo $PLUMB_TEST_SECRET$LC_ALL$DEBIAN_FRONTEND"}}, "C.UTF-8noninteractive\n", 0},
		"added environment": {Command{Argv: []string{"sh", "-c", "echo $A$PATH"}, Env: map[string]string{"A": "1:"}}, "1:" + searchPath + "\n", 0},
		"folder":            {Command{Argv: []string{"pwd"}, Dir: dir}, dir + "\n", 0},
		"root folder":       {Command{Argv: []string{"pwd"}}, "/\n", 0},
		"umask":             {Command{Argv: []string{"sh", "-c", "umask"}}, "0022\n", 0},
		"closed umask":      {Command{Argv: []string{"sh", "-c", "umask"}, Umask: ptr(0o077)}, "0077\n", 0},
		"arguments stay":    {Command{Argv: []string{"printf", "%s|", "a b", "$HOME", ";"}}, "a b|$HOME|;|", 0},
		"cut":               {Command{Argv: []string{"sh", "-c", "yes | head -c 100000"}, MaxOutput: 4}, "y\ny\n", 0},
	}
	sys := &System{}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := sys.Run(context.Background(), c.c)
			if err != nil || string(out.Stdout) != c.stdout || out.Code != c.code {
				t.Errorf("Run = %q, %d, %v, want %q, %d", out.Stdout, out.Code, err, c.stdout, c.code)
			}
			if out.Cut != (c.c.MaxOutput == 4) {
				t.Errorf("Cut = %v", out.Cut)
			}
		})
	}
}

func TestRunErrors(t *testing.T) {
	cases := map[string]struct {
		root string
		c    Command
		want error
	}{
		"another root":    {t.TempDir(), Command{Argv: []string{"true"}}, ErrNotRunning},
		"no such program": {"/", Command{Argv: []string{"plumb-no-such-program"}}, ErrNoTool},
		"no such path":    {"/", Command{Argv: []string{"/plumb/no/such"}}, ErrNoTool},
		"no such user":    {"/", Command{Argv: []string{"true"}, User: "plumb-nobody"}, ErrNoAccount},
		"no such folder":  {"/", Command{Argv: []string{"true"}, Dir: "/plumb/no"}, os.ErrNotExist},
		"too long":        {"/", Command{Argv: []string{"sleep", "60"}, Timeout: 50 * time.Millisecond}, ErrTimeout},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := (&System{Root: c.root}).Run(context.Background(), c.c)
			if !errors.Is(err, c.want) {
				t.Errorf("Run = %v, want %v", err, c.want)
			}
		})
	}
	for _, argv := range [][]string{nil, {"./true"}, {"bin/true"}} {
		if _, err := (&System{}).Run(context.Background(), Command{Argv: argv}); err == nil {
			t.Errorf("Run(%q) = nil, want an error", argv)
		}
	}
}

// A timeout must end the children too, also those that ignore signals.
func TestRunEndsWhatItStarted(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "alive")
	script := `trap "" TERM HUP; (while :; do touch "$1"; sleep 0.02; done) & wait`
	start := time.Now()
	_, err := (&System{}).Run(context.Background(), Command{Argv: []string{"sh", "-c", script, "sh", mark}, Timeout: 300 * time.Millisecond})
	if !errors.Is(err, ErrTimeout) || time.Since(start) > 10*time.Second {
		t.Fatalf("Run = %v after %s, want ErrTimeout soon", err, time.Since(start))
	}
	must(t, os.Remove(mark))
	time.Sleep(100 * time.Millisecond) // several rounds of the loop, if it lives
	if _, err := os.Stat(mark); err == nil {
		t.Error("the background loop still runs")
	}
}

// A daemon that keeps the pipe open must not hold up the run.
func TestRunDoesNotWaitForADaemon(t *testing.T) {
	start := time.Now()
	out, err := (&System{}).Run(context.Background(), Command{Argv: []string{"sh", "-c", "echo started; sleep 30 & exit 0"}})
	if err != nil || string(out.Stdout) != "started\n" || time.Since(start) > 15*time.Second {
		t.Errorf("Run = %q, %v after %s, want started within a few seconds", out.Stdout, err, time.Since(start))
	}
}

func TestRunAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: runs a command as another user")
	}
	out, err := (&System{}).Run(context.Background(), Command{Argv: []string{"sh", "-c", "id -un; id -G; echo $USER"}, User: "nobody"})
	if err != nil || string(out.Stdout) != "nobody\n65534\nnobody\n" {
		t.Errorf("Run = %q %s, %v, want nobody and none of our groups", out.Stdout, out.Stderr, err)
	}
}

func TestUmaskOfTheAgentStays(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	_, err := (&System{}).Run(context.Background(), Command{Argv: []string{"true"}, Umask: ptr(0o777)})
	must(t, err)
	must(t, os.WriteFile(name, nil, 0o644))
	if info, _ := os.Stat(name); info.Mode() != 0o644 {
		t.Errorf("a file of ours got %v, want 0644", info.Mode())
	}
}

func TestLastWords(t *testing.T) {
	cases := map[string]struct {
		out  Output
		want string
	}{
		"stderr first":   {Output{Stdout: []byte("out"), Stderr: []byte(" err \n")}, "err"},
		"stdout else":    {Output{Stdout: []byte("out\n")}, "out"},
		"last lines":     {Output{Stderr: []byte("1\n2\n3\n4\n5\n6\n")}, "2; 3; 4; 5; 6"},
		"no broken text": {Output{Stderr: []byte("a\xffb")}, "a?b"},
		"nothing":        {Output{}, ""},
	}
	for name, c := range cases {
		if got := c.out.LastWords(); got != c.want {
			t.Errorf("%s: LastWords = %q, want %q", name, got, c.want)
		}
	}
	if got := (Output{Stderr: []byte(strings.Repeat("x", 5000))}).LastWords(); len(got) > 1000 {
		t.Errorf("LastWords has %d bytes, want 1000 at most", len(got))
	}
}

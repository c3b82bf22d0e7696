package repo

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
)

// Services that ServeGit knows.
const (
	UploadPack  = "git-upload-pack"
	ReceivePack = "git-receive-pack"
)

// ServeGit serves one clone, fetch or push over the streams and returns git's exit code.
// The author's name reaches the hooks; protocol is the client's GIT_PROTOCOL or empty.
func (r *Repo) ServeGit(ctx context.Context, c Client, stdin io.Reader, stdout, stderr io.Writer) int {
	if c.Service != UploadPack && c.Service != ReceivePack {
		fmt.Fprintf(stderr, "plumb: error: %.40q is not a service of this repository\n", c.Service)
		return 128
	}
	ctx, cancel := context.WithTimeout(ctx, serveTime)
	defer cancel()
	select {
	case r.serve <- struct{}{}:
		defer func() { <-r.serve }()
	case <-ctx.Done():
		fmt.Fprintln(stderr, "plumb: error: the server is busy; try again later")
		return 128
	}
	cmd := r.child(ctx, c.env(), strings.TrimPrefix(c.Service, "git-"), "--", r.dir)
	if c.Service == UploadPack {
		cmd.Args = append(cmd.Args[:len(cmd.Args)-2], "--strict", "--timeout=300", "--", r.dir)
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return pipeAndWait(cmd, stdin, stderr)
}

// pipeAndWait feeds the child by a pipe of our own: exec would wait for the client to close
// its side, and a client waits for the server to do so first.
func pipeAndWait(cmd *exec.Cmd, stdin io.Reader, stderr io.Writer) int {
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(stderr, "plumb: error: the server cannot start git")
		return 128
	}
	go func() {
		_, _ = io.Copy(in, stdin) // ends when git or the client hangs up, which is no error here
		_ = in.Close()
	}()
	err = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of its group, most often nothing
	if err == nil {
		return 0
	}
	if code := exitCode(err); code > 0 {
		return code
	}
	fmt.Fprintln(stderr, "plumb: error: git was stopped: it took too long or too much memory")
	return 128
}

// Client says who wants which service.
type Client struct {
	// Author is the registered name behind the key, never a word of the client's.
	Author string
	// Service is UploadPack or ReceivePack.
	Service string
	// Protocol is the client's GIT_PROTOCOL; anything but version=N is dropped.
	Protocol string
}

func (c Client) env() []string {
	env := []string{"PLUMB_AUTHOR=" + oneLine(c.Author)}
	if IsProtocol(c.Protocol) {
		env = append(env, "GIT_PROTOCOL="+c.Protocol)
	}
	return env
}

// IsProtocol tells whether the text is a value of GIT_PROTOCOL that we pass on.
func IsProtocol(s string) bool {
	return len(s) == len("version=N") && strings.HasPrefix(s, "version=") && s[8] >= '0' && s[8] <= '2'
}

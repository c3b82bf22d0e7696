package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stage is the temporary world of the demo.
type stage struct {
	ctx     context.Context
	bin     string
	dir     string
	began   time.Time
	ssh     string // address of the policy repository
	running []*exec.Cmd
}

func (s *stage) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func heading(text string) { fmt.Printf("\n\033[1m%s\033[0m\n", text) }

// outcome is what a command printed and how it ended.
type outcome struct {
	out, errs string
	code      int
}

// run runs a program to its end. An exit code is an outcome, not an error.
func (s *stage) run(dir string, name string, args ...string) (outcome, error) {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, s.env()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		err = nil
	}
	if err != nil {
		return outcome{}, fmt.Errorf("cannot run %s: %w", name, err)
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}, nil
}

// must runs a program that has to end with one of the codes; without codes, with 0.
func (s *stage) must(dir, name string, args []string, codes ...int) (outcome, error) {
	o, err := s.run(dir, name, args...)
	if err != nil {
		return o, err
	}
	if len(codes) == 0 {
		codes = []int{0}
	}
	for _, code := range codes {
		if o.code == code {
			return o, nil
		}
	}
	return o, fmt.Errorf("%s %s ended with %d:\n%s%s", filepath.Base(name), strings.Join(args, " "), o.code, o.out, o.errs)
}

func (s *stage) plumb(args ...string) (outcome, error) {
	return s.must(s.dir, filepath.Join(s.bin, "plumb"), append(args, "--data", s.path("server")), 0, 2)
}

func (s *stage) plumbJSON(into any, args ...string) error {
	o, err := s.plumb(append(args, "--json")...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(o.out), into)
}

func (s *stage) git(args ...string) (outcome, error) {
	return s.must(s.path("policy"), "git", args)
}

// env keeps the demo apart from the settings of whoever runs it.
func (s *stage) env() []string {
	ssh := fmt.Sprintf("ssh -F /dev/null -i %s -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=%s", s.path("author"), s.path("known_hosts"))
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C.UTF-8", "TZ=UTC", "GIT_SSH_COMMAND=" + ssh,
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Demo Author", "GIT_AUTHOR_EMAIL=author@demo", "GIT_COMMITTER_NAME=Demo Author", "GIT_COMMITTER_EMAIL=author@demo",
	}
}

// start runs a program in the background until the demo ends.
func (s *stage) start(log, name string, args ...string) error {
	f, err := os.Create(s.path(log))
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env(), f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", name, err)
	}
	s.running = append(s.running, cmd)
	return nil
}

func (s *stage) stopAll() {
	for _, cmd := range s.running {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, cmd := range s.running {
		late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		late.Stop()
	}
}

// until tries a thing again and again until it works or the time is up.
func (s *stage) until(limit time.Duration, try func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) || s.ctx.Err() != nil {
			return err
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

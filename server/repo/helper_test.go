package repo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newRepo opens a repository in a folder of its own. Its hooks let every push through.
func newRepo(t *testing.T) *Repo {
	t.Helper()
	r, err := Open(t.Context(), Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	allowPushes(t, r)
	return r
}

func allowPushes(t *testing.T, r *Repo) {
	t.Helper()
	for _, kind := range []string{PreReceive, PostReceive} {
		if err := os.WriteFile(filepath.Join(r.hooks, kind), []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// git runs stock git as an author would, in dir.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(t, dir, "", args...)
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

func tryGit(t *testing.T, dir, stdin string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(environment(), "GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
		"GIT_AUTHOR_DATE=2026-11-01T10:00:00Z", "GIT_COMMITTER_DATE=2026-11-01T10:00:00Z", "HOME="+dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// clone makes an author's clone with one commit of the files, pushed to main.
func clone(t *testing.T, r *Repo, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "remote", "add", "origin", r.dir)
	commit(t, dir, "First policies", files)
	pushDirectly(t, r, dir)
	return dir
}

func commit(t *testing.T, dir, subject string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", subject)
	return git(t, dir, "rev-parse", "HEAD")
}

// pushDirectly puts the clone's objects and main into the repository without the wire.
func pushDirectly(t *testing.T, r *Repo, dir string) {
	t.Helper()
	git(t, r.dir, "--git-dir="+r.dir, "fetch", "-q", dir, "+refs/heads/main:refs/heads/main")
}

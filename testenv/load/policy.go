package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// policy is what all hosts of the load should be. It is there so that leases have a release to name.
const policy = `group "everything" {
  match = true
}

policy "load" {
  title      = "What simulated hosts should be"
  applies_to = group.everything
  mode       = "audit"

  resource "directory" "app" {
    path = "/etc/app"
    mode = "0755"
  }
}
`

// release pushes the policy, as an author does, which makes the first release.
func (v *site) release(ctx context.Context) error {
	at := func(parts ...string) string { return filepath.Join(append([]string{v.dir}, parts...)...) }
	git := func(args ...string) error { return v.run(ctx, at("policy"), "git", args...) }
	if err := v.run(ctx, v.dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", at("author")); err != nil {
		return err
	}
	key, err := os.ReadFile(at("author.pub"))
	if err != nil {
		return err
	}
	if _, err := v.ask(ctx, "POST", "/v1/authors", map[string]string{"name": "load", "key": string(key)}); err != nil {
		return err
	}
	if err := v.trust(ctx); err != nil {
		return err
	}
	if err := os.Mkdir(at("policy"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(at("policy", "main.hcl"), []byte(policy), 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "--all"}, {"commit", "-q", "-m", "Something to lease"},
		{"push", "-q", "ssh://git@" + v.ssh + "/policy", "main"}} {
		if err := git(args...); err != nil {
			return err
		}
	}
	return nil
}

// trust notes the server's host key, as an administrator would hand it to authors.
func (v *site) trust(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "ssh-keygen", "-y", "-f", filepath.Join(v.dir, "data", "keys", "ssh_host_ed25519_key")).Output()
	if err != nil {
		return fmt.Errorf("cannot read the server's host key: %w", err)
	}
	host, port, _ := strings.Cut(v.ssh, ":")
	return os.WriteFile(filepath.Join(v.dir, "known_hosts"), fmt.Appendf(nil, "[%s]:%s %s", host, port, out), 0o600)
}

// run runs a program apart from the settings of whoever runs this one.
func (v *site) run(ctx context.Context, dir, name string, args ...string) error {
	ssh := fmt.Sprintf("ssh -F /dev/null -i %s/author -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=%s/known_hosts", v.dir, v.dir)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + v.dir, "LC_ALL=C.UTF-8", "GIT_SSH_COMMAND=" + ssh,
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Load", "GIT_AUTHOR_EMAIL=load@example.org", "GIT_COMMITTER_NAME=Load", "GIT_COMMITTER_EMAIL=load@example.org"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run %s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

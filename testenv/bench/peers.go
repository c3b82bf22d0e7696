package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// peer is another program that can be told the same work.
type peer struct {
	name string
	// packages are Debian's; program is what they bring.
	packages []string
	program  string
	version  []string
	// write writes the work in the peer's language and returns how it is measured against it.
	write func(w *work, dir string) (argv []string, err error)
	most  int // runs of one work
	// differs is what the output holds when the peer finds something to do, for its exit code may
	// not say so.
	differs string
}

func peers() []peer {
	return []peer{
		{name: "CFEngine", packages: []string{"cfengine3"}, program: "cf-agent", version: []string{"cf-agent", "--version"}, write: writeCFEngine, most: 5, differs: " error: "},
		{name: "Puppet", packages: []string{"puppet-agent"}, program: "puppet", version: []string{"puppet", "--version"}, write: writePuppet, most: 5, differs: "(noop)"},
		{name: "Ansible", packages: []string{"ansible-core"}, program: "ansible-playbook", version: []string{"ansible-playbook", "--version"}, write: writeAnsible, most: 3, differs: "changed: ["},
		{name: "goss", program: "goss", version: []string{"goss", "--version"}, write: writeGoss, most: 9},
	}
}

// peerLimit is how long one run of a peer may take.
const peerLimit = 5 * time.Minute

func comparePeers(ctx context.Context, s setting, agent, minimal, dir string) error {
	found, err := install(ctx, dir)
	if err != nil {
		return err
	}
	for _, w := range works(s.only) {
		if err := w.lay(filepath.Join(dir, w.name)); err != nil {
			return err
		}
		runners, err := w.ours(agent, minimal)
		if err != nil {
			return err
		}
		for _, p := range found {
			folder := filepath.Join(w.dir, strings.ToLower(p.name))
			if err := os.MkdirAll(folder, 0o700); err != nil {
				return err
			}
			argv, err := p.write(w, folder)
			if err != nil {
				return err
			}
			runners = append(runners, &runner{name: p.name, argv: argv, most: p.most, differs: p.differs, limit: peerLimit})
		}
		fmt.Printf("\n%s: %s\n", w.name, w.title())
		if err := measure(ctx, runners, s.runs); err != nil {
			return err
		}
		table(os.Stdout, runners)
	}
	return nil
}

// install brings what is missing, and says so before. No daemon is started: while apt is at work
// policy-rc.d forbids it, as Debian has it for containers.
func install(ctx context.Context, dir string) ([]peer, error) {
	var missing []string
	for _, p := range peers() {
		if _, err := exec.LookPath(p.program); err != nil {
			missing = append(missing, p.packages...)
		}
	}
	if len(missing) > 0 {
		fmt.Println("installing by apt, without starting a daemon:", strings.Join(missing, " "))
		if err := aptInstall(ctx, missing); err != nil {
			return nil, err
		}
	}
	if _, err := exec.LookPath("goss"); err != nil {
		fmt.Println("building goss in a temporary folder, for Debian does not package it")
		buildGoss(ctx, dir)
	}
	var found []peer
	for _, p := range peers() {
		if _, err := exec.LookPath(p.program); err != nil {
			fmt.Printf("%s is left out: it cannot be had here\n", p.name)
			continue
		}
		line := "does not tell its version" // goss, when it was built by hand
		if out, err := exec.CommandContext(ctx, p.version[0], p.version[1:]...).Output(); err == nil {
			line, _, _ = strings.Cut(string(out), "\n")
		}
		fmt.Printf("%s: %s\n", p.name, line)
		found = append(found, p)
	}
	return found, nil
}

const policyRC = "/usr/sbin/policy-rc.d"

func aptInstall(ctx context.Context, packages []string) (err error) {
	if _, missing := os.Lstat(policyRC); errors.Is(missing, os.ErrNotExist) {
		if err := os.WriteFile(policyRC, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.Remove(policyRC)) }()
	}
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"install", "-y", "--no-install-recommends", "--"}, packages...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot install the peers: %w: %s", err, tail(string(out)))
	}
	return nil
}

// gossVersion is the one that is compared with.
const gossVersion = "v0.4.10"

// buildGoss puts goss on the path of this process; where Go's proxy does not have it, it is left out.
func buildGoss(ctx context.Context, dir string) {
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/goss-org/goss/cmd/goss@"+gossVersion)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Println("goss cannot be built:", tail(string(out)))
		return
	}
	if err := os.Setenv("PATH", dir+":"+os.Getenv("PATH")); err != nil {
		fmt.Println("goss cannot be found:", err)
	}
}

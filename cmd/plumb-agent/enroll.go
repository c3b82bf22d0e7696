package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"plumb/agent"
	"plumb/agent/protocol"
	"plumb/agent/state"
	"plumb/agent/transport"
)

func (a *app) enroll(args []string) error {
	set := a.flags("enroll")
	name := set.String("name", "", "what the host is to be called; its own name by default")
	server := set.String("server", "", "https://HOST[:PORT] or ssh://[HOST[:PORT]]")
	install := set.Bool("install", false, "also write the systemd unit")
	rest, err := a.parse(set, args, "TOKEN")
	if err != nil {
		return err
	}
	token, err := protocol.ParseToken(rest[0])
	if err != nil {
		return err
	}
	one, err := a.open(true)
	if err != nil {
		return err
	}
	defer one.Dir.Close()
	if *name == "" {
		if *name, err = os.Hostname(); err != nil {
			return fmt.Errorf("cannot tell the host's name: %w", err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	id, err := one.Enroll(ctx, token, strings.ToLower(*name), *server)
	if err != nil {
		return refused(err)
	}
	fmt.Fprintf(a.stdout, "this host is %s (%s) at %s\n", id.Host.Name, id.Host.ID, id.Server)
	if *install {
		return a.install()
	}
	return nil
}

// refused hands on what the server has to say.
func refused(err error) error {
	var r *transport.Refused
	if errors.As(err, &r) && r.Problem.Hint != "" {
		return &failure{err: err, hint: r.Problem.Hint}
	}
	return err
}

func (a *app) install() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot tell where the agent's program lies: %w", err)
	}
	command := []string{program, "run"}
	if a.state != state.DefaultDir {
		full, err := filepath.Abs(a.state)
		if err != nil {
			return fmt.Errorf("cannot tell where the state folder lies: %w", err)
		}
		command = append(command, "--state", full)
	}
	path, err := agent.Install(a.root, command)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "wrote %s; start the agent with: systemctl daemon-reload && systemctl enable --now plumb-agent\n", path)
	return nil
}

// World makes a machine ready for worlds of hosts, and starts one to look around in.
//
//	world prepare     install tools, build the base system (once, as root, with network)
//	world prepare-vm  the same for the virtual machine of the slow test, after prepare
//	world shell [N]   boot N hosts, 3 by default, and open a shell on the server side
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"plumb/testenv"
)

func main() {
	code, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "world: error:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	cache, err := testenv.DefaultCache()
	if err != nil {
		return 1, err
	}
	if len(args) > 0 && args[0] == "prepare" {
		return 0, testenv.Prepare(ctx, cache, os.Stderr)
	}
	if len(args) > 0 && args[0] == "prepare-vm" {
		return 0, testenv.PrepareVM(ctx, cache, os.Stderr)
	}
	if len(args) == 0 || args[0] != "shell" {
		return 1, fmt.Errorf("usage: world prepare | world prepare-vm | world shell [N]")
	}
	if why := testenv.Missing(cache); why != "" {
		return 1, fmt.Errorf("this machine is not ready: it %s", why)
	}
	if !testenv.Inside() {
		return testenv.Enter(cache)
	}
	return 0, shell(ctx, cache, args[1:])
}

// shell boots hosts and lets the user in. The host's names work as commands.
func shell(ctx context.Context, cache testenv.Cache, args []string) error {
	n := 3
	if len(args) > 0 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil {
			return fmt.Errorf("cannot boot %q hosts: %w", args[0], err)
		}
	}
	world := testenv.NewWorld(cache, "w")
	if err := world.Start(ctx); err != nil {
		return err
	}
	if err := world.Boot(ctx, n); err != nil {
		return err
	}
	bin, err := logins(world, cache, n)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d hosts are up. `h1` logs in to the first, `h1 COMMAND` runs a command there; exit ends it all.\n", n)
	sh := world.Server(ctx, "bash")
	sh.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	sh.Stdin, sh.Stdout, sh.Stderr = os.Stdin, os.Stdout, os.Stderr
	_ = sh.Run() // how a person's shell ends is not ours to judge
	return nil
}

// logins writes one small program per host, in the memory that ends with the world.
func logins(world *testenv.World, cache testenv.Cache, n int) (string, error) {
	bin := "/run/bin"
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the logins: %w", err)
	}
	for i := range n {
		h, err := world.Host(i + 1)
		if err != nil {
			return "", err
		}
		ssh, err := exec.LookPath("ssh")
		if err != nil {
			return "", fmt.Errorf("cannot find ssh: %w", err)
		}
		script := fmt.Sprintf("#!/bin/sh\nexec %s -q -i %s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@%s \"$@\"\n", ssh, cache.Key(), h.Address)
		if err := os.WriteFile(filepath.Join(bin, h.Name), []byte(script), 0o755); err != nil {
			return "", fmt.Errorf("cannot make the logins: %w", err)
		}
	}
	return bin, nil
}

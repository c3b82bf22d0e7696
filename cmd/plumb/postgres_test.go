package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// postgres starts a server of its own and sets DSN. Scripts skip themselves where [!postgres].
func postgres(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		ts.Fatalf("postgres cannot be negated")
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	ts.Check(err)
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "plumb-pg-")
	ts.Check(err)
	ts.Check(os.Chmod(dir, 0o755))
	ts.Defer(func() { os.RemoveAll(dir) })
	cluster := filepath.Join(dir, "cluster")
	ts.Check(os.Mkdir(cluster, 0o700))
	var as *syscall.SysProcAttr // PostgreSQL does not run as root
	if os.Geteuid() == 0 {
		const nobody = 65534
		ts.Check(os.Chown(cluster, nobody, nobody))
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}, as
		return cmd
	}
	if out, err := run("initdb", "-D", cluster, "-U", "plumb", "-A", "trust", "--no-sync").CombinedOutput(); err != nil {
		ts.Fatalf("cannot make a cluster: %v\n%s", err, out)
	}
	addresses, err := freeAddresses(1)
	ts.Check(err)
	_, port, err := net.SplitHostPort(addresses[0])
	ts.Check(err)
	server := run("postgres", "-D", cluster, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	ts.Check(server.Start())
	ts.Defer(func() {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if run("pg_isready", "-h", "127.0.0.1", "-p", port).Run() == nil {
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("PostgreSQL did not come up:\n%s", log.String())
		}
	}
	ts.Setenv("DSN", "postgres://plumb@127.0.0.1:"+port+"/postgres?sslmode=disable")
}

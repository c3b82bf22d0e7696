package store

import (
	"database/sql"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// server is the PostgreSQL that all tests of the package share; each test has a database of its own.
var server = struct {
	url    string
	reason string // why there is none
	stop   func()
	bases  atomic.Int64
}{stop: func() {}}

func TestMain(m *testing.M) {
	flag.Parse()
	startPostgres()
	code := m.Run()
	server.stop()
	os.Exit(code)
}

func startPostgres() {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		server.reason = "needs PostgreSQL: nothing in /usr/lib/postgresql"
		return
	}
	if err := runPostgres(bins[len(bins)-1]); err != nil {
		server.reason = "needs PostgreSQL: " + err.Error()
	}
}

func runPostgres(bin string) error {
	dir, err := os.MkdirTemp("", "plumb-pg-")
	if err != nil {
		return err
	}
	server.stop = func() { os.RemoveAll(dir) }
	credential, err := unprivileged(dir)
	if err != nil {
		return err
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Pdeathsig: syscall.SIGTERM}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "plumb", "-A", "trust", "--no-sync",
		"-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %.200s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	cmd := command("postgres", "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync="+fsync())
	if err := cmd.Start(); err != nil {
		return err
	}
	server.stop = func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		os.RemoveAll(dir)
	}
	server.url = fmt.Sprintf("postgres://plumb@127.0.0.1:%d/", port)
	return waitPostgres()
}

// fsync is on when speed is measured; tests need not wait for the disk.
func fsync() string {
	if flag.Lookup("test.bench").Value.String() != "" {
		return "on"
	}
	return "off"
}

// unprivileged gives the folder to a user who is not root, as PostgreSQL demands.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func waitPostgres() error {
	db, err := sql.Open("pgx", server.url+"postgres")
	if err != nil {
		return err
	}
	defer db.Close()
	for range 200 {
		if err = db.Ping(); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// newDatabase returns the address of an empty database, or skips.
func newDatabase(t testing.TB) string {
	t.Helper()
	if server.reason != "" {
		t.Skip(server.reason)
	}
	db, err := sql.Open("pgx", server.url+"postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := fmt.Sprintf("test%d", server.bases.Add(1))
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return server.url + name
}

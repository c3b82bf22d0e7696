// Package postgres starts a PostgreSQL of this machine for tests. Whoever starts one stops it.
package postgres

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"plumb/testenv/ports"
)

// Server is a PostgreSQL with a folder and a port of its own.
type Server struct {
	// PID is that of its first process, whose children are all others.
	PID   int
	url   string
	stop  func()
	bases atomic.Int64
}

// Start runs the newest PostgreSQL that is installed. Tests need not wait for the disk; fsync is for what is measured.
func Start(fsync bool) (*Server, error) {
	bins := installed()
	if len(bins) == 0 {
		return nil, errors.New("needs PostgreSQL: nothing in /usr/lib/postgresql")
	}
	s := &Server{stop: func() {}}
	if err := s.run(bins[len(bins)-1], fsync); err != nil {
		s.Stop()
		return nil, fmt.Errorf("needs PostgreSQL: %w", err)
	}
	return s, nil
}

// Installed tells whether Start can run one.
func Installed() bool { return len(installed()) > 0 }

// installed are the folders of programs of each version, the newest last.
func installed() []string {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	return bins
}

// Stop ends it and removes what it kept.
func (s *Server) Stop() { s.stop() }

// Database makes an empty database and returns its address.
func (s *Server) Database() (string, error) {
	db, err := sql.Open("pgx", s.url+"postgres")
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := fmt.Sprintf("test%d", s.bases.Add(1))
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		return "", err
	}
	return s.url + name, nil
}

func (s *Server) run(bin string, fsync bool) error {
	dir, err := os.MkdirTemp("", "plumb-pg-")
	if err != nil {
		return err
	}
	s.stop = func() { os.RemoveAll(dir) }
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
	free, err := ports.Free(1)
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(free[0])
	cmd := command("postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync="+strconv.FormatBool(fsync))
	if err := cmd.Start(); err != nil {
		return err
	}
	s.stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		os.RemoveAll(dir)
	}
	s.PID, s.url = cmd.Process.Pid, "postgres://plumb@"+free[0]+"/"
	return s.wait()
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

func (s *Server) wait() error {
	db, err := sql.Open("pgx", s.url+"postgres")
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

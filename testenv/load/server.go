package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"plumb/testenv/ports"
)

// process is a server that runs beside this program.
type process struct {
	cmd     *exec.Cmd
	log     string
	stopped bool
}

// launch starts a program whose output goes to a log.
func launch(log, name string, args ...string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Dir(log), f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	return &process{cmd: cmd, log: log}, nil
}

// stop ends the process, by force when it does not end by itself.
func (p *process) stop() {
	if p.stopped {
		return
	}
	p.stopped = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait()
}

// cpu is the time that the process has used.
func (p *process) cpu() time.Duration { return cpuOf(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)) }

// cpuOf reads what one process or thread has used, 0 when it is gone.
func cpuOf(stat string) time.Duration {
	raw, err := os.ReadFile(stat)
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100 // the kernel counts in hundredths
}

// resident is what the process holds in memory, in bytes.
func (p *process) resident() int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// site is a Plumb server with its folder.
type site struct {
	*process
	dir    string
	people string
	agents string
	ssh    string
	local  *http.Client
	ca     []byte
	// command starts it.
	command []string
}

// newSite starts a server on an empty folder. The DSN is empty for SQLite.
func newSite(ctx context.Context, bin, dsn string) (*site, error) {
	dir, err := os.MkdirTemp("", "plumb-load-")
	if err != nil {
		return nil, err
	}
	free, err := ports.Free(3)
	if err != nil {
		return nil, err
	}
	v := &site{dir: dir, people: free[0], agents: free[1], ssh: free[2]}
	args := []string{"server", "--data", filepath.Join(dir, "data"), "--name", "127.0.0.1",
		"--listen", v.people, "--agent-listen", v.agents, "--ssh-listen", v.ssh}
	if dsn != "" {
		args = append(args, "--db", dsn)
	}
	v.command = append([]string{filepath.Join(bin, "plumb")}, args...)
	socket := filepath.Join(dir, "data", "plumb.sock")
	v.local = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	return v, v.up(ctx)
}

// up starts the server and waits until it answers.
func (v *site) up(ctx context.Context) error {
	var err error
	if v.process, err = launch(filepath.Join(v.dir, "server.log"), v.command[0], v.command[1:]...); err != nil {
		return err
	}
	for range 300 {
		if v.ca, err = v.ask(ctx, "GET", "/ca.pem", nil); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	said, _ := os.ReadFile(v.log)
	return fmt.Errorf("the server does not answer: %w\n%.2000s", err, said)
}

// close ends the server and takes its folder away.
func (v *site) close() {
	v.stop()
	_ = os.RemoveAll(v.dir)
}

// ask asks over the local socket, as the administrator.
func (v *site) ask(ctx context.Context, method, path string, in any) ([]byte, error) {
	raw, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://local"+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	resp, err := v.local.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(body)))
	}
	return body, err
}

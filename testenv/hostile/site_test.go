package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// build makes the program under test.
func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "plumb")
	cmd := exec.Command("go", "build", "-o", program, "plumb/cmd/plumb")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// site is a real server on loopback, with somebody who takes what it sends.
type site struct {
	t                   *testing.T
	program, dir        string
	people, agents, ssh string
	told                *receivers
	stop                func()
}

func newSite(t *testing.T, program, format string) *site {
	s := &site{t: t, program: program, dir: t.TempDir(), told: receive(t)}
	s.write("server.json", encoded(map[string]any{"name": "127.0.0.1", "alerts": s.told.config(format)}))
	log, err := os.Create(s.at("server.log"))
	must(t, err)
	defer log.Close()
	const free = "127.0.0.1:0" // the server tells which it got
	cmd := exec.Command(program, "server", "--verbose", "--config", s.at("server.json"), "--data", s.at("data"), "--listen", free, "--agent-listen", free, "--ssh-listen", free)
	cmd.Dir, cmd.Stderr = s.dir, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	greeting, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	s.stop = sync.OnceFunc(func() {
		_, _ = cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()
		if raw := s.log(); t.Failed() {
			t.Logf("the server's log ends with\n%s", raw[max(0, len(raw)-4000):])
		}
	})
	t.Cleanup(s.stop)
	s.greeted(greeting)
	return s
}

// greeted reads where the server's doors are, which it tells once they are open.
func (s *site) greeted(by io.Reader) {
	s.t.Helper()
	doors := map[string]*string{"people": &s.people, "agents": &s.agents, "policy": &s.ssh}
	for lines := bufio.NewScanner(by); len(doors) > 0; {
		if !lines.Scan() {
			s.t.Fatalf("the server ended before it was up: %s", s.log())
		}
		words := append(strings.Fields(lines.Text()), "", "")
		if at, err := url.Parse(words[1]); err == nil && doors[words[0]] != nil {
			*doors[words[0]] = at.Host
			delete(doors, words[0])
		}
	}
}

func (s *site) at(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name string, content []byte) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(s.at(name)), 0o755))
	must(s.t, os.WriteFile(s.at(name), content, 0o600))
}

// log is what the server wrote so far, but for a line that it is at.
func (s *site) log() string {
	raw, err := os.ReadFile(s.at("server.log"))
	must(s.t, err)
	return string(raw[:bytes.LastIndexByte(raw, '\n')+1])
}

// until waits for what takes its time. A server that has not done it after ten minutes never does.
func (s *site) until(what string, try func() error) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: %v", what, err)
		}
	}
}

// plumb runs a command and returns all that it wrote.
func (s *site) plumb(args ...string) (out string, code int) {
	cmd := exec.Command(s.program, append(args, "--data", s.at("data"))...)
	cmd.Dir = s.dir
	raw, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return string(raw), cmd.ProcessState.ExitCode()
}

// ask asks over the local socket, as the administrator, and returns the answer to a GET, or to a POST of in.
func (s *site) ask(path string, in, out any) []byte {
	s.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.dir, "data", "plumb.sock"))
	}}}
	method := "POST"
	if in == nil {
		method = "GET"
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://local"+path, bytes.NewReader(encoded(in)))
	must(s.t, err)
	resp, err := client.Do(req)
	must(s.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(s.t, err)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s answers %d: %s", path, resp.StatusCode, raw)
	}
	if out != nil {
		must(s.t, json.Unmarshal(raw, out))
	}
	return raw
}

func encoded(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // what tests make up encodes
	}
	return raw
}

// receivers note what a server tells them, one entry a message.
type receivers struct {
	hook  *httptest.Server
	lines net.PacketConn
	mu    sync.Mutex
	list  []string
	by    map[string]int
}

func receive(t *testing.T) *receivers {
	r := &receivers{by: map[string]int{}}
	var err error
	r.lines, err = net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { r.lines.Close() })
	go func() {
		for one := make([]byte, 64<<10); ; {
			n, _, err := r.lines.ReadFrom(one)
			if err != nil {
				return
			}
			r.note("syslog", string(one[:n]))
		}
	}()
	r.hook = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // it broke off, and is told again
		}
		if !json.Valid(body) {
			body = fmt.Appendf(nil, "no JSON: \x1b%s", body)
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
		r.note(kind, req.URL.String()+" "+fmt.Sprint(req.Header)+string(body))
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(r.hook.Close)
	return r
}

func (r *receivers) note(kind, said string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, said)
	r.by[kind]++
}

// config tells a server of the receivers: webhooks of each kind, and syslog in the given format.
func (r *receivers) config(format string) map[string]any {
	var hooks []map[string]any
	for _, kind := range kinds() {
		hooks = append(hooks, map[string]any{"name": kind, "kind": kind, "url": r.hook.URL + "/" + kind, "secret": "none", "user": "u@example.org", "project": "P", "allow_private": true})
	}
	return map[string]any{"webhooks": hooks, "syslog": map[string]any{"address": r.lines.LocalAddr().String(), "format": format}}
}

func kinds() []string {
	return []string{"plain", "slack", "pagerduty", "servicenow", "jira", "zendesk"}
}

// missing are the receivers that were told fewer things than n.
func (r *receivers) missing(n int) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range append(kinds(), "syslog") {
		if r.by[name] < n {
			names = append(names, name)
		}
	}
	return names
}

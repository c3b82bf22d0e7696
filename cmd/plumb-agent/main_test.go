package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/agent/state"
	"plumb/agent/testserver"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/compiler"
)

// TestMain turns this program into plumb-agent, so that the tests run it as people do.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == compiler.Argument || os.Getenv("PLUMB_AGENT_MAIN") == "1") {
		main()
	}
	os.Exit(m.Run())
}

// host is a folder that looks like a host, with an agent.
type host struct {
	t           *testing.T
	root, state string
}

func newHost(t *testing.T) host { return host{t, t.TempDir(), t.TempDir()} }

// agent calls plumb-agent and returns what it printed and its exit code.
func (h host) agent(args ...string) (stdout, stderr string, code int) {
	h.t.Helper()
	cmd := exec.Command(os.Args[0], append(args, "--state", h.state, "--root", h.root)...)
	cmd.Env = append(os.Environ(), "PLUMB_AGENT_MAIN=1")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

const motd = `policy "greeting" {
  title   = "A greeting"
  version = "1.0.0"
  mode    = "enforce"
  resource "file" "motd" {
    path    = "/motd"
    content = "Welcome to %s\n"
  }
}
`

func policy(name string) bundle.Tree {
	return bundle.Tree{"main.hcl": []byte(strings.Replace(motd, "%s", name, 1))}
}

func write(t *testing.T, tree bundle.Tree) string {
	t.Helper()
	dir := t.TempDir()
	for name, raw := range tree {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestApply(t *testing.T) {
	h, dir := newHost(t), write(t, policy("here"))
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"apply", dir, "--audit"}, 2, "+Welcome to here"},
		{[]string{"apply", dir}, 0, "1 repaired"},
		{[]string{"apply", "--json", dir}, 0, `"status": "compliant"`},
		{[]string{"why", "file.motd"}, 0, "declared at main.hcl:5"},
		{[]string{"status"}, 0, "apply by hand"},
		{[]string{"pause", "--for", "2h", "--reason", "a test"}, 0, "nothing is changed"},
	} {
		out, problems, code := h.agent(step.args...)
		if code != step.code || !strings.Contains(out, step.want) {
			t.Errorf("%v: exit %d, %q, %q; want %d and %q", step.args, code, out, problems, step.code, step.want)
		}
	}
	os.Remove(filepath.Join(h.root, "motd"))
	if _, _, code := h.agent("apply", dir); code != 2 {
		t.Errorf("a paused host: exit %d, want 2", code)
	}
	h.agent("resume")
	if _, _, code := h.agent("apply", dir); code != 0 {
		t.Errorf("a resumed host: exit %d, want 0", code)
	}
}

func TestMistakesHaveTheirLine(t *testing.T) {
	tree := policy("here")
	tree["main.hcl"] = bytes.Replace(tree["main.hcl"], []byte("content "), []byte("contents"), 1)
	_, problems, code := newHost(t).agent("apply", write(t, tree))
	if code != 1 || !strings.Contains(problems, "main.hcl:7,") || !strings.Contains(problems, "plumb-agent: error: ") {
		t.Errorf("exit %d, %s", code, problems)
	}
}

func TestWholeLife(t *testing.T) {
	for _, how := range []string{"https://", "ssh://"} {
		t.Run(how, func(t *testing.T) {
			s, h := testserver.Start(t), newHost(t)
			s.Publish(t, 1, 0, policy("one"), s.Author)
			if out, problems, code := h.agent("enroll", s.Token().String(), "--name", "web1", "--server", how, "--install"); code != 0 || !strings.Contains(out, "this host is web1") {
				t.Fatalf("enroll: exit %d, %s %s", code, out, problems)
			}
			unit, err := os.ReadFile(filepath.Join(h.root, "/etc/systemd/system/plumb-agent.service"))
			if err != nil || !strings.Contains(string(unit), "Type=notify") {
				t.Errorf("the unit is %q, %v", unit, err)
			}
			if out, problems, code := h.agent("run", "--once"); code != 0 || !strings.Contains(out, "+Welcome to one") || !strings.HasSuffix(out, "release 1: 1 repaired\n") {
				t.Fatalf("run --once: exit %d, %q %s", code, out, problems)
			}
			if raw, err := os.ReadFile(filepath.Join(h.root, "motd")); err != nil || string(raw) != "Welcome to one\n" {
				t.Errorf("/motd is %q, %v", raw, err)
			}
			out, _, code := h.agent("status", "--json")
			var got standing
			if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Release != 1 || got.Counts[policies.Repaired] != 1 || got.Name != "web1" {
				t.Errorf("status: exit %d, %s", code, out)
			}
			if n := len(s.Reports()); n != 1 {
				t.Errorf("%d reports arrived", n)
			}
		})
	}
}

func TestOnlyOneAgentAtATime(t *testing.T) {
	h := newHost(t)
	dir, err := state.Open(h.state)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Lock(); err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	_, problems, code := h.agent("apply", write(t, policy("x")))
	if code != 75 || !strings.Contains(problems, "another plumb-agent is at work") || !strings.Contains(problems, "plumb-agent: hint: ") {
		t.Errorf("exit %d, %s", code, problems)
	}
}

// SIGTERM ends a daemon that waits, with exit code 0.
func TestDaemonStops(t *testing.T) {
	s, h := testserver.Start(t), newHost(t)
	h.agent("enroll", s.Token().String(), "--name", "web1")
	socket := filepath.Join(t.TempDir(), "notify")
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	cmd := exec.Command(os.Args[0], "run", "--state", h.state, "--root", h.root)
	cmd.Env = append(os.Environ(), "PLUMB_AGENT_MAIN=1", "NOTIFY_SOCKET="+socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready.SetReadDeadline(time.Now().Add(time.Minute))
	word := make([]byte, 100)
	if n, err := ready.Read(word); err != nil || !strings.HasPrefix(string(word[:n]), "READY=1") {
		t.Fatalf("the daemon says %q, %v", word[:n], err)
	}
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
}

func TestMisuse(t *testing.T) {
	h := newHost(t)
	for name, args := range map[string][]string{
		"no command":      {},
		"unknown command": {"destroy"},
		"unknown flag":    {"status", "--force"},
		"no folder":       {"apply"},
		"no such folder":  {"apply", "/does/not/exist"},
		"not a token":     {"enroll", "plumb1.x"},
		"not enrolled":    {"run", "--once"},
		"no reason":       {"pause", "--for", "1h"},
		"no length":       {"pause", "--reason", "x"},
		"nothing ran":     {"why", "file.x"},
	} {
		_, problems, code := h.agent(args...)
		if len(args) == 0 {
			_, problems, code = h.agent()
		}
		if code != 1 || !strings.HasPrefix(problems, "plumb-agent: error: ") {
			t.Errorf("%s: exit %d, %q", name, code, problems)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "2h": 2 * time.Hour, "7d": 168 * time.Hour,
		"1w": 168 * time.Hour, "1h30m": 90 * time.Minute, "": 0, "2": 0, "h": 0, "-1h": 0, "0h": 0, "1.5h": 0, "999999w": 0, "2h ": 0} {
		got, err := parseDuration(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("parseDuration(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	f.Add("1h30m")
	f.Add("7d")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseDuration(text); err == nil && (d <= 0 || d > maxDuration) {
			t.Errorf("parseDuration(%q) = %s", text, d)
		}
	})
}

// What the agent must never link, see docs: a root daemon stays small.
func TestAgentLinksNoServer(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skip("needs the go command: ", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "plumb/agent/run") {
		t.Fatalf("go list gave %d packages without plumb/agent/run", len(deps))
	}
	// Packages with all below them, and single ones: go-version names database/sql/driver, which
	// has only interfaces.
	below := []string{"github.com/gin-gonic", "github.com/go-git", "github.com/prometheus", "modernc.org", "github.com/jackc",
		"github.com/spf13", "github.com/google/go-cmp", "plumb/server", "plumb/agent/testserver", "testing"}
	single := []string{"database/sql", "html/template", "net/http/pprof"}
	for _, dep := range deps {
		foreign := slices.ContainsFunc(below, func(p string) bool { return dep == p || strings.HasPrefix(dep, p+"/") })
		if foreign || slices.Contains(single, dep) {
			t.Errorf("the agent links %s", dep)
		}
	}
}

func TestAgentStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a build")
	}
	path := filepath.Join(t.TempDir(), "plumb-agent")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the agent: %v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= 15<<20 {
		t.Errorf("the agent has %d bytes, 15 MiB is the most", info.Size())
	}
}

package testenv_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/testenv"
)

func TestMissingSaysWhatToDo(t *testing.T) {
	why := testenv.Missing(testenv.Cache(t.TempDir()))
	if !strings.HasPrefix(why, "needs ") || os.Geteuid() == 0 && !strings.Contains(why, "world prepare") {
		t.Errorf("Missing(empty cache) = %q, want a need and the way out", why)
	}
}

// A program with a world is killed with -9. Its hosts die at once, and the next program clears
// away what the kernel keeps.
func TestNothingOutlivesAKilledProgram(t *testing.T) {
	cache := needCache(t)
	others := worldRemains(t, cache)
	program := buildWorld(t)
	killed, _ := worldShell(t, program, "1")
	remains := slices.DeleteFunc(worldRemains(t, cache), func(path string) bool { return slices.Contains(others, path) })
	if !hostsRun(remains) {
		t.Fatalf("a host runs and leaves no trace, so this test cannot see anything: %v", remains)
	}
	killed.Process.Kill()
	killed.Wait()
	for deadline := time.Now().Add(patience); hostsRun(remains); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("hosts outlive the program that was killed")
		}
	}

	next, stdin := worldShell(t, program, "0")
	for _, path := range worldRemains(t, cache) {
		if slices.Contains(remains, path) {
			t.Errorf("%s is still there", path)
		}
	}
	stdin.Close() // the shell ends, and the program in order
	if err := next.Wait(); err != nil {
		t.Errorf("the world ends with %v", err)
	}
}

func buildWorld(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "world")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/world").CombinedOutput(); err != nil {
		t.Fatalf("cannot build the world program: %v\n%s", err, out)
	}
	return program
}

// worldShell starts the program and returns when its hosts are up.
func worldShell(t *testing.T, program, hosts string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := exec.Command(program, "shell", hosts)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PLUMB_TESTENV_DISKS=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	stdin, err := cmd.StdinPipe() // its shell waits for it
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || !strings.Contains(line, "are up") {
		t.Fatalf("the world says %q, %v", line, err)
	}
	return cmd, stdin
}

// worldRemains are the cgroups and folders of all worlds on this machine.
func worldRemains(t *testing.T, cache testenv.Cache) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{
		filepath.Join(string(cache), "disks-*"),
		"/sys/fs/cgroup/plumb-disks-*", "/sys/fs/cgroup/unified/plumb-disks-*",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// hostsRun reports whether anything runs in one of the cgroups.
func hostsRun(paths []string) bool {
	for _, path := range paths {
		events, err := os.ReadFile(filepath.Join(path, "cgroup.events"))
		if err == nil && strings.Contains(string(events), "populated 1") {
			return true
		}
	}
	return false
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/policies/compiler"
	"plumb/server/api"
	"plumb/testenv/ports"
	"plumb/testenv/postgres"
)

// TestMain makes the test binary be plumb, so that scripts, hooks and compiler children run
// the very program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == compiler.Argument { // the child has no name of its own
		main()
	}
	testscript.Main(m, map[string]func(){"plumb": main})
}

// buildAgent builds the other program once for all scripts.
func buildAgent(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir, "plumb/cmd/plumb-agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build plumb-agent: %v\n%s", err, out)
	}
	return dir
}

// TestScripts runs what people do, one story a file, on hosts that are folders.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("the stories start servers; make test runs them")
	}
	for _, tool := range []string{"git", "ssh", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: the stories use the stock client", tool)
		}
	}
	agent := buildAgent(t)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup:         func(env *testscript.Env) error { return setUp(env, agent) },
		Condition:     condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": startServer, "author": makeAuthor, "enrol": enrol, "agent": runAgent, "kill9": kill9, "postgres": startPostgres, "eventually": eventually, "until": waitRollout, "offered": waitOffered,
		},
	})
}

// condition knows [postgres]: it is installed here.
func condition(name string) (bool, error) {
	if name != "postgres" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	return postgres.Installed(), nil
}

func setUp(env *testscript.Env, agent string) error {
	work := env.WorkDir
	env.Setenv("PATH", agent+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("DATA", filepath.Join(work, "data"))
	env.Setenv("HOME", work)
	for _, role := range []string{"AUTHOR", "COMMITTER"} {
		env.Setenv("GIT_"+role+"_NAME", "Ada")
		env.Setenv("GIT_"+role+"_EMAIL", "ada@example.org")
	}
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	free, err := ports.Free(3)
	if err != nil {
		return err
	}
	env.Setenv("PEOPLE", free[0])
	env.Setenv("AGENTS", free[1])
	env.Setenv("SSH", free[2])
	env.Setenv("POLICY", "ssh://git@"+free[2]+"/policy")
	return nil
}

const pidFile = "server.pid"

// server [ARG...] starts the server and waits until it answers.
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("server cannot be negated")
	}
	args = append([]string{"server", "--data", ts.Getenv("DATA"), "--name", "127.0.0.1", "--listen", ts.Getenv("PEOPLE"),
		"--agent-listen", ts.Getenv("AGENTS"), "--ssh-listen", ts.Getenv("SSH")}, args...)
	program, err := exec.LookPath("plumb")
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if found, look := exec.LookPath(filepath.Join(dir, "plumb")); look == nil {
			program, err = found, nil
			break
		}
	}
	ts.Check(err)
	log, err := os.Create(ts.MkAbs("server.log"))
	ts.Check(err)
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")}
	ts.Check(cmd.Start())
	log.Close()
	ts.Check(os.WriteFile(ts.MkAbs(pidFile), fmt.Append(nil, cmd.Process.Pid), 0o600))
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	waitUp(ts)
}

// waitUp polls the socket until the server answers.
func waitUp(ts *testscript.TestScript) {
	client := api.LocalClient(ts.Getenv("DATA"))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := client.Call(context.Background(), "GET", "/healthz", nil, nil)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the server did not come up: %v\n%s", err, ts.ReadFile("server.log"))
		}
	}
}

// kill9 kills the server.
func kill9(ts *testscript.TestScript, _ bool, _ []string) {
	var pid int
	_, err := fmt.Sscan(ts.ReadFile(pidFile), &pid)
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if api.LocalClient(ts.Getenv("DATA")).Call(context.Background(), "GET", "/healthz", nil, nil) != nil {
			return
		}
	}
	ts.Fatalf("the server outlived SIGKILL")
}

// author NAME makes a key, registers it, and makes git use it.
func makeAuthor(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	key := ts.MkAbs(name + ".key")
	ts.Check(ts.Exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key))
	ts.Check(ts.Exec("plumb", "author", "add", name, key+".pub", "--data", ts.Getenv("DATA")))
	ts.Setenv("GIT_SSH_COMMAND", "ssh -F /dev/null -i "+key+" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR")
}

// enrol NAME [https|ssh] [LABEL...] makes a host that is a folder, and enrols its agent.
func enrol(ts *testscript.TestScript, neg bool, args []string) {
	name, over, labels := args[0], "https", args[1:]
	if len(labels) > 0 && !strings.Contains(labels[0], "=") {
		over, labels = labels[0], labels[1:]
	}
	create := []string{"token", "create", "--data", ts.Getenv("DATA"), "--name", name}
	for _, l := range labels {
		create = append(create, "--label", l)
	}
	ts.Check(ts.Exec("plumb", create...))
	token := strings.TrimSpace(ts.ReadFile("stdout"))
	ts.Check(os.MkdirAll(ts.MkAbs("root/"+name+"/etc"), 0o755))
	release := "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian 12 (a folder)\"\n"
	ts.Check(os.WriteFile(ts.MkAbs("root/"+name+"/etc/os-release"), []byte(release), 0o644))
	line := []string{"enroll", "--state", ts.MkAbs("state/" + name), "--name", name}
	if over == "ssh" {
		line = append(line, "--server", "ssh://"+ts.Getenv("SSH"))
	}
	err := ts.Exec("plumb-agent", append(line, token)...)
	if (err != nil) != neg {
		ts.Fatalf("enrolling %s: %v", name, err)
	}
}

// agent NAME [ARG...] makes one run of a host's agent; ! agent wants it to fail. Exit code 2,
// not all as wanted, is a result like another.
func runAgent(ts *testscript.TestScript, neg bool, args []string) {
	name := args[0]
	line := append([]string{"run", "--once", "--state", ts.MkAbs("state/" + name), "--root", ts.MkAbs("root/" + name)}, args[1:]...)
	err := ts.Exec("plumb-agent", line...)
	failed := err != nil && !strings.Contains(err.Error(), "exit status 2")
	if failed != neg {
		ts.Fatalf("the run of %s: %v", name, err)
	}
}

// eventually REGEXP COMMAND ARG... runs a command until its output matches.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually REGEXP COMMAND...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...)
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v never said %s", args[1:], want)
		}
	}
}

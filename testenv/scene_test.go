package testenv_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/inventory"
	"plumb/testenv"
)

// patience is how long anything may take that is awaited, on a machine that is busy.
const patience = time.Minute

// scene is what one script acts on: a world, a server in it, and a person with a policy
// repository beside the server.
type scene struct {
	world     *testenv.World
	products  string
	transport string
	work      string   // the script's folder
	env       []string // of the person
	hosts     int
	labels    []string // options for the labels of hosts that enrol
	patience  time.Duration
	vm        *testenv.VM // the virtual machine, or nil

	server *exec.Cmd
	ended  chan struct{} // closed when the server process is gone
	apt    *testenv.AptRepository
	rpm    *testenv.RPMRepository
	hook   *hook                       // who is told of alerts, or nil
	thief  *thief                      // who stands in the server's place, or nil
	ids    map[string]inventory.HostID // by name, of enrolled hosts

	tampered map[string]int // by name, how often torment changed a file
	voyages  int            // how many versions torment-server brought out
}

type sceneKey struct{}

// newScene starts the world of a script and takes care that it ends.
func newScene(env *testscript.Env, cache testenv.Cache, products, transport string) error {
	t := env.T().(scriptT)
	s := &scene{
		world:    testenv.NewWorld(cache, worldName(t.Name())),
		products: products, transport: transport, work: env.WorkDir, patience: patience,
		ids: map[string]inventory.HostID{}, tampered: map[string]int{},
	}
	env.Values[sceneKey{}] = s
	env.Defer(func() {
		if t.Failed() {
			s.tell(t.T)
		}
		s.stopServer(os.Kill)
		if s.thief != nil {
			s.thief.end()
		}
		if s.vm != nil {
			_ = s.vm.Close()
		}
		if err := s.world.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	env.Setenv("TRANSPORT", transport)
	env.Setenv("PATH", products+":"+os.Getenv("PATH"))
	env.Setenv("DATA", s.data())
	for _, name := range []string{"GIT_AUTHOR", "GIT_COMMITTER"} {
		env.Setenv(name+"_NAME", "Alice")
		env.Setenv(name+"_EMAIL", "alice@example.org")
	}
	env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	env.Setenv("GIT_SSH_COMMAND", "ssh -q -i $KEY -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null")
	env.Setenv("KEY", filepath.Join(env.WorkDir, "alice"))
	s.env = env.Vars
	return s.world.Start(context.Background())
}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

func (s *scene) data() string { return filepath.Join(s.work, "data") }
func (s *scene) log() string  { return filepath.Join(s.work, "server.log") }

// tell shows what the programs themselves said, after a script failed.
func (s *scene) tell(t *testing.T) {
	log, _ := os.ReadFile(s.log())
	t.Logf("the end of the server's log:\n%s", log[max(0, len(log)-4000):])
	for i := range s.hosts {
		h, err := s.world.Host(i + 1)
		if err != nil {
			continue
		}
		journal, _ := h.Exec(context.Background(), "journalctl", "-q", "-n", "30", "-u", "plumb-agent", "-o", "cat", "--no-pager")
		t.Logf("the agent's journal on %s:\n%s", h.Name, journal)
	}
}

// command is a program that the person runs beside the server.
func (s *scene) command(dir, name string, args ...string) *exec.Cmd {
	cmd := s.world.Server(context.Background(), name, args...)
	cmd.Dir, cmd.Env = dir, s.env
	return cmd
}

// plumb runs the command line as the server's administrator does.
func (s *scene) plumb(dir string, args ...string) *exec.Cmd {
	return s.command(dir, filepath.Join(s.products, "plumb"), append(args, "--data", s.data())...)
}

// output runs the command line and returns what it printed.
func (s *scene) output(args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := s.plumb(s.work, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot run plumb %v: %w: %s", args, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// startServer starts the server and returns when it answers.
func (s *scene) startServer(args ...string) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	listen := []string{"server", "--name", testenv.ServerAddress, "--interval", "2", "--listen", ":7443", "--agent-listen", ":7444", "--ssh-listen", ":7022"}
	s.server = s.plumb(s.work, append(listen, args...)...)
	s.server.Stdout, s.server.Stderr = log, log
	if err := s.server.Start(); err != nil {
		return fmt.Errorf("cannot start the server: %w", err)
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(s.server, s.ended)
	return s.awaitServer()
}

func (s *scene) awaitServer() error {
	return await(s.patience, func() error {
		select {
		case <-s.ended:
			return stop{fmt.Errorf("the server ended: %s", s.server.ProcessState)}
		default:
		}
		_, err := s.output("token", "list")
		return err
	})
}

// stopServer ends the server with a signal and returns when it is gone.
func (s *scene) stopServer(signal os.Signal) {
	if s.server == nil {
		return
	}
	_ = s.server.Process.Signal(signal)
	<-s.ended
	s.server = nil
}

// addHosts boots hosts of a flavour and gives them the agent.
func (s *scene) addHosts(n int, flavour testenv.Flavour) error {
	if err := s.world.BootFlavours(context.Background(), slices.Repeat([]testenv.Flavour{flavour}, n)...); err != nil {
		return err
	}
	for range n {
		s.hosts++
		h, err := s.world.Host(s.hosts)
		if err != nil {
			return err
		}
		if err := h.Copy(filepath.Join(s.products, "plumb-agent"), "/usr/bin/plumb-agent", 0o755); err != nil {
			return err
		}
	}
	return nil
}

// host finds h1 and so on.
func (s *scene) host(name string) (*testenv.Host, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(name, "h"))
	if err != nil {
		return nil, fmt.Errorf("%q is no host; they are h1, h2 and so on", name)
	}
	return s.world.Host(i)
}

// enrol does on one host what its administrator does with a token.
func (s *scene) enrol(name string, args ...string) error {
	h, err := s.host(name)
	if err != nil {
		return err
	}
	token, err := s.output(append([]string{"token", "create"}, s.labels...)...)
	if err != nil {
		return err
	}
	args = append([]string{"enroll", token}, args...)
	if s.transport == "ssh" {
		args = append(args, "--server", "ssh://"+testenv.ServerAddress+":7022")
	}
	if _, err := h.Exec(context.Background(), "plumb-agent", args...); err != nil {
		return err
	}
	return s.rememberIDs()
}

// serveApt makes the apt repository at its first use.
func (s *scene) serveApt() (*testenv.AptRepository, error) {
	if s.apt != nil {
		return s.apt, nil
	}
	apt, err := testenv.NewAptRepository(context.Background(), filepath.Join(s.work, "apt"))
	if err != nil {
		return nil, err
	}
	listener, err := s.world.Listen(testenv.ServerAddress + ":8000")
	if err != nil {
		return nil, err
	}
	go http.Serve(listener, apt.Handler()) // ends with this program
	s.apt = apt
	return apt, nil
}

// stop is an error after which waiting makes no sense.
type stop struct{ error }

// await tries until it works, or until patience ends.
func await(patience time.Duration, try func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if _, final := err.(stop); err == nil || final || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

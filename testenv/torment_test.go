package testenv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

// cmdTorment kills. In each of N rounds and on every host it changes the file /etc/torment behind
// the agent's back, lets the agent begin to mend that, kills the agent or the server under it with
// -9 at a random moment, and then lets the agent run in peace. So there is exactly one repair to
// be told for each change, whatever a kill interrupted.
func cmdTorment(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: torment N HOST...")
	}
	rounds, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	seed := uint64(time.Now().UnixNano())
	ts.Logf("torment: seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	for i := range rounds {
		for _, name := range args[1:] {
			if err := s.tormentHost(name, chance); err != nil {
				return fmt.Errorf("round %d: %w", i, err)
			}
		}
	}
	return nil
}

// tormentHost lets the agent begin and kills it, or the server under it, somewhere in its run.
func (s *scene) tormentHost(name string, chance *rand.Rand) error {
	h, err := s.host(name)
	if err != nil {
		return err
	}
	if _, err := h.Exec(context.Background(), "sh", "-c", "echo tampered >>/etc/torment"); err != nil {
		return err
	}
	s.tampered[name]++
	life := time.Duration(1+chance.IntN(400)) * time.Millisecond
	if chance.IntN(3) > 0 {
		return errors.Join(runFor(h, life), runFor(h, patience))
	}
	killed := make(chan error)
	go func() {
		time.Sleep(life)
		s.stopServer(syscall.SIGKILL)
		killed <- s.startServer()
	}()
	return errors.Join(runFor(h, patience), <-killed, runFor(h, patience))
}

// runFor runs the agent once and kills it when it lives too long.
func runFor(h *testenv.Host, life time.Duration) error {
	seconds := fmt.Sprintf("%.3f", life.Seconds())
	agent, err := h.Command(context.Background(), "timeout", "--signal=KILL", seconds, "plumb-agent", "run", "--once")
	if err != nil {
		return err
	}
	_ = agent.Run() // it is killed, or could not reach the server: both are meant
	return nil
}

// cmdCounted holds what the server was told against what was done to hosts: one corrective repair
// for each change of /etc/torment, and no report that the agent still keeps.
func cmdCounted(_ *testscript.TestScript, s *scene, names []string) error {
	for _, name := range names {
		out, err := s.output("host", name, "--json")
		if err != nil {
			return err
		}
		var told struct {
			Reports int
			Events  []struct{ Kind, Cause, Address string }
		}
		if err := json.Unmarshal([]byte(out), &told); err != nil {
			return err
		}
		repairs := 0
		for _, e := range told.Events {
			if e.Kind == "repaired" && e.Cause == "corrective" && e.Address == "policy.p.file.torment" {
				repairs++
			}
		}
		if repairs != s.tampered[name] {
			return fmt.Errorf("%s was changed %d times, the server knows of %d repairs", name, s.tampered[name], repairs)
		}
	}
	return nil
}

package testenv_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

// cmdTorment kills. In each of N rounds and on every host, once or until a kill hit a run, it changes the file /etc/torment behind
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
			if err := s.killInRun(ts, name, chance); err != nil {
				return fmt.Errorf("round %d: %w", i, err)
			}
		}
	}
	return nil
}

// killInRun torments a host until a kill hit a run: one that comes too late shows nothing.
func (s *scene) killInRun(ts *testscript.TestScript, name string, chance *rand.Rand) error {
	const tries = 20
	longest := longestRun
	for range tries {
		life := 1 + chance.IntN(longest)
		if hit, err := s.tormentHost(ts, name, time.Duration(life)*time.Millisecond, chance); hit || err != nil {
			return err
		}
		longest = life
	}
	return fmt.Errorf("none of %d kills hit a run on %s", tries, name)
}

// longestRun is how long the agent takes at most for one run, in milliseconds, on a machine with much to do. On others
// a kill that came too late tells that runs are shorter.
const longestRun = 150

// tormentHost lets the agent begin and kills it, or the server under it, somewhere in its run. It tells whether that run
// was still under way.
func (s *scene) tormentHost(ts *testscript.TestScript, name string, life time.Duration, chance *rand.Rand) (hit bool, err error) {
	h, err := s.host(name)
	if err != nil {
		return false, err
	}
	if _, err := h.Exec(context.Background(), "sh", "-c", "echo tampered >>/etc/torment"); err != nil {
		return false, err
	}
	s.tampered[name]++
	if chance.IntN(3) > 0 {
		_, err := h.Exec(context.Background(), "timeout", "--signal=KILL", fmt.Sprintf("%.3f", life.Seconds()), "plumb-agent", "run", "--once")
		exit := (*exec.ExitError)(nil)
		hit := errors.As(err, &exit) && (exit.ExitCode() == killed || !exit.Exited())
		ts.Logf("torment: %s's agent dies after %s: %t", name, life, hit)
		return hit, runInPeace(ts, h)
	}
	var over atomic.Bool
	restarted := make(chan error)
	go func() {
		time.Sleep(life)
		hit = !over.Load() && s.server != nil
		s.stopServer(syscall.SIGKILL)
		restarted <- s.startServer()
	}()
	_, _ = h.Exec(context.Background(), "plumb-agent", "run", "--once") // it may fail to reach the server
	over.Store(true)
	err = <-restarted
	ts.Logf("torment: the server dies after %s of %s's run: %t", life, name, hit)
	return hit, errors.Join(err, runInPeace(ts, h))
}

// killed is the exit code of timeout when it had to kill.
const killed = 128 + 9

// runInPeace runs the agent once, which must go well. The one that was killed may hold its
// lock for a moment longer.
func runInPeace(ts *testscript.TestScript, h *testenv.Host) error {
	return await(sceneOf(ts).patience, func() error {
		cmd, err := h.Command(context.Background(), "plumb-agent", "run", "--once")
		if err != nil {
			return err
		}
		out, err := cmd.CombinedOutput()
		ts.Logf("torment: %s %s", time.Now().UTC().Format(time.StampMilli), bytes.TrimSpace(out))
		if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != busy) {
			return stop{fmt.Errorf("the agent on %s: %w", h.Name, err)}
		}
		return err
	})
}

// busy is the agent's exit code when another one is at work.
const busy = 75

// cmdCounted holds what the server was told against what was done to hosts: one corrective repair
// for each change of /etc/torment, and no report that the agent still keeps.
func cmdCounted(ts *testscript.TestScript, s *scene, names []string) error {
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
			history, _ := s.output("host", name, "--history")
			ts.Logf("%s", history)
			return fmt.Errorf("%s was changed %d times, the server knows of %d repairs", name, s.tampered[name], repairs)
		}
	}
	return nil
}

package testenv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

// voyage is a campaign of kills of the server while patch cycles are under way.
type voyage struct {
	ts      *testscript.TestScript
	s       *scene
	hosts   []string
	chance  *rand.Rand     // nil where kills follow the phases
	version int            // widget 1.VERSION is the newest
	kills   map[string]int // by what had happened last when the server was killed
}

// cmdTormentServer takes patch cycles of the rollout "patches" through the rings of HOST..., the
// first host being in the first ring and so on, and kills the server with -9: at random moments,
// or right after each thing that its history tells. Then it holds that no ring's soak was cut
// short. At least N kills are made, N2 in a long run.
func cmdTormentServer(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) < 4 || args[0] != "random" && args[0] != "phases" {
		return errors.New("usage: torment-server random|phases N N2 HOST...")
	}
	n, err := strconv.Atoi(args[1+soakIndex()])
	if err != nil {
		return err
	}
	v := &voyage{ts: ts, s: s, hosts: args[3:], version: s.voyages, kills: map[string]int{}}
	if args[0] == "random" {
		seed := uint64(time.Now().UnixNano())
		ts.Logf("torment-server: seed %d", seed)
		v.chance = rand.New(rand.NewPCG(seed, 0))
	}
	for v.killed() < n {
		err := v.cycle(n)
		s.voyages = v.version
		if err != nil {
			return fmt.Errorf("version 1.%d: %w", v.version, err)
		}
		ts.Logf("torment-server: %s widget 1.%d is in, the server was killed after %v", time.Now().UTC().Format(time.TimeOnly), v.version, v.kills)
	}
	return nil
}

func (v *voyage) killed() int {
	sum := 0
	for _, n := range v.kills {
		sum += n
	}
	return sum
}

// told is what `plumb rollout show --json` says of a cycle.
type told struct {
	Cycle int
	Phase string
	Rings []struct {
		Name, Phase string
		Soak        float64
	}
	History []struct {
		At         time.Time
		Ring, What string
	}
}

func (t told) last() string {
	if len(t.History) == 0 {
		return "nothing"
	}
	return t.History[len(t.History)-1].What
}

// newest asks for the newest cycle; there is none before the first.
func (v *voyage) newest() (told, error) {
	var t told
	out, err := v.s.output("rollout", "show", "patches", "--json")
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(out), &t)
}

// cycle brings out a version and sees it through all rings, with kills on the way.
func (v *voyage) cycle(kills int) error {
	before, _ := v.newest()
	kills = min(kills, v.killed()+killsInCycle)
	if err := v.publish(); err != nil {
		return err
	}
	seen := 0 // entries of the history
	for deadline := time.Now().Add(4 * v.s.patience); ; time.Sleep(20 * time.Millisecond) {
		t, err := v.newest()
		switch {
		case time.Now().After(deadline):
			return fmt.Errorf("the cycle does not end; it is at %+v, %w", t, err)
		case err != nil || t.Cycle <= before.Cycle:
			continue
		case t.Phase == "halted":
			return errors.New("the cycle halted")
		}
		fresh := len(t.History) > seen
		seen = len(t.History)
		if v.chance == nil && fresh || v.chance != nil && t.Phase != "done" && v.killed() < kills {
			if err := v.strike(t); err != nil {
				return err
			}
			continue
		}
		if t.Phase == "done" {
			return v.held(t)
		}
	}
}

// publish brings out a version that leaves on each host when it was set up there.
func (v *voyage) publish() error {
	r, err := v.s.serveApt()
	if err != nil {
		return err
	}
	v.version++
	version := fmt.Sprintf("1.%d", v.version)
	p := testenv.AptPackage{Name: "widget", Version: version, Postinst: "date +%s.%N >/var/log/widget-" + version}
	if err := r.Publish(context.Background(), "stable", p); err != nil {
		return err
	}
	return v.s.aptUpdate(v.hosts)
}

// A server that dies again before it wrote down how long a ring has soaked counts from the start.
// So lives are longer than a soak now and then, in milliseconds, and kills in a cycle have an end.
const (
	longestLife  = 5000
	killsInCycle = 8
)

// strike kills the server, at a random moment where moments are random, and starts it again.
func (v *voyage) strike(t told) error {
	if v.chance != nil {
		time.Sleep(time.Duration(200+v.chance.IntN(longestLife)) * time.Millisecond)
		if now, err := v.newest(); err == nil {
			t = now
		}
	}
	v.kills[t.last()]++
	v.s.stopServer(syscall.SIGKILL)
	return v.s.startServer()
}

// held holds that each ring soaked for as long as its gate says, by the history and by the clocks
// of the hosts.
func (v *voyage) held(t told) error {
	if len(t.Rings) != len(v.hosts) {
		return fmt.Errorf("there are %d rings and %d hosts", len(t.Rings), len(v.hosts))
	}
	var setUp time.Time // on the host before
	for i, ring := range t.Rings {
		soak := time.Duration(ring.Soak * float64(time.Second))
		var soaking, passed time.Time
		for _, e := range t.History {
			if e.Ring == ring.Name && e.What == "soaking" {
				soaking = e.At
			} else if e.Ring == ring.Name && e.What == "passed" {
				passed = e.At
			}
		}
		if soak == 0 || soaking.IsZero() || passed.Sub(soaking) < soak {
			return fmt.Errorf("the ring %s began to soak at %s and passed at %s; its soak is %s", ring.Name, soaking, passed, soak)
		}
		at, err := v.setUp(v.hosts[i])
		if err != nil {
			return err
		}
		v.ts.Logf("torment-server: ring %s: set up %s, soaking %s, passed %s", ring.Name, at.Format(clock), soaking.Format(clock), passed.Format(clock))
		if at.After(soaking) || at.Sub(setUp) < soak {
			return fmt.Errorf("%s set the package up at %s, and the host before at %s; the soak is %s", v.hosts[i], at, setUp, soak)
		}
		setUp = at
	}
	return nil
}

const clock = "15:04:05.000"

// setUp is when the newest version was set up on a host, by its own clock.
func (v *voyage) setUp(name string) (time.Time, error) {
	h, err := v.s.host(name)
	if err != nil {
		return time.Time{}, err
	}
	out, err := h.Exec(context.Background(), "cat", fmt.Sprintf("/var/log/widget-1.%d", v.version))
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	return time.UnixMicro(int64(seconds * 1e6)).UTC(), err
}

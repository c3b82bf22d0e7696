package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

// commands are the words of scenarios besides those of testscript:
//
//	server start|stop|kill9        the server, on the server side
//	hosts N [dnf|zypper]           boot N more hosts
//	author NAME                    make a key for a person and let them push
//	labels KEY=VALUE...            of the hosts that enrol from now on
//	enrol [ARG...] HOST...         give hosts an identity, over $TRANSPORT
//	daemon HOST...                 enrol, and let the agent run as a service that calls often
//	signers NAME...                who signs releases, from the next push on
//	policy init|fetch|push MESSAGE the policy repository in $WORK/policy
//	policy release                 sign its head as a release, and push that
//	plumb ARG...                   the command line
//	agent HOST ARG...              the agent's command line on a host
//	agents ARG...                  the same on all hosts at once
//	host HOST COMMAND...           any command on a host
//	tamper HOST FILE               add a line to a file behind the agent's back
//	vm boot|daemon                 the virtual machine; vm run COMMAND... runs there
//	cut|heal|freeze|thaw HOST      faults
//	line HOST [loss=PERCENT] [rate=RATE] [breaks=BYTES] [stalls=BYTES]
//	got HOST KIB                   no more than this reached the host since its line was set
//	connections HOST N             waits until the server has so many connections with the host
//	reboot|crash|boot HOST         power
//	apt publish SUITE NAME=VERSION...      the package repository
//	apt build SUITE NAME=VERSION [postinst=FILE] [depends=TEXT] [PATH=FILE]...
//	apt add SUITE FILE...          packages that somebody else made
//	apt origin NAME                whose packages the suites hold from now on
//	apt use SUITE HOST...
//	apt update HOST...
//	apt install HOST NAME...
//	rpm publish REPOSITORY NAME=VERSION [post=FILE]...
//	rpm use REPOSITORY HOST...     the same for hosts of dnf and zypper
//	rpm update HOST...
//	rpm install HOST NAME...
//	exits CODE COMMAND...          any of plumb, agent, host, vm: must end with this code
//	within SECONDS CODE COMMAND... the same, in so many seconds
//	eventually REGEXP COMMAND...   any of them: must say this before patience ends
//	counted HOST...                the server has each report of the agent, once
//	torment N HOST...              kill -9 server and agents N times; see torment_test.go
//	torment-patch N N2 HOST        kill -9 the agent in patching; see torment_patch_test.go
//	torment-server random|phases N N2 HOST...
//	                               kill -9 the server in patch cycles; see torment_server_test.go
//	campaign files|burst|units WHERE N N2 HOST
//	                               tamper with much and measure; see commands_drift_test.go
//	hook start                     a receiver of alerts, http://10.77.0.1:8099/
//	hook told N REGEXP             waits until it was told so much, and no more
//	login HOST USER COMMAND        as a person who came in through SSH
//	thief offers|forges N HOST     the server is stolen; see thief_test.go
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"server":         plain(cmdServer),
		"hosts":          plain(cmdHosts),
		"author":         plain(cmdAuthor),
		"labels":         plain(cmdLabels),
		"enrol":          cmdEnrol,
		"daemon":         plain(cmdDaemon),
		"policy":         cmdPolicy,
		"plumb":          program("plumb"),
		"agent":          program("agent"),
		"host":           program("host"),
		"vm":             cmdVM,
		"agents":         cmdAgents,
		"tamper":         plain(cmdTamper),
		"apt":            plain(cmdApt),
		"rpm":            plain(cmdRPM),
		"cut":            onHost(func(h *testenv.Host) error { return h.Cut(context.Background()) }),
		"heal":           onHost(func(h *testenv.Host) error { return h.Heal(context.Background()) }),
		"freeze":         onHost((*testenv.Host).Freeze),
		"thaw":           onHost((*testenv.Host).Thaw),
		"reboot":         onHost(func(h *testenv.Host) error { return h.Reboot(context.Background()) }),
		"crash":          onHost(func(h *testenv.Host) error { return h.Crash(context.Background()) }),
		"boot":           onHost(func(h *testenv.Host) error { return h.Boot(context.Background()) }),
		"exits":          plain(cmdExits),
		"line":           plain(cmdLine),
		"within":         plain(cmdWithin),
		"got":            plain(cmdGot),
		"connections":    plain(cmdConnections),
		"signers":        plain(cmdSigners),
		"counted":        plain(cmdCounted),
		"eventually":     plain(cmdEventually),
		"torment":        plain(cmdTorment),
		"torment-patch":  plain(cmdTormentPatch),
		"torment-server": plain(cmdTormentServer),
		"thief":          plain(cmdThief),
		"campaign":       cmdCampaign,
		"login":          plain(cmdLogin),
		"hook":           plain(cmdHook),
	}
}

// plain is a command that must work.
func plain(run func(*testscript.TestScript, *scene, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		ts.Check(run(ts, sceneOf(ts), args))
	}
}

// onHost is a command that does something to hosts.
func onHost(do func(*testenv.Host) error) func(*testscript.TestScript, bool, []string) {
	return plain(func(_ *testscript.TestScript, s *scene, names []string) error {
		for _, name := range names {
			h, err := s.host(name)
			if err != nil {
				return err
			}
			if err := do(h); err != nil {
				return err
			}
		}
		return nil
	})
}

// judge lets a command's error pass when the script wants it, and only then.
func judge(ts *testscript.TestScript, neg bool, err error) {
	switch {
	case err == nil && neg:
		ts.Fatalf("this worked, and must not")
	case err != nil && !neg:
		ts.Fatalf("%v", err)
	}
}

// prepare makes the command that a line of a script names.
func prepare(ts *testscript.TestScript, what string, args []string) (*exec.Cmd, error) {
	s := sceneOf(ts)
	if what == "plumb" {
		return s.plumb(ts.MkAbs("."), args...), nil
	}
	if len(args) < 2 && what == "host" || len(args) < 1 {
		return nil, fmt.Errorf("usage: %s HOST ARG...", what)
	}
	if what == "vm" {
		return s.inVM(args)
	}
	h, err := s.host(args[0])
	if err != nil {
		return nil, err
	}
	switch what {
	case "agent":
		return h.Command(context.Background(), "plumb-agent", args[1:]...)
	case "host":
		return h.Command(context.Background(), args[1], args[2:]...)
	}
	return nil, fmt.Errorf("%q is none of plumb, agent and host", what)
}

// program runs a command; stdout and stderr of the script are then its own.
func program(what string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		cmd, err := prepare(ts, what, args)
		ts.Check(err)
		cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
		judge(ts, neg, cmd.Run())
	}
}

func cmdExits(ts *testscript.TestScript, _ *scene, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: exits CODE COMMAND...")
	}
	cmd, err := prepare(ts, args[1], args[2:])
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	if err := cmd.Run(); cmd.ProcessState == nil {
		return err
	}
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] {
		return fmt.Errorf("exit code %s, want %s", got, args[0])
	}
	return nil
}

func cmdEventually(ts *testscript.TestScript, _ *scene, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: eventually REGEXP COMMAND...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return err
	}
	var out []byte
	err = await(sceneOf(ts).patience, func() error {
		cmd, err := prepare(ts, args[1], args[2:])
		if err != nil {
			return err
		}
		if out, _ = cmd.CombinedOutput(); !want.Match(out) {
			return fmt.Errorf("it never said %q", args[0])
		}
		return nil
	})
	ts.Stdout().Write(out)
	return err
}

func cmdServer(_ *testscript.TestScript, s *scene, args []string) error {
	switch strings.Join(args[:min(1, len(args))], "") {
	case "start":
		return s.startServer(args[1:]...)
	case "stop":
		s.stopServer(syscall.SIGTERM)
	case "kill9":
		s.stopServer(syscall.SIGKILL)
	default:
		return errors.New("usage: server start|stop|kill9")
	}
	return nil
}

func cmdHosts(_ *testscript.TestScript, s *scene, args []string) error {
	flavour := testenv.Debian
	if len(args) == 2 {
		flavour, args = testenv.Flavour(args[1]), args[:1]
	}
	n, err := strconv.Atoi(strings.Join(args, " "))
	if err != nil {
		return errors.New("usage: hosts N [dnf|zypper]")
	}
	return s.addHosts(n, flavour)
}

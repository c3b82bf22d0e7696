// Plumb-agent keeps one host true to its policies: with a server, whose releases it verifies,
// or by itself with `plumb-agent apply DIR`.
//
// Exit codes: 0 fine, 1 could not, 2 differs from what is wanted, 75 another agent is at work.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
	_ "time/tzdata" // windows name zones, and the host may have none

	"plumb/agent"
	"plumb/agent/facts"
	"plumb/agent/state"
	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies/compiler"
	"plumb/policies/screen"
)

// Set by the linker: -X main.version=1.2.3 -X main.built=2026-11-21T10:00:00Z.
var (
	version = "dev"
	built   = ""
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == compiler.Argument {
		os.Exit(compiler.Child(os.Stdin, os.Stdout))
	}
	a := &app{stdout: screen.Writer(os.Stdout), stderr: screen.Writer(os.Stderr)}
	os.Exit(a.exit(a.main(os.Args[1:])))
}

// app is one call of the program.
type app struct {
	stdout, stderr io.Writer
	state, root    string
	database       *system.DpkgMemory // see [agent.Agent]
}

const usage = `usage: plumb-agent COMMAND [FLAGS]

  enroll TOKEN [--name N] [--server ADDRESS] [--install]   join a server
  run [--once] [--audit] [--no-watch] [--interval D]       keep this host as its policies want it; with --once a reboot
                                                           that is needed is only said, not done
  apply DIR [--audit] [--json] [--patch-set FILE]          apply a folder of policies, without a server; FILE holds the
                                                           patch set that a rollout of them shall install
  facts                                                    what policies can know of this host
  status [--json]                                          how this host stands
  why ADDRESS                                              what is wanted of one resource, and what came of it
  pause --for D --reason R                                 change nothing for a while
  resume                                                   end a pause
  version

  --state DIR (default ` + state.DefaultDir + `) and --root DIR (default /) go with every command.
`

func (a *app) main(args []string) error {
	if len(args) == 0 {
		return &failure{err: errors.New("no command"), hint: "plumb-agent help lists the commands"}
	}
	commands := map[string]func([]string) error{"enroll": a.enroll, "run": a.run, "apply": a.apply, "facts": a.facts,
		"status": a.status, "why": a.why, "pause": a.pause, "resume": a.resume, "version": a.version, "help": a.help, "--help": a.help, "-h": a.help}
	command, ok := commands[args[0]]
	if !ok {
		return &failure{err: fmt.Errorf("there is no command %q", args[0]), hint: "plumb-agent help lists the commands"}
	}
	return command(args[1:])
}

func (a *app) help([]string) error {
	fmt.Fprint(a.stdout, usage)
	return nil
}

func (a *app) version([]string) error {
	fmt.Fprintln(a.stdout, "plumb-agent", version, built)
	return nil
}

// failure is an error with a way out, or another exit code than 1.
type failure struct {
	err  error
	hint string
	code int
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// errDiffers makes the exit code 2; all that there is to say was said.
var errDiffers = errors.New("the host differs from what is wanted")

// exit says what went wrong and returns the exit code.
func (a *app) exit(err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if errors.Is(err, errDiffers) {
		return 2
	}
	f := explain(err)
	fmt.Fprintf(a.stderr, "plumb-agent: error: %v\n", f.err)
	if f.hint != "" {
		fmt.Fprintf(a.stderr, "plumb-agent: hint: %s\n", f.hint)
	}
	return f.code
}

// explain finds the way out of an error that we know.
func explain(err error) failure {
	f := failure{err: err, code: 1}
	var known *failure
	switch {
	case errors.As(err, &known):
		f = *known
		f.code = max(1, known.code)
	case errors.Is(err, state.ErrBusy):
		f.code, f.hint = 75, "stop it (systemctl stop plumb-agent), or wait for its end"
	case errors.Is(err, state.ErrNotEnrolled):
		f.hint = "plumb token create on the server prints a token for plumb-agent enroll; plumb-agent apply DIR needs no server"
	case errors.Is(err, agent.ErrEnrolled):
		f.hint = "to move it to another server, stop the agent, remove its state folder and enrol again"
	case errors.Is(err, os.ErrPermission):
		f.hint = "run it as root, or name folders of your own with --state and --root"
	}
	return f
}

// flags returns a flag set with the flags of every command.
func (a *app) flags(name string) *flag.FlagSet {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&a.state, "state", state.DefaultDir, "the agent's state folder")
	set.StringVar(&a.root, "root", "/", "the root folder of the host")
	return set
}

// parse reads flags before and after the arguments, of which there must be as many as names.
func (a *app) parse(set *flag.FlagSet, args []string, names ...string) ([]string, error) {
	var found []string
	for {
		if err := set.Parse(args); err != nil {
			return nil, a.wrong(set, err)
		}
		if set.NArg() == 0 {
			break
		}
		found, args = append(found, set.Arg(0)), set.Args()[1:]
	}
	if len(found) == len(names) {
		return found, nil
	}
	if len(names) == 0 {
		return nil, a.wrong(set, fmt.Errorf("it takes no argument, not %q", found[0]))
	}
	return nil, a.wrong(set, fmt.Errorf("it takes %d argument: %v", len(names), names))
}

func (a *app) wrong(set *flag.FlagSet, err error) error {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(a.stdout, usage)
		return err
	}
	return &failure{err: fmt.Errorf("%s: %w", set.Name(), err), hint: "plumb-agent help shows how it is called"}
}

// open returns the agent on its state folder, locked when the command changes anything.
func (a *app) open(lock bool) (*agent.Agent, error) {
	dir, err := state.Open(a.state)
	if err != nil {
		return nil, err
	}
	if lock {
		if err := dir.Lock(); err != nil {
			return nil, err
		}
	}
	when, _ := time.Parse(time.RFC3339, built) // unknown is the zero time, which bounds nothing
	log := slog.New(slog.NewTextHandler(a.stderr, nil))
	return &agent.Agent{Dir: dir, Root: a.root, Version: version, Built: when, Instance: agent.Instance(a.root), Reserve: lock, Now: time.Now,
		Log: log, Compile: agent.InChild(compiler.Compiler{}), Begin: agent.BeginInChild(compiler.Compiler{}),
		Database: a.database, Facts: a.collector(log)}, nil
}

// collector finds out about the host each time, and says once what it could not find out.
func (a *app) collector(log *slog.Logger) func(context.Context) (inventory.Facts, error) {
	told := map[string]bool{}
	return func(ctx context.Context) (inventory.Facts, error) {
		found, warnings, err := facts.Collect(ctx, &system.System{Root: a.root, State: a.state, Database: a.database})
		for _, text := range warnings {
			if !told[text] {
				told[text] = true
				log.Warn("a fact is missing", "reason", text)
			}
		}
		return found, err
	}
}

// Plumb is the command line for people, and the server itself.
//
// One command is one file: its help, its flags, what it does and how it prints. Main alone
// decides the words of errors and the exit code: 0 fine, 1 could not, 2 differs from what is
// wanted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // windows name zones, and the machine may have none

	"plumb/policies/compiler"
	"plumb/policies/screen"
	"plumb/server/api"
	"plumb/server/repo"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main without the process, so that tests can be the process.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) > 0 && args[0] == compiler.Argument {
		return compiler.Child(in, out)
	}
	if len(args) > 1 && args[0] == "_hook" {
		return repo.HookMain(args[1], in, screen.Writer(out), screen.Writer(errs)) // an author reads it on a terminal
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	t := newTerminal(in, out, errs)
	root := newRoot(t)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	return t.finish(root.ExecuteContext(ctx))
}

// errDiffers is the error of a command that did its work and found that not all is as wanted.
var errDiffers = errors.New("differs from what is wanted")

// hinted is an error with the next step.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// finish turns an error into words on stderr and an exit code.
func (t *terminal) finish(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, errDiffers) {
		return 2
	}
	fmt.Fprintf(t.errs, "plumb: error: %s\n", screen.Margin(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(t.errs, "plumb: hint: %s\n", screen.Margin(hint))
	}
	return 1
}

func hintOf(err error) string {
	var own hinted
	var refusal *api.Refusal
	var away *api.Unreachable
	switch {
	case errors.As(err, &own):
		return own.hint
	case errors.As(err, &refusal):
		return refusal.Hint
	case errors.As(err, &away):
		return away.Hint()
	}
	return ""
}

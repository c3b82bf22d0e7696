package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

// Command is the kind of a program that is run when something is not as wanted.
type Command struct {
	Command     []string          `json:"command" plumb:"required" doc:"Program and arguments. No shell takes part; for one, write [\"sh\", \"-c\", \"…\"]."`
	Creates     string            `json:"creates,omitempty" doc:"Path that the command makes. It is not run when that is there."`
	OnlyIf      [][]string        `json:"onlyif,omitempty" doc:"Commands that must all succeed, else it is not run. They must only look: they also run in audit mode and for a plan."`
	Unless      [][]string        `json:"unless,omitempty" doc:"Commands of which none may succeed, else it is not run. They must only look, too."`
	Probe       []string          `json:"probe,omitempty" doc:"One command that only looks and succeeds when nothing is left to do."`
	RefreshOnly bool              `json:"refresh_only,omitempty" doc:"True runs it only when another resource notifies it; creates, onlyif, unless and probe still hold."`
	Cwd         string            `json:"cwd,omitempty" doc:"Folder in which it runs, / by default."`
	User        string            `json:"user,omitempty" doc:"Who runs it and its guards, root by default."`
	Environment map[string]string `json:"environment,omitempty" doc:"Variables to add. The agent's own environment never reaches a command."`
	Umask       string            `json:"umask,omitempty" doc:"What new files of the command lack, in octal; \"022\" by default."`
	Returns     []int             `json:"returns,omitempty" doc:"Exit codes that mean success, [0] by default."`
	Tries       int               `json:"tries,omitempty" doc:"How often it is tried, 1 by default."`
	TryDelay    int               `json:"try_delay,omitempty" doc:"Seconds between two tries."`
}

func commandKind() Kind {
	return Kind{
		Name: "command", Rank: 60,
		Doc: "A program that is run when its guards say that something is to be done. At least one of creates, onlyif, unless, probe and refresh_only is needed: " +
			"without them nobody could tell whether it still has to run, and a report would have to guess. All guards that are given must allow it.",
		New: func() Resource { return &Command{Returns: []int{0}, Tries: 1} },
	}
}

// Identity is the whole declaration: two commands are the same when nothing differs.
func (c *Command) Identity() string { return wholeIdentity(c) }

func wholeIdentity(r any) string {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Sprintf("%v", r)
	}
	return string(raw)
}

// Provides names the path that it creates.
func (c *Command) Provides() []string {
	if c.Creates == "" {
		return nil
	}
	return []string{"path:" + c.Creates}
}

// Needs names its user, its folder and its program.
func (c *Command) Needs() []string {
	list := ownership{owner: c.User}.needs()
	if c.Cwd != "" && c.Cwd != "/" {
		list = append(list, "path:"+c.Cwd)
	}
	if len(c.Command) > 0 && strings.HasPrefix(c.Command[0], "/") {
		list = append(list, "path:"+c.Command[0])
	}
	return list
}

// Validate wants a guard.
func (c *Command) Validate() []Mistake {
	list := argvMistakes("command", c.Command)
	if c.Creates == "" && len(c.OnlyIf) == 0 && len(c.Unless) == 0 && len(c.Probe) == 0 && !c.RefreshOnly {
		list = append(list, Mistake{"", "Nothing tells whether the command still has to run, so it would run for ever and an audit could not judge it. " +
			"Add creates, unless, onlyif or probe, or set refresh_only and notify it."})
	}
	if c.Creates != "" {
		list = append(list, pathMistakes("creates", c.Creates)...)
	}
	if c.Cwd != "" {
		list = append(list, pathMistakes("cwd", c.Cwd)...)
	}
	for attribute, guards := range map[string][][]string{"onlyif": c.OnlyIf, "unless": c.Unless} {
		for _, guard := range guards {
			list = append(list, argvMistakes(attribute, guard)...)
		}
	}
	if c.Probe != nil {
		list = append(list, argvMistakes("probe", c.Probe)...)
	}
	if _, err := c.umask(); err != nil {
		list = append(list, Mistake{"umask", fmt.Sprintf("%q is no umask. Write three octal digits in quotes, such as \"027\".", c.Umask)})
	}
	if c.Tries < 1 || c.TryDelay < 0 || len(c.Returns) == 0 {
		list = append(list, Mistake{"tries", "tries is 1 at least, try_delay not below 0, and returns names one exit code at least."})
	}
	return append(list, environmentMistakes(c.Environment)...)
}

func argvMistakes(attribute string, argv []string) []Mistake {
	if len(argv) == 0 || argv[0] == "" {
		return []Mistake{{attribute, "It names no program. Write a list such as [\"/usr/bin/true\"]."}}
	}
	if strings.Contains(argv[0], " ") && len(argv) == 1 {
		return []Mistake{{attribute, fmt.Sprintf("%q is one word with spaces. Write the program and each argument as an item of the list.", argv[0])}}
	}
	if strings.Contains(argv[0], "/") && argv[0][0] != '/' {
		return []Mistake{{attribute, fmt.Sprintf("%q is a relative path. Write it from the root, or the bare name.", argv[0])}}
	}
	if strings.Contains(strings.Join(argv, ""), "\x00") {
		return []Mistake{{attribute, "An argument cannot hold a zero byte. Remove it."}}
	}
	return nil
}

func environmentMistakes(env map[string]string) []Mistake {
	for name, value := range env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return []Mistake{{"environment", fmt.Sprintf("%q is no name of a variable.", name)}}
		}
	}
	return nil
}

func (c *Command) umask() (int, error) {
	if c.Umask == "" {
		return 0o022, nil
	}
	mask, err := strconv.ParseUint(c.Umask, 8, 32)
	if err == nil && mask > 0o777 {
		err = strconv.ErrRange
	}
	return int(mask), err
}

// Check asks the guards whether the command has to run.
func (c *Command) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	if c.RefreshOnly {
		return nil, nil
	}
	reason, err := c.due(ctx, sys)
	if err != nil || reason == "" {
		return nil, err
	}
	return []policies.Change{{Attribute: "command", Before: reason, After: "run " + strings.Join(c.Command, " ")}}, nil
}

// due returns why the command has to run; empty when one guard says that it has not.
func (c *Command) due(ctx context.Context, sys *system.System) (string, error) {
	reason := "notified"
	if c.Creates != "" {
		there, err := sys.Files().Exists(c.Creates)
		if there || err != nil {
			return "", err
		}
		reason = c.Creates + " is missing"
	}
	for _, guard := range c.OnlyIf {
		ok, err := c.ask(ctx, sys, guard)
		if err != nil || !ok {
			return "", err
		}
		reason = guard[0] + " allows it"
	}
	for _, guard := range c.Unless {
		ok, err := c.ask(ctx, sys, guard)
		if err != nil || ok {
			return "", err
		}
		reason = guard[0] + " failed"
	}
	if len(c.Probe) == 0 {
		return reason, nil
	}
	ok, err := c.ask(ctx, sys, c.Probe)
	if err != nil || ok {
		return "", err
	}
	return "the probe " + c.Probe[0] + " failed", nil
}

func (c *Command) ask(ctx context.Context, sys *system.System, argv []string) (bool, error) {
	out, err := c.run(ctx, sys, argv)
	return out.Code == 0, whetherAsked(err)
}

func (c *Command) run(ctx context.Context, sys *system.System, argv []string) (system.Output, error) {
	mask, err := c.umask()
	if err != nil {
		return system.Output{}, err
	}
	return sys.Run(ctx, system.Command{Argv: argv, Dir: c.Cwd, User: c.User, Env: c.Environment, Umask: &mask})
}

// Apply runs the command, as often as it may be tried.
func (c *Command) Apply(ctx context.Context, sys *system.System, _ []policies.Change) error {
	for try := 1; ; try++ {
		out, err := c.run(ctx, sys, c.Command)
		if errors.Is(err, system.ErrNotRunning) || errors.Is(err, system.ErrNoTool) {
			return whetherAsked(err)
		}
		if err == nil && !slices.Contains(c.Returns, out.Code) {
			err = fmt.Errorf("%s failed (exit %d): %s", c.Command[0], out.Code, out.LastWords())
		}
		if err == nil || try >= c.Tries || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, time.Duration(c.TryDelay)*time.Second); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Refresh runs the command after a notification, when its guards allow it.
func (c *Command) Refresh(ctx context.Context, sys *system.System) error {
	reason, err := c.due(ctx, sys)
	if err != nil || reason == "" {
		return err
	}
	return c.Apply(ctx, sys, nil)
}

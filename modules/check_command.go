package modules

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// CommandCheck is the check of what a program says.
type CommandCheck struct {
	Command      []string          `json:"command" plumb:"required" doc:"Program and arguments, which must only look. No shell takes part; for one, write [\"sh\", \"-c\", \"…\"]."`
	MustMatch    string            `json:"must_match,omitempty" doc:"Regular expression (RE2) that must match the output. ^ and $ stand for the ends of a line."`
	MustNotMatch string            `json:"must_not_match,omitempty" doc:"Regular expression that must not match the output."`
	Stderr       bool              `json:"stderr,omitempty" doc:"True judges stderr together with stdout. Without it only stdout is judged."`
	ExitCodes    []int             `json:"exit_codes,omitempty" doc:"Exit codes that are fine, [0] by default."`
	User         string            `json:"user,omitempty" doc:"Who runs it, root by default."`
	Environment  map[string]string `json:"environment,omitempty" doc:"Variables to add. The agent's own environment never reaches a command."`
	MaxOutput    int               `json:"max_output,omitempty" doc:"How many bytes of output are judged, 1048576 by default. A command that says more cannot be judged."`
}

func commandCheckKind() Kind {
	return Kind{
		Name: "command", Check: true, Rank: 100,
		Doc: "What a program says, and its exit code. The program must only look: it also runs in audit mode. When it is missing, the check is unknown and never passed.",
		New: func() Resource { return &CommandCheck{ExitCodes: []int{0}, MaxOutput: 1 << 20} },
	}
}

// Identity is the whole declaration.
func (c *CommandCheck) Identity() string { return wholeIdentity(c) }

// Validate compiles the expressions.
func (c *CommandCheck) Validate() []Mistake {
	list := argvMistakes("command", c.Command)
	list = append(list, patternMistakes("must_match", c.MustMatch)...)
	list = append(list, patternMistakes("must_not_match", c.MustNotMatch)...)
	if len(c.ExitCodes) == 0 {
		list = append(list, Mistake{"exit_codes", "Write one exit code at least."})
	}
	if c.MaxOutput < 1 || c.MaxOutput > 64<<20 {
		list = append(list, Mistake{"max_output", "Write a number of bytes between 1 and 67108864."})
	}
	return append(list, environmentMistakes(c.Environment)...)
}

func patternMistakes(attribute, pattern string) []Mistake {
	if _, err := compilePattern(pattern); err != nil {
		return []Mistake{{attribute, fmt.Sprintf("The regular expression cannot be read: %s. Look-arounds and back-references do not exist in RE2.", err)}}
	}
	return nil
}

// compilePattern makes ^ and $ match at each line. An empty pattern is nil: nothing to judge.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	return regexp.Compile("(?m)" + pattern)
}

// Check runs the command and judges it.
func (c *CommandCheck) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	out, err := sys.Run(ctx, system.Command{Argv: c.Command, User: c.User, Env: c.Environment, MaxOutput: c.MaxOutput})
	if err != nil {
		return nil, whetherAsked(err)
	}
	if out.Cut {
		return nil, fmt.Errorf("%w: %s said more than %d bytes; raise max_output", ErrUnknown, c.Command[0], c.MaxOutput)
	}
	if !slices.Contains(c.ExitCodes, out.Code) {
		return []policies.Change{{
			Attribute: "exit_code", Before: strings.TrimSpace(fmt.Sprintf("%d %s", out.Code, shorten(out.LastWords()))),
			After: strings.Trim(strings.ReplaceAll(fmt.Sprint(c.ExitCodes), " ", " or "), "[]"),
		}}, nil
	}
	said := out.Stdout
	if c.Stderr {
		said = append(said, out.Stderr...)
	}
	return judge("output", said, c.MustMatch, c.MustNotMatch)
}

// judge holds a text against the two expressions.
func judge(attribute string, text []byte, must, mustNot string) ([]policies.Change, error) {
	wanted, err := compilePattern(must)
	if err != nil {
		return nil, err
	}
	unwanted, err := compilePattern(mustNot)
	if err != nil {
		return nil, err
	}
	var changes []policies.Change
	if wanted != nil && !wanted.Match(text) {
		changes = append(changes, policies.Change{Attribute: attribute, Before: firstLine(text), After: "matches " + must})
	}
	if unwanted == nil {
		return changes, nil
	}
	if at := unwanted.FindIndex(text); at != nil {
		changes = append(changes, policies.Change{Attribute: attribute, Before: lineAt(text, at[0]), After: "nothing matches " + mustNot})
	}
	return changes, nil
}

// lineAt returns the line of a match with its number.
func lineAt(text []byte, at int) string {
	start := strings.LastIndexByte(string(text[:at]), '\n') + 1
	line, _, _ := strings.Cut(string(text[start:]), "\n")
	return fmt.Sprintf("line %d: %s", strings.Count(string(text[:at]), "\n")+1, shorten(line))
}

func firstLine(text []byte) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if line == "" {
		return "nothing"
	}
	if rest != "" {
		return shorten(line) + " …"
	}
	return shorten(line)
}

// shorten makes a line fit for a report: 200 bytes of plain text at most.
func shorten(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, "?"))
	if len(line) <= 200 {
		return line
	}
	return strings.ToValidUTF8(line[:200], "") + "…"
}

package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

const maxDropIn = 64 << 10 // bytes

// Apply writes the drop-in when sshd takes it, and takes it away again when it has no effect:
// the first value that sshd reads counts, so an earlier line may stand in its way.
func (d *SSHDDirective) Apply(ctx context.Context, sys *system.System, _ []policies.Change) error {
	found, err := d.effective(ctx, sys)
	if err != nil {
		return err
	}
	value, err := d.setting(found)
	if err != nil {
		return err
	}
	old, err := sys.Files().Read(d.dropIn(), maxDropIn)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text := fmt.Sprintf("# Written by Plumb: edit the policy instead.\n%s %s\n", d.Keyword, value)
	if err := d.write(ctx, sys, []byte(text)); err != nil {
		return err
	}
	left, err := d.Check(ctx, sys)
	if err == nil && len(left) > 0 {
		err = d.explain(sys, left[0])
	}
	if err != nil {
		return errors.Join(err, d.restore(sys, old))
	}
	return nil
}

// setting is the value to write. Of a range it is the end that the value found is beyond.
func (d *SSHDDirective) setting(found string) (string, error) {
	switch {
	case d.Value != "":
		return d.Value, nil
	case len(d.OneOf) > 0:
		return d.OneOf[0], nil
	case len(d.Forbidden) > 0:
		rest := slices.DeleteFunc(listEntries(found), d.forbids)
		if len(rest) == 0 {
			return "", fmt.Errorf("without the forbidden entries nothing is left of %s: give a value", d.Keyword)
		}
		return strings.Join(rest, ","), nil
	}
	number, err := strconv.Atoi(found)
	if d.Max != nil && (d.Min == nil || err != nil || number > *d.Max) {
		return strconv.Itoa(*d.Max), nil
	}
	return strconv.Itoa(*d.Min), nil
}

// write puts the drop-in in place if sshd takes the configuration with it.
func (d *SSHDDirective) write(ctx context.Context, sys *system.System, text []byte) error {
	mode, root := uint32(0o600), 0
	return sys.Files().Write(d.dropIn(), text, system.WriteOptions{
		Mode: &mode, UID: &root, GID: &root,
		Validate: func(string) error { return tryDropIn(ctx, sys, text) },
	})
}

// tryDropIn tests what sshd will read: the drop-in, then everything else.
func tryDropIn(ctx context.Context, sys *system.System, text []byte) error {
	rest, err := sys.Files().Read(system.SSHDConfig, 1<<20)
	if err != nil {
		return err
	}
	trial, err := os.CreateTemp(sys.State, "sshd-trial-")
	if err != nil {
		return fmt.Errorf("cannot try the drop-in: %w", err)
	}
	defer os.Remove(trial.Name())
	_, err = trial.Write(slices.Concat(text, rest))
	if err := errors.Join(err, trial.Close()); err != nil {
		return fmt.Errorf("cannot try the drop-in: %w", err)
	}
	return sys.TestSSHD(ctx, trial.Name())
}

func (d *SSHDDirective) restore(sys *system.System, old []byte) error {
	if old == nil {
		return sys.Files().Remove(d.dropIn())
	}
	mode, root := uint32(0o600), 0
	return sys.Files().Write(d.dropIn(), old, system.WriteOptions{Mode: &mode, UID: &root, GID: &root})
}

// explain names the line that wins over the drop-in.
func (d *SSHDDirective) explain(sys *system.System, left policies.Change) error {
	lines, _, err := sys.SSHDSettings()
	if err != nil {
		return err
	}
	var winners []string
	included := false
	for _, l := range lines {
		included = included || l.File == d.dropIn()
		if l.Keyword != d.keyword() || l.File == d.dropIn() {
			continue
		}
		where := fmt.Sprintf("%s:%d (%s %s)", l.File, l.Line, d.Keyword, l.Value)
		if l.Match != "" {
			where += " in Match " + l.Match
		}
		winners = append(winners, where)
	}
	reason := "set in " + strings.Join(winners, ", ")
	if len(winners) == 0 {
		reason = "no line of its configuration sets it"
	}
	if !included {
		reason += fmt.Sprintf("; %s does not include %s/*.conf", system.SSHDConfig, system.SSHDDropIns)
	}
	return fmt.Errorf("%s is still %q and not %s: %s", d.Keyword, left.Before, left.After, reason)
}

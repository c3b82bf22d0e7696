package patching

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"plumb/modules/system"
	"plumb/policies"
)

// Host is what patching needs of a host beside its package manager.
type Host interface {
	// BootID is another one after each boot.
	BootID() (string, error)
	// Free tells how much room a path's file system has, in bytes, and which one it is.
	Free(path string) (volume string, free int64, err error)
	// Hook runs a command of the policy to its end.
	Hook(ctx context.Context, argv []string) error
	// FailedUnits lists units that have failed, or are started again and again. Nil where
	// systemd does not run.
	FailedUnits(ctx context.Context) ([]string, error)
	// Restart restarts a unit that runs.
	Restart(ctx context.Context, unit string) error
	// Booted waits for the jobs of a boot to end, but not for ever.
	Booted(ctx context.Context)
	// Probe asks once.
	Probe(ctx context.Context, p policies.Probe) error
	// Sleep waits.
	Sleep(ctx context.Context, d time.Duration)
}

// realHost is the host behind a System.
type realHost struct{ sys *system.System }

const (
	hookLimit  = 10 * time.Minute
	queryLimit = 30 * time.Second
	bootLimit  = 2 * time.Minute
)

func (h realHost) BootID() (string, error) {
	raw, err := h.sys.Files().Read("/proc/sys/kernel/random/boot_id", 1<<10)
	if err != nil {
		return "", fmt.Errorf("cannot tell which boot this is: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

func (h realHost) Free(path string) (string, int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", 0, fmt.Errorf("cannot tell how much room %s has: %w", path, err)
	}
	var at unix.Stat_t
	if err := unix.Stat(path, &at); err != nil {
		return "", 0, fmt.Errorf("cannot tell which file system %s is on: %w", path, err)
	}
	return fmt.Sprint(at.Dev), int64(st.Bavail) * st.Bsize, nil
}

func (h realHost) Hook(ctx context.Context, argv []string) error {
	out, err := h.sys.Run(context.WithoutCancel(ctx), system.Command{Argv: argv, Timeout: hookLimit})
	if err != nil {
		return err
	}
	if out.Code != 0 {
		return fmt.Errorf("%s ended with %d: %s", argv[0], out.Code, out.LastWords())
	}
	return nil
}

func (h realHost) FailedUnits(ctx context.Context) ([]string, error) {
	if !h.sys.SystemdRuns() {
		return nil, nil
	}
	out, err := h.sys.Run(ctx, system.Command{
		Argv:    []string{"systemctl", "list-units", "--all", "--state=failed", "--state=auto-restart", "--plain", "--no-legend", "--no-pager", "--full"},
		Timeout: queryLimit,
	})
	if err != nil {
		return nil, err
	}
	if out.Code != 0 {
		return nil, fmt.Errorf("systemctl list-units ended with %d: %s", out.Code, out.LastWords())
	}
	return parseUnits(out.Stdout), nil
}

// parseUnits reads the first word of each line of "systemctl list-units --plain --no-legend".
func parseUnits(raw []byte) []string {
	var list []string
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		words := strings.Fields(strings.ToValidUTF8(lines.Text(), "?"))
		if len(words) > 0 && strings.Contains(words[0], ".") {
			list = append(list, words[0])
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (h realHost) Restart(ctx context.Context, unit string) error {
	return h.sys.ChangeUnit(context.WithoutCancel(ctx), "try-restart", unit)
}

// Booted does not mind how the boot went: failed units are looked at anyway.
func (h realHost) Booted(ctx context.Context) {
	if h.sys.SystemdRuns() {
		_, _ = h.sys.Run(ctx, system.Command{Argv: []string{"systemctl", "is-system-running", "--wait"}, Timeout: bootLimit})
	}
}

func (h realHost) Sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (h realHost) Probe(ctx context.Context, p policies.Probe) error {
	switch {
	case len(p.Command) > 0:
		return h.probeCommand(ctx, p.Command)
	case p.HTTP != "":
		return probeHTTP(ctx, p.HTTP)
	case p.TCP != "":
		return probeTCP(ctx, p.TCP)
	case p.Unit != "":
		return h.probeUnit(ctx, p.Unit)
	}
	return errors.New("the probe asks nothing")
}

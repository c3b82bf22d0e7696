package testenv

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed scripts/power.sh
var powerScript string

const (
	// wantsReboot is what systemd-nspawn ends with when the host reboots.
	wantsReboot = 133
	// bootTime is how long a host may take to come up on a machine that is busy.
	bootTime = 60 * time.Second
	tick     = 20 * time.Millisecond
)

// power is what keeps a host running: it starts it again whenever it reboots.
type power struct {
	off chan struct{} // closed when the host is off for good
	err error         // why, when it is not that it powered itself off or was cut
}

// Boot powers the host on and returns when its systemd says that it is up.
func (h *Host) Boot(ctx context.Context) error {
	if h.power != nil {
		select {
		case <-h.power.off:
		default:
			return fmt.Errorf("cannot boot %s: it is on", h.Name)
		}
	}
	h.power = &power{off: make(chan struct{})}
	go h.run(h.power)
	return h.waitUp(ctx, "")
}

// run plays the hardware until the host is off.
func (h *Host) run(p *power) {
	defer close(p.off)
	for {
		_ = h.cgroup().remove() // of the boot before, or none
		err := h.runOnce()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == wantsReboot {
			continue
		}
		p.err = err
		return
	}
}

func (h *Host) runOnce() error {
	console, err := os.OpenFile(h.console(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cannot keep the console of %s: %w", h.Name, err)
	}
	defer console.Close()
	cmd := exec.Command("sh", "-c", powerScript, "power.sh", h.Name, h.root(), string(h.cgroup()), h.netns())
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Setsid: true}
	return cmd.Run()
}

func (h *Host) console() string { return filepath.Join(h.dir, "console.log") }

// waitUp waits for a boot other than the one before, or any.
func (h *Host) waitUp(ctx context.Context, before string) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	var state string
	for {
		if id, err := h.probe(ctx, "cat", "/proc/sys/kernel/random/boot_id"); err == nil && id != before {
			state, _ = h.probe(ctx, "systemctl", "is-system-running")
			switch state {
			case "running":
				return nil
			case "degraded":
				failed, _ := h.Exec(ctx, "systemctl", "--failed", "--plain", "--no-legend")
				return fmt.Errorf("%s came up with failed units: %s", h.Name, failed)
			}
		}
		select {
		case <-h.power.off:
			return h.dead(fmt.Errorf("%s went off: %w", h.Name, h.power.err))
		case <-ctx.Done():
			return h.dead(fmt.Errorf("%s did not come up, last state %q: %w", h.Name, state, ctx.Err()))
		case <-time.After(tick):
		}
	}
}

// probeTime bounds one look into a host that comes or goes: whoever enters in just that
// moment may never return.
const probeTime = 3 * time.Second

func (h *Host) probe(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	out, err := h.Exec(ctx, name, args...)
	return strings.TrimSpace(out), err
}

// dead adds to an error the end of the console and what still runs on the host.
func (h *Host) dead(err error) error {
	console, _ := os.ReadFile(h.console())
	return fmt.Errorf("%w; the end of its console:\n%s\nits processes:\n%s", err, console[max(0, len(console)-2000):], h.cgroup().processes())
}

// BootID is different after every boot, and the same during one.
func (h *Host) BootID(ctx context.Context) (string, error) {
	id, err := h.Exec(ctx, "cat", "/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(id), err
}

// Reboot lets the host shut down in order and returns when it is up again.
func (h *Host) Reboot(ctx context.Context) error {
	before, err := h.BootID(ctx)
	if err != nil {
		return err
	}
	_, asked := h.probe(ctx, "systemctl", "reboot") // mostly an error, for the host goes away under it
	if err := h.waitUp(ctx, before); err != nil {
		jobs, _ := h.probe(context.WithoutCancel(ctx), "systemctl", "list-jobs", "--no-legend")
		return fmt.Errorf("cannot reboot: %w; asking for it ended with %v, and it waits for:\n%s", err, asked, jobs) //nolint:errorlint // the first error is the one
	}
	return nil
}

// Crash cuts the power. What the host had not written is lost; Boot brings it back. A host that
// is off stays off.
func (h *Host) Crash(ctx context.Context) error {
	if h.power == nil {
		return nil
	}
	_ = h.cgroup().write("", "cgroup.freeze", "0")
	_ = h.cgroup().write("payload", "cgroup.kill", "1")
	select {
	case <-h.power.off:
		return nil
	case <-time.After(bootTime):
		return fmt.Errorf("%s does not go off", h.Name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Freeze stops every process of the host where it is; its network still takes connections.
func (h *Host) Freeze() error { return h.cgroup().write("", "cgroup.freeze", "1") }

// Thaw lets a frozen host go on.
func (h *Host) Thaw() error { return h.cgroup().write("", "cgroup.freeze", "0") }

// Cut lets every packet to and from the host vanish. Its link stays up.
func (h *Host) Cut(ctx context.Context) error { return h.cutSet(ctx, "add") }

// Heal ends a Cut.
func (h *Host) Heal(ctx context.Context) error { return h.cutSet(ctx, "delete") }

func (h *Host) cutSet(ctx context.Context, verb string) error {
	rule := fmt.Sprintf(`%s element bridge testenv cut { "%s" }`, verb, h.port())
	return runAll(ctx, "ip netns exec "+h.world.serverNet()+" nft "+quoteShell(rule))
}

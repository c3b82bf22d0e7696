package system

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNoSystemd is wrapped when systemd is not process 1 of this host, so nothing runs by it.
var ErrNoSystemd = errors.New("systemd does not run here")

// Unit is what systemd knows about one unit.
type Unit struct {
	// Name is the unit's full name, such as nginx.service.
	Name string
	// Load is loaded, not-found, masked, bad-setting or error. It is empty when systemd does not run.
	Load string
	// Active is active, reloading, inactive, failed, activating or deactivating; Sub is its detail.
	Active, Sub string
	// File is enabled, disabled, static, masked and so on; empty when there is no unit file.
	File string
	// Type is simple, oneshot, notify and so on.
	Type string
	// NeedReload is true when the unit's files have changed since systemd read them.
	NeedReload bool
	// Restarts counts how often systemd has started it again by itself.
	Restarts string
}

// Installed tells whether there is such a unit at all.
func (u Unit) Installed() bool { return u.Load != "not-found" && (u.Load != "" || u.File != "") }

// Running tells whether it does its work at this moment.
func (u Unit) Running() bool { return u.Active == "active" || u.Active == "reloading" }

// Masked tells whether it is kept from being started at all.
func (u Unit) Masked() bool { return u.File == "masked" || u.File == "masked-runtime" }

// unitProperties are what Unit needs of the sixty that there are.
const unitProperties = "Id,LoadState,ActiveState,SubState,UnitFileState,Type,NeedDaemonReload,NRestarts"

const (
	unitQueryLimit = 20 * time.Second
	// unitJobLimit is how long a start or stop may take. systemd itself gives up after 90 s by default.
	unitJobLimit = 5 * time.Minute
)

// SystemdRuns tells whether systemd is process 1 of this host.
func (s *System) SystemdRuns() bool {
	if !s.Running() {
		return false
	}
	found, err := s.Files().Exists("/run/systemd/system") // as sd_booted(3) does
	return err == nil && found
}

// Unit asks systemd about a unit. Where it does not run, only Name and File are set, which
// systemctl reads from the links below the root. [ErrNoTool] means that there is no systemctl.
func (s *System) Unit(ctx context.Context, name string) (Unit, error) {
	if !s.SystemdRuns() {
		return s.unitFile(ctx, name)
	}
	list, err := s.askUnits(ctx, []string{name})
	if err != nil {
		return Unit{}, err
	}
	return list[0], nil
}

// UnitState is as [System.Unit], but File may be from when systemd was reloaded last. It needs systemd.
func (s *System) UnitState(ctx context.Context, name string) (Unit, error) {
	list, err := s.showUnits(ctx, []string{name})
	if err != nil {
		return Unit{}, err
	}
	return list[0], nil
}

// unitFile asks for the state of the unit file. systemctl exits with 1 for disabled, so the
// word counts; it says none for a unit that is not there.
func (s *System) unitFile(ctx context.Context, name string) (Unit, error) {
	out, err := host().Run(ctx, Command{
		Argv:    []string{"systemctl", "--root=" + s.rootPath(), "is-enabled", "--", name},
		Timeout: unitQueryLimit,
	})
	if err != nil {
		return Unit{}, err
	}
	word := strings.TrimSpace(string(out.Stdout))
	if word == "not-found" {
		word = ""
	}
	return Unit{Name: name, File: word}, nil
}

// ChangeUnit runs one verb of systemctl on a unit: start, stop, restart, reload,
// reload-or-restart, enable, disable, mask or unmask. It waits for the job to end.
// Where systemd does not run, only the verbs that change links work. systemd itself knows of the
// links only after [System.ReloadUnits], which the caller owes: it holds all of systemd up for as long
// as it reads every unit, so that once for many is much sooner done.
func (s *System) ChangeUnit(ctx context.Context, verb, name string) error {
	argv := []string{"systemctl", "--quiet", "--no-ask-password"}
	s.ForgetUnits()
	switch verb {
	case "enable", "disable", "mask", "unmask":
		s.reloaded.Store(false)
		if s.SystemdRuns() {
			argv = append(argv, "--no-reload")
		} else {
			argv = append(argv, "--root="+s.rootPath())
		}
	default:
		if !s.SystemdRuns() {
			return fmt.Errorf("cannot %s %s: %w", verb, name, ErrNoSystemd)
		}
	}
	_, err := host().must(ctx, Command{Argv: append(argv, verb, "--", name), Timeout: unitJobLimit})
	if err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, name, err)
	}
	return nil
}

// ReloadUnits makes systemd read its unit files again.
func (s *System) ReloadUnits(ctx context.Context) error {
	_, err := s.must(ctx, Command{Argv: []string{"systemctl", "--no-ask-password", "daemon-reload"}, Timeout: unitJobLimit})
	s.reloaded.Store(err == nil)
	return err
}

// ReloadLinks is as [System.ReloadUnits], but does it once for all links that were changed before.
func (s *System) ReloadLinks(ctx context.Context) error {
	if s.reloaded.Load() {
		return nil
	}
	return s.ReloadUnits(ctx)
}

// UnitLog returns the last lines that the unit wrote into the journal, joined by "; ".
func (s *System) UnitLog(ctx context.Context, name string, lines int) string {
	out, err := s.Run(ctx, Command{
		Argv:    []string{"journalctl", "--unit=" + name, fmt.Sprintf("--lines=%d", lines), "--output=cat", "--no-pager", "--quiet"},
		Timeout: unitQueryLimit, MaxOutput: 16 << 10,
	})
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSpace(strings.ToValidUTF8(string(out.Stdout), "?")), "\n", "; ")
}

// UnitName completes a name to a full one: "ssh" means "ssh.service".
func UnitName(name string) string {
	for _, suffix := range []string{
		".service", ".socket", ".timer", ".target", ".path", ".mount", ".automount", ".swap", ".slice", ".scope", ".device",
	} {
		if strings.HasSuffix(name, suffix) {
			return name
		}
	}
	return name + ".service"
}

// parseUnit reads the "Name=value" lines of systemctl show.
func parseUnit(name, out string) (Unit, error) {
	u := Unit{Name: name}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		switch key {
		case "Id":
			u.Name = value
		case "LoadState":
			u.Load = value
		case "ActiveState":
			u.Active = value
		case "SubState":
			u.Sub = value
		case "UnitFileState":
			u.File = value
		case "Type":
			u.Type = value
		case "NRestarts":
			u.Restarts = value
		case "NeedDaemonReload":
			u.NeedReload = value == "yes"
		}
	}
	if u.Load == "" || u.Active == "" {
		return Unit{}, fmt.Errorf("cannot read what systemctl says about %s", name)
	}
	return u, nil
}

// host is the running host, for tools of it that are pointed at another root by an option.
func host() *System { return &System{Root: "/"} }

func (s *System) rootPath() string {
	if s.Root == "" {
		return "/"
	}
	return s.Root
}

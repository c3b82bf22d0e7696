package patching

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
)

const (
	// maxTries is how often a step is begun that never comes to an end, because the agent is
	// killed in it again and again. It is more than accidents make, and less than for ever.
	maxTries = 25
	// stepLimit bounds one step: a package script may wait for something that never comes.
	stepLimit = time.Hour
)

// install goes from step to step. What is installed is read from the database each time, so
// a step that a killed run has finished is not done again.
func (m *Machine) install(ctx context.Context) error {
	for m.j.Step < len(m.j.Steps) {
		if err := m.free(ctx); err != nil { // the package manager of a killed run may be at work still
			return err
		}
		s, err := m.stock(ctx, inventory.Offers{})
		if err != nil {
			return err
		}
		whole, err := m.whole(ctx)
		if err != nil {
			return err
		}
		if whole && s.hasAll(m.j.Steps[m.j.Step]) {
			m.j.Step, m.j.Tries, m.j.Starts = m.j.Step+1, 0, 0
			if err := m.shelf.save(&m.j); err != nil {
				return err
			}
			continue
		}
		if whole && !s.hasAny(m.j.Steps[m.j.Step]) { // maybe announced by a killed run, but not begun
			if why := m.mayStep(); why != "" {
				return m.cutShort(why)
			}
		}
		if done, err := m.installStep(ctx, m.j.Steps[m.j.Step]); err != nil || done {
			return err
		}
	}
	boot, err := m.host.BootID()
	if err != nil {
		return err
	}
	m.j.Boot = boot // a reboot in the middle of the installation is none that counts
	return m.to(stageRestart)
}

func (m *Machine) whole(ctx context.Context) (bool, error) {
	broken, err := m.manager.Broken(ctx)
	return len(broken) == 0, err
}

// installStep installs one step. It is done when the stage has changed, because the step failed.
func (m *Machine) installStep(ctx context.Context, step []system.Target) (done bool, err error) {
	if ctx.Err() != nil {
		return false, waits("the rest is installed by the next run: %v", context.Cause(ctx))
	}
	if m.j.Tries >= maxTries {
		return true, m.fail(policies.PhaseInstall, fmt.Sprintf("the installation of %s was begun %d times and never ended", names(step), m.j.Tries))
	}
	m.j.Tries++
	if err := m.shelf.save(&m.j); err != nil {
		return false, err
	}
	if err := m.put(ctx, step); errors.Is(err, ErrWait) {
		return false, err
	} else if err != nil {
		return true, m.fail(policies.PhaseInstall, err.Error())
	}
	return false, nil
}

func (m *Machine) mayStep() string {
	if m.j.Step == 0 {
		return m.mayBegin(calendar.Package)
	}
	return m.mayGoOn(calendar.Package)
}

// cutShort ends the installation before a step that must not begin now. What is in is complete
// in itself, so the host goes back into service with it.
func (m *Machine) cutShort(why string) error {
	m.j.Waits = why
	m.j.Steps = m.j.Steps[:m.j.Step]
	if m.j.Step == 0 {
		return m.to(stageAbandon)
	}
	m.j.Waits = fmt.Sprintf("a part of the updates is in; the rest %s", why)
	return m.to(stageRestart)
}

// put installs exactly these versions, newer or older. It is nil only when the database says
// that they are there and that nothing is broken. It is not cut off by the run's own end.
func (m *Machine) put(ctx context.Context, list []system.Target) error {
	if err := m.mend(ctx); errors.Is(err, ErrWait) {
		return err // that a package cannot be mended may be just what another version of it cures
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepLimit)
	defer cancel()
	said := m.manager.InstallPatch(bounded, list, m.conffilePolicy())
	if errors.Is(said, system.ErrBusy) {
		return waits("%v", said)
	}
	mended := m.mend(ctx)
	s, err := m.stock(ctx, inventory.Offers{})
	if err != nil {
		return waits("%v", err) // not known is not failed: the next run looks again
	}
	if mended == nil && s.hasAll(list) {
		return nil
	}
	return fmt.Errorf("cannot install %s: %w", names(list), cmpError(said, mended, errors.New("the package manager reports no error, and the versions are not there")))
}

func cmpError(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// conffilePolicy is keep where packages in question were held: nothing is asked for.
func (m *Machine) conffilePolicy() string {
	if m.spec.Conffiles == "" {
		return "keep"
	}
	return m.spec.Conffiles
}

// restart makes services use what came in, and decides about a reboot.
func (m *Machine) restart(ctx context.Context) error {
	if err := m.mend(ctx); err != nil {
		if errors.Is(err, ErrWait) {
			return err
		}
		return m.fail(policies.PhaseInstall, err.Error())
	}
	boot, err := m.host.BootID()
	if err != nil {
		return err
	}
	m.j.Rebooted = m.j.Rebooted || m.j.Boot != "" && m.j.Boot != boot
	m.j.Boot = boot
	after, err := m.aftermath(ctx)
	if err != nil {
		return err
	}
	if why := m.restartServices(ctx, after.Services); why != "" {
		return m.fail(policies.PhaseRestart, why)
	}
	m.j.Reboot = after.Reboot
	m.j.RebootDue = m.due(after)
	if len(m.j.RebootDue) > 0 && m.mayBegin(calendar.Reboot) == "" {
		return m.to(stageReboot)
	}
	return m.to(stageVerify)
}

// aftermath is left out with a note where no tool can tell.
func (m *Machine) aftermath(ctx context.Context) (system.Aftermath, error) {
	after, err := m.manager.Aftermath(ctx)
	if errors.Is(err, system.ErrBusy) {
		return after, waits("%v", err)
	}
	if err != nil {
		m.note(fmt.Sprintf("it cannot be told which services use old files, and whether a reboot is needed: %v", err))
	}
	return after, nil
}

// due is why the policy wants a reboot.
func (m *Machine) due(after system.Aftermath) []string {
	switch {
	case m.j.Rebooted || len(m.j.Moves) == 0:
		return nil
	case m.spec.Reboot == "always":
		return append(slices.Clone(after.Reboot), "the policy wants a reboot after each patch cycle")
	case m.spec.Reboot == "as_needed" || m.spec.Reboot == "":
		return after.Reboot
	}
	return nil
}

// restartServices restarts what may be restarted; what may not, or not by this policy, is stale.
func (m *Machine) restartServices(ctx context.Context, services []string) string {
	m.j.Stale = nil
	for _, unit := range services {
		if m.spec.Reboot == "never" || delicate(unit) || slices.Contains(m.j.Restarted, unit) {
			m.j.Stale = append(m.j.Stale, unit)
			continue
		}
		if err := m.host.Restart(ctx, unit); err != nil {
			return err.Error()
		}
		m.j.Restarted = append(m.j.Restarted, unit)
	}
	return ""
}

// delicate tells units whose restart would end the agent, the sessions of people, or what other
// services hang on. They come with the next boot.
func delicate(unit string) bool {
	name, _, _ := strings.Cut(strings.TrimSuffix(unit, ".service"), "@")
	return slices.Contains([]string{
		"plumb-agent", "dbus", "dbus-broker", "systemd-logind", "systemd-manager", "user", "session", "getty", "serial-getty", "console-getty",
		"autovt", "gdm", "gdm3", "sddm", "lightdm", "xdm", "display-manager", "NetworkManager", "networking", "wpa_supplicant",
		"docker", "containerd", "libvirtd", "virtlogd", "virtlockd",
	}, name)
}

// reboot asks the agent for a reboot, once; in another boot it goes on.
func (m *Machine) reboot(ctx context.Context) error {
	if again, err := m.booted(); err != nil || again {
		return err
	}
	if why := m.mayBegin(calendar.Reboot); why != "" {
		return m.to(stageVerify) // it goes into service and rests until it may reboot
	}
	if err := m.drain(ctx); err != nil {
		return errors.Join(err, m.to(stageRest), m.undrain(ctx))
	}
	m.sys.RebootWanted = words(m.j.RebootDue)
	return waits("waits for the reboot: %s", words(m.j.RebootDue))
}

// booted tells whether the host has booted since the packages came in, and goes on to verify then.
func (m *Machine) booted() (bool, error) {
	boot, err := m.host.BootID()
	if err != nil || boot == m.j.Boot {
		return false, err
	}
	m.j.Boot, m.j.Rebooted, m.j.RebootDue = boot, true, nil
	return true, m.to(stageVerify)
}

// rest is where a host is in service and waits until it may reboot.
func (m *Machine) rest(ctx context.Context) error {
	if err := m.undrain(ctx); err != nil {
		return err
	}
	if again, err := m.booted(); err != nil || again {
		return err
	}
	if why := m.mayBegin(calendar.Reboot); why != "" {
		return waits("a reboot is needed (%s): %s", words(m.j.RebootDue), why)
	}
	return m.to(stageReboot)
}

func (m *Machine) note(text string) {
	if !slices.Contains(m.j.Notes, text) {
		m.j.Notes = append(m.j.Notes, text)
	}
}

func names(list []system.Target) string {
	parts := make([]string, len(list))
	for i, t := range list {
		parts[i] = t.Name + " " + t.Version
	}
	return words(parts)
}

// words joins a list, the first few of it.
func words(list []string) string {
	const enough = 8
	if len(list) > enough {
		return strings.Join(list[:enough], ", ") + fmt.Sprintf(" and %d more", len(list)-enough)
	}
	return strings.Join(list, ", ")
}

package watch

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestUnits stops, kills and starts units of a real systemd. It writes units of its own there.
func TestUnits(t *testing.T) {
	needSystemd(t)
	const service = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=plumb-watch-test.target\n"
	units := map[string]string{
		"service": service,
		"oneshot": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
	}
	unit := map[string]string{}
	for name, text := range units {
		unit[name] = "plumb-watch-" + name + ".service"
		install(t, unit[name], text)
	}
	steps := map[string]struct {
		unit   string
		before string
		do     string
	}{
		"service stopped":      {"service", "start", "systemctl stop UNIT"},
		"service killed":       {"service", "start", "systemctl kill -s KILL UNIT"},
		"service started":      {"service", "stop", "systemctl start UNIT"},
		"service enabled":      {"service", "start", "systemctl enable UNIT"},
		"service disabled":     {"service", "enable", "systemctl disable UNIT"},
		"service masked":       {"service", "start", "systemctl mask --runtime UNIT"},
		"oneshot stopped":      {"oneshot", "start", "systemctl stop UNIT"},
		"oneshot started":      {"oneshot", "stop", "systemctl start UNIT"},
		"its unit file edited": {"service", "start", "echo >> /etc/systemd/system/UNIT"},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			u := unit[step.unit]
			_ = exec.Command("systemctl", "unmask", "--runtime", u).Run()
			_ = exec.Command("systemctl", "disable", u).Run()
			_ = exec.Command("systemctl", "reset-failed").Run()
			run(t, "systemctl", step.before, u)
			w := open(t, Options{})
			w.Watch([]Target{{Address: "service.x", Units: []string{u}}})
			quiet(t, w)
			run(t, "sh", "-c", strings.ReplaceAll(step.do, "UNIT", u))
			expect(t, w, "service.x")
		})
	}
}

// TestOtherUnitsAreNobodysDrift masks, enables and reloads beside a unit that runs on.
func TestOtherUnitsAreNobodysDrift(t *testing.T) {
	needSystemd(t)
	for _, unit := range []string{"plumb-watch-one.service", "plumb-watch-two.service"} {
		install(t, unit, "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=plumb-watch-test.target\n")
		run(t, "systemctl", "start", unit)
		run(t, "systemctl", "enable", unit)
	}
	w := open(t, Options{})
	w.Watch([]Target{{Address: "service.one", Units: []string{"plumb-watch-one.service"}}})
	quiet(t, w)
	for _, args := range []string{"daemon-reload", "disable plumb-watch-two.service", "mask --runtime plumb-watch-two.service", "stop plumb-watch-two.service"} {
		run(t, "systemctl", strings.Fields(args)...)
		quiet(t, w)
	}
	run(t, "systemctl", "restart", "plumb-watch-one.service")
	expect(t, w, "service.one")
}

func needSystemd(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/run/systemd/system"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root on a host that systemd runs: it starts and stops units")
	}
}

func install(t *testing.T, unit, text string) {
	t.Helper()
	path := "/etc/systemd/system/" + unit
	put(t, path, text)
	run(t, "systemctl", "daemon-reload")
	t.Cleanup(func() {
		_ = exec.Command("systemctl", "unmask", "--runtime", unit).Run()
		_ = exec.Command("systemctl", "disable", unit).Run()
		_ = exec.Command("systemctl", "stop", unit).Run()
		_ = os.Remove(path)
	})
}

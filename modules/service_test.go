package modules

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/modules/system"
	"plumb/policies"
)

// unitRoot is a root folder with two units, one of which cannot be enabled.
func unitRoot(t *testing.T) *system.System {
	t.Helper()
	if _, err := exec.LookPath("systemctl"); err != nil {
		t.Skipf("needs systemctl: %v", err)
	}
	root := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/systemd/system/web.service":    "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
		"usr/lib/systemd/system/helper.service": "[Service]\nExecStart=/bin/true\n",
		"etc/systemd/system/other.target":       "[Unit]\n",
	} {
		full := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return &system.System{Root: root}
}

func TestServiceLinksBelowRoot(t *testing.T) {
	yes, no := true, false
	sys := unitRoot(t)
	for _, s := range []*Service{
		{Name: "web", Enabled: &yes},
		{Name: "web", Enabled: &no},
		{Name: "web.service", Masked: &yes},
		{Name: "web", Masked: &no, Enabled: &yes},
		{Name: "helper", Masked: &yes},
	} {
		converge(t, sys, s)
	}
}

func TestServiceCheckBelowRoot(t *testing.T) {
	yes, no := true, false
	one := func(attribute, before, after string) []policies.Change {
		return []policies.Change{{Attribute: attribute, Before: before, After: after}}
	}
	cases := map[string]struct {
		give    Service
		want    []policies.Change
		unknown bool
	}{
		"disabled":             {give: Service{Name: "web", Enabled: &no}},
		"not enabled":          {give: Service{Name: "web", Enabled: &yes}, want: one("enabled", "disabled", "true")},
		"static is enabled":    {give: Service{Name: "helper", Enabled: &yes}},
		"static is disabled":   {give: Service{Name: "helper", Enabled: &no}},
		"not masked":           {give: Service{Name: "web", Masked: &yes}, want: one("masked", "false", "true")},
		"missing is disabled":  {give: Service{Name: "nobody", Enabled: &no}},
		"missing is masked":    {give: Service{Name: "nobody", Masked: &yes}},
		"missing is unmasked":  {give: Service{Name: "nobody", Masked: &no}},
		"missing, not enabled": {give: Service{Name: "nobody", Enabled: &yes}, want: one("enabled", "not installed", "true")},
		"running is unknown":   {give: Service{Name: "web", Enabled: &no, Running: &yes}, unknown: true},
	}
	sys := unitRoot(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.give.Check(t.Context(), sys)
			if errors.Is(err, ErrUnknown) != c.unknown || err != nil && !c.unknown {
				t.Fatalf("Check(%+v) = %v, want unknown %t", c.give, err, c.unknown)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Check(%+v) (-want +got):\n%s", c.give, diff)
			}
		})
	}
	refused(t, sys, &Service{Name: "nobody", Enabled: &yes}, "not installed")
}

func TestServiceValidate(t *testing.T) {
	yes := true
	cases := map[string]struct {
		give Service
		want string
	}{
		"name":           {Service{Name: "a b", Running: &yes, OnNotify: "none"}, "name"},
		"option":         {Service{Name: "--root=/x", Running: &yes, OnNotify: "none"}, "name"},
		"on_notify":      {Service{Name: "x", OnNotify: "kill"}, "on_notify"},
		"masked enabled": {Service{Name: "x", Masked: &yes, Enabled: &yes, OnNotify: "reload"}, "masked"},
		"masked running": {Service{Name: "x", Masked: &yes, Running: &yes, OnNotify: "reload"}, "masked"},
		"nothing":        {Service{Name: "x", OnNotify: "none"}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := c.give.Validate()
			if len(got) != 1 || got[0].Attribute != c.want {
				t.Errorf("Validate(%+v) = %+v, want one mistake of %q", c.give, got, c.want)
			}
		})
	}
}

func TestServiceOrder(t *testing.T) {
	yes, no := true, false
	changes := []policies.Change{{Attribute: "masked"}, {Attribute: "enabled"}, {Attribute: "running"}}
	cases := map[string]struct {
		give Service
		want []string
	}{
		"bring up":  {Service{Masked: &no, Enabled: &yes, Running: &yes}, []string{"unmask", "enable", "start"}},
		"take down": {Service{Masked: &yes, Enabled: &no, Running: &no}, []string{"disable", "stop", "mask"}},
		"unmanaged": {Service{Running: &no}, []string{"stop"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.give.verbs(changes)); diff != "" {
				t.Errorf("verbs (-want +got):\n%s", diff)
			}
		})
	}
}

// writeUnit puts a unit file into the copy, where it can be masked. systemd is not told:
// that is up to the kind.
func writeUnit(t *testing.T, name, service string) {
	t.Helper()
	text := "[Unit]\nDefaultDependencies=no\n[Service]\n" + service + "\n[Install]\nWantedBy=multi-user.target\n"
	if err := os.WriteFile("/usr/lib/systemd/system/"+name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func systemctl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemctl %v: %v: %s", args, err, out)
	}
	return string(out)
}

func TestServiceOnRealSystemd(t *testing.T) {
	if !inBootedCopy(t) {
		return
	}
	yes, no := true, false
	sys := copyHost(t)
	writeUnit(t, "pl.service", "ExecStart=/bin/sleep 1000\nExecReload=/bin/touch /reloaded")
	web := &Service{Name: "pl", Running: &yes, Enabled: &yes, OnNotify: "reload_or_restart"}
	converge(t, sys, web)
	converge(t, sys, &Service{Name: "pl", Running: &no})
	converge(t, sys, &Service{Name: "pl", Masked: &yes, Enabled: &no})
	converge(t, sys, &Service{Name: "pl", Masked: &no, Running: &yes, Enabled: &yes})

	if err := web.Refresh(t.Context(), sys); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/reloaded"); err != nil {
		t.Errorf("a notified service was not reloaded: %v", err)
	}
	pid := systemctl(t, "show", "-P", "MainPID", "pl")
	writeUnit(t, "pl.service", "ExecStart=/bin/sleep 2000")
	web.OnNotify = "restart"
	if err := web.Refresh(t.Context(), sys); err != nil {
		t.Fatal(err)
	}
	if now := systemctl(t, "show", "-P", "MainPID", "pl"); now == pid {
		t.Error("a notified service was not restarted")
	}
	if got := systemctl(t, "show", "-P", "ExecStart", "pl"); !strings.Contains(got, "2000") {
		t.Errorf("systemd runs %s, want the new unit file", got)
	}
}

// systemd does not notice that a link was removed, and remembers for good what it once told.
func TestServiceLinkRemovedByHand(t *testing.T) {
	if !inBootedCopy(t) {
		return
	}
	yes := true
	sys := copyHost(t)
	list := []*Service{{Name: "pl", Running: &yes, Enabled: &yes}, {Name: "pl-too", Running: &yes, Enabled: &yes}}
	for _, s := range list {
		writeUnit(t, s.Identity(), "ExecStart=/bin/sleep 1000")
		converge(t, sys, s)
	}
	const link = "/etc/systemd/system/multi-user.target.wants/pl-too.service"
	if word := systemctl(t, "show", "-P", "UnitFileState", "pl-too"); word != "enabled\n" {
		t.Fatalf("systemctl show says %s, want enabled", word)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	sys.ExpectUnits([]string{"pl.service", "pl-nobody.service", "pl-too.service"}) // both ways to ask
	for i, want := range []int{0, 1} {
		if got, err := list[i].Check(t.Context(), sys); err != nil || len(got) != want {
			t.Errorf("Check() of %s = %v, %v, want %d changes", list[i].Name, got, err, want)
		}
	}
	converge(t, sys, list[1])
	if _, err := os.Lstat(link); err != nil {
		t.Error(err)
	}
}

// A unit that has another name is enabled or not as itself.
func TestServiceByAnotherName(t *testing.T) {
	if !inBootedCopy(t) {
		return
	}
	yes := true
	sys := copyHost(t)
	writeUnit(t, "pl-real.service", "ExecStart=/bin/sleep 1000")
	if err := os.Symlink("pl-real.service", "/usr/lib/systemd/system/pl-alias.service"); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "daemon-reload")
	for _, expected := range [][]string{nil, {"pl-alias.service", "pl-real.service"}} {
		for word, want := range map[string]int{"disable": 1, "enable": 0} {
			systemctl(t, "-q", word, "pl-real")
			sys.ExpectUnits(expected)
			if got, err := (&Service{Name: "pl-alias", Enabled: &yes}).Check(t.Context(), sys); err != nil || len(got) != want {
				t.Errorf("after %s Check() by another name = %v, %v, want %d changes", word, got, err, want)
			}
		}
	}
}

// Reading all units again holds systemd up, so it is done once for all links that were changed.
func TestServicesReloadOnce(t *testing.T) {
	if !inBootedCopy(t) {
		return
	}
	yes := true
	sys := copyHost(t)
	var list []*Service
	for _, name := range []string{"pl-a", "pl-b", "pl-c"} {
		one := &Service{Name: name, Enabled: &yes, OnNotify: "none"}
		writeUnit(t, one.Identity(), "ExecStart=/bin/sleep 1000")
		if err := one.Apply(t.Context(), sys, []policies.Change{{Attribute: "enabled"}}); err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	reloads := func() int { return strings.Count(systemctl(t, "show", "-P", "Wants", "multi-user.target"), "pl-") }
	if n := reloads(); n != 0 {
		t.Errorf("systemd knows of %d links before it was reloaded", n)
	}
	for i, one := range list {
		if err := settle(t, sys, one); err != nil {
			t.Fatal(err)
		}
		if i == 0 && reloads() != len(list) {
			t.Errorf("systemd knows of %d links after the first look, want all %d", reloads(), len(list))
		}
	}
}

func TestServiceNotifyLeavesStoppedAlone(t *testing.T) {
	if !inBootedCopy(t) {
		return
	}
	no := false
	sys := copyHost(t)
	writeUnit(t, "pl.service", "ExecStart=/bin/sleep 1000")
	for _, s := range []*Service{{Name: "pl", Running: &no, OnNotify: "restart"}, {Name: "pl", OnNotify: "reload_or_restart"}} {
		if err := s.Refresh(t.Context(), sys); err != nil {
			t.Fatal(err)
		}
		if u, err := sys.Unit(t.Context(), "pl.service"); err != nil || u.Running() {
			t.Errorf("Unit() = %+v, %v after a notification, want it still stopped", u, err)
		}
	}
}

func TestServiceDiesAtOnce(t *testing.T) {
	if !inBootedCopy(t) {
		return
	}
	yes := true
	sys := copyHost(t)
	writeUnit(t, "pl-dies.service", "ExecStart=/bin/sh -c 'echo bad option; sleep 0.3; exit 3'")
	refused(t, sys, &Service{Name: "pl-dies", Running: &yes}, "bad option")
	writeUnit(t, "pl-loops.service", "ExecStart=/bin/sh -c 'sleep 0.2; exit 3'\nRestart=always\nRestartSec=1ms")
	refused(t, sys, &Service{Name: "pl-loops", Running: &yes}, "did not stay up")
	writeUnit(t, "pl-once.service", "Type=oneshot\nExecStart=/bin/true")
	refused(t, sys, &Service{Name: "pl-once", Running: &yes}, "leave running out")
	refused(t, sys, &Service{Name: "pl-nobody", Running: &yes}, "not installed")
	if got, err := (&Service{Name: "pl-nobody", Running: new(bool), Enabled: new(bool)}).Check(t.Context(), sys); err != nil || len(got) > 0 {
		t.Errorf("Check() of a missing service wanted stopped = %+v, %v, want nothing", got, err)
	}
}

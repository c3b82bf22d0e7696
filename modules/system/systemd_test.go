package system

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseUnit(t *testing.T) {
	cases := map[string]struct {
		out  string
		want Unit
	}{
		"installed": {recorded(t, "systemd/ssh.txt"), Unit{Name: "ssh.service", Load: "loaded", Active: "inactive",
			Sub: "dead", File: "enabled", Type: "notify", Restarts: "0"}},
		"missing": {recorded(t, "systemd/missing.txt"), Unit{Name: "nope.service", Load: "not-found", Active: "inactive",
			Sub: "dead", Restarts: "0"}},
		"stale": {"LoadState=loaded\nActiveState=active\nNeedDaemonReload=yes\n", Unit{Name: "x", Load: "loaded", Active: "active", NeedReload: true}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := parseUnit("x", c.out)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("parseUnit (-want +got):\n%s", diff)
			}
		})
	}
	if u, err := parseUnit("x", "Unknown property\n"); err == nil {
		t.Errorf("parseUnit of nonsense = %+v, want an error", u)
	}
}

func TestParseUnits(t *testing.T) {
	out := recorded(t, "systemd/ssh.txt") + "\n" + recorded(t, "systemd/missing.txt")
	list, err := parseUnits([]string{"ssh.service", "nope.service"}, out)
	if err != nil || len(list) != 2 || !list[0].Installed() || list[1].Installed() || list[1].Name != "nope.service" {
		t.Errorf("parseUnits = %+v, %v, want one that is installed and one that is not", list, err)
	}
	if list, err := parseUnits([]string{"ssh.service"}, out); err == nil {
		t.Errorf("parseUnits of two for one = %+v, want an error", list)
	}
}

func FuzzParseUnit(f *testing.F) {
	f.Add(recorded(f, "systemd/ssh.txt"))
	f.Add("=\nLoadState\nActiveState=\n")
	f.Add(recorded(f, "systemd/ssh.txt") + "\n" + recorded(f, "systemd/missing.txt"))
	f.Fuzz(func(t *testing.T, out string) {
		if u, err := parseUnit("x", out); err == nil && (u.Load == "" || u.Active == "") {
			t.Errorf("parseUnit(%q) = %+v, want an error", out, u)
		}
		names := []string{"x.service", "y.service"}
		if list, err := parseUnits(names, out); err == nil && len(list) != len(names) {
			t.Errorf("parseUnits(%q) = %+v, want one for each of %v", out, list, names)
		}
	})
}

func TestUnitName(t *testing.T) {
	for give, want := range map[string]string{"ssh": "ssh.service", "a.timer": "a.timer", "php8.2-fpm": "php8.2-fpm.service", "x@y.service": "x@y.service"} {
		if got := UnitName(give); got != want {
			t.Errorf("UnitName(%q) = %q, want %q", give, got, want)
		}
	}
}

func TestChangeUnitWithoutSystemd(t *testing.T) {
	if err := (&System{Root: t.TempDir()}).ChangeUnit(t.Context(), "start", "x.service"); !errors.Is(err, ErrNoSystemd) {
		t.Errorf("ChangeUnit(start) below a folder = %v, want ErrNoSystemd", err)
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/agent"
	"plumb/agent/state"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/calendar"
)

// patchRun is a finished run with one patch resource, for a ring that may change on leap days only.
func patchRun(status policies.Status, message string, p *policies.Patched) agent.Last {
	return agent.Last{Release: 3, Finished: time.Now(), Timezone: "UTC", Catalog: policies.Catalog{
		Windows: map[string]calendar.Window{"leap_day": {Name: "leap_day", Cron: "0 3 29 2 *", Duration: 3600}},
		Resources: []policies.Resource{{Address: "rollout.web", Kind: "patch", Policy: "web", Mode: policies.Enforce, Window: []string{"leap_day"},
			Attributes: []byte(`{"rollout":"web"}`), Source: policies.Position{File: "patches.hcl", Line: 7}}}},
		Result: policies.Result{Resources: []policies.ResourceResult{{Address: "rollout.web", Status: status, Mode: policies.Enforce, Message: message, Patched: p}}}}
}

func TestHowPatchingIsShown(t *testing.T) {
	pack := func(names ...string) (list []policies.PatchedPackage) {
		for _, name := range names {
			list = append(list, policies.PatchedPackage{Name: name, Before: "1", After: "2"})
		}
		return list
	}
	for name, c := range map[string]struct {
		last agent.Last
		want []string
		not  string
	}{
		"no order": {patchRun("compliant", "", &policies.Patched{Phase: policies.PhaseIdle}), []string{"patch     web: no patch cycle was given to this host"}, ""},
		"waits for its window": {patchRun("pending", "waits for the window leap_day", &policies.Patched{Cycle: 3, Phase: policies.PhaseIdle, Missing: pack("a", "b", "c", "d", "e", "f", "g")}),
			[]string{"web: cycle 3, not begun", "waits for the window leap_day", "missing a 1 → 2, b 1 → 2, c 1 → 2, d 1 → 2, e 1 → 2 and 2 more"}, "          window"},
		"a reboot": {patchRun("pending", "", &policies.Patched{Cycle: 3, Phase: policies.PhaseReboot, Installed: pack("linux"), Reboot: []string{"a new kernel"}}),
			[]string{"web: cycle 3, a reboot is to come", "installed linux 1 → 2", "a reboot is needed: a new kernel", "          window leap_day opens"}, ""},
		"held back": {patchRun("pending", "", &policies.Patched{Cycle: 3, Held: []policies.Held{{Name: "libfoo", Version: "2", Chain: []string{"libfoo 2 needs libbar", "libbar is on hold"}}}}),
			[]string{"held back libfoo 2: libfoo 2 needs libbar → libbar is on hold"}, ""},
		"done": {patchRun("compliant", "", &policies.Patched{Cycle: 3, Phase: policies.PhaseDone, Notes: []string{"bash is new"}}), []string{"web: cycle 3, all of it is in", "bash is new"}, "         window"},
		"rolled back": {patchRun("error", "", &policies.Patched{Cycle: 3, Phase: policies.PhaseRolledBack, RolledBack: true, Probes: []string{"web: no answer"}, Rollback: "1 package went back"}),
			[]string{"it failed, and the versions before are back", "probe web: no answer", "rollback: 1 package went back"}, ""},
		"refused": {patchRun("error", "the order is not believed", &policies.Patched{Cycle: 4, Phase: policies.PhaseIdle}), []string{"web: cycle 4, it failed", "the order is not believed"}, ""},
		"not run": {patchRun("pending", "waits for x", nil), []string{"web: no patch cycle was given to this host", "waits for x"}, ""},
		"the rest": {patchRun("compliant", "", &policies.Patched{Cycle: 3, Left: pack("old"), Stale: []string{"dbus.service"}, Restarted: []string{"cron.service"}, Kernels: []string{"6.1"}, Conffiles: []policies.Conffile{{Path: "/etc/x", Package: "x", Policy: "keep"}}}),
			[]string{"no longer in its repository: old 1 → 2", "still on old files: dbus.service", "restarted cron.service", "kernels removed: 6.1", "changed here and by x: /etc/x (keep)"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			dir, err := state.Open(h.state)
			if err != nil {
				t.Fatal(err)
			}
			if err := dir.Save("last.json", c.last); err != nil {
				t.Fatal(err)
			}
			out, problems, _ := h.agent("status")
			why, _, _ := h.agent("why", "rollout.web")
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("status lacks %q: %s%s", want, out, problems)
				}
			}
			if c.not != "" && strings.Contains(out, c.not) {
				t.Errorf("status has %q:\n%s", c.not, out)
			}
			if !strings.Contains(why, "declared at patches.hcl:7") || !strings.Contains(why, string(c.last.Result.Resources[0].Status)) {
				t.Errorf("why says %s", why)
			}
			raw, _, _ := h.agent("status", "--json")
			var got standing
			if err := json.Unmarshal([]byte(raw), &got); err != nil || len(got.Patching) != 1 || got.Patching[0].Rollout != "web" || got.Patching[0].Window == nil {
				t.Errorf("status --json: %v, %s", err, raw)
			}
		})
	}
}

func TestACycleThatIsOnlyEndedIsShown(t *testing.T) {
	last := agent.Last{Release: 3, Finished: time.Now(), Astray: []policies.ResourceResult{{Address: "rollout.old", Status: policies.Failed,
		Message: "the hook undrain failed", Patched: &policies.Patched{Cycle: 4, Phase: policies.PhaseVerify}}}}
	h := newHost(t)
	dir, err := state.Open(h.state)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Save("last.json", last); err != nil {
		t.Fatal(err)
	}
	out, problems, _ := h.agent("status")
	for _, want := range []string{"old: cycle 4, it is being looked whether all is well", "nothing of this rollout any more; its cycle is brought to its end: the hook undrain failed"} {
		if !strings.Contains(out, want) {
			t.Errorf("status lacks %q: %s%s", want, out, problems)
		}
	}
}

func TestWhyTellsOfPatching(t *testing.T) {
	h := newHost(t)
	dir, err := state.Open(h.state)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Save("last.json", patchRun("pending", "", &policies.Patched{Cycle: 3, Reboot: []string{"a new kernel"}})); err != nil {
		t.Fatal(err)
	}
	if out, _, _ := h.agent("why", "rollout.web"); !strings.Contains(out, "a reboot is needed: a new kernel") {
		t.Errorf("why says %s", out)
	}
}

const patchPolicy = `
group "all" {
  match = true
}
patch_baseline "b" {
  title = "All"
  source {
    origin = "Debian"
  }
  approve {
    classification = ["security"]
  }
}
rollout "web" {
  carries = patch_baseline.b
  ring "only" {
    group = group.all
  }
}
`

// Below a folder there is no package manager to ask, so that the order cannot be judged; without
// an order there is nothing to judge.
func TestApplyTakesAPatchSet(t *testing.T) {
	h, dir := newHost(t), write(t, bundle.Tree{"main.hcl": []byte(patchPolicy)})
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "set.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const items = `{"manager":"apt","package":"zsh","source":"zsh","arch":"amd64","version":"2","repository":"r"},{"manager":"apt","package":"bash","source":"bash","arch":"amd64","version":"2","repository":"r"}`
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no set":           {nil, 0, "1 compliant"},
		"a set":            {[]string{"--patch-set", file(`{"rollout":"web","baseline":"b","items":[` + items + `]}`)}, 2, "1 unknown"},
		"another rollout":  {[]string{"--patch-set", file(`{"rollout":"db","baseline":"b","items":[` + items + `]}`)}, 0, "1 compliant"},
		"an unknown field": {[]string{"--patch-set", file(`{"rollouts":"web"}`)}, 1, "unknown field"},
		"an option":        {[]string{"--patch-set", file(`{"rollout":"web","baseline":"b","items":[{"manager":"apt","package":"-o","version":"1"}]}`)}, 1, "no name, version"},
		"no such file":     {[]string{"--patch-set", "/does/not/exist"}, 1, "cannot read /does/not/exist"},
	} {
		out, problems, code := h.agent(append([]string{"apply", dir}, c.args...)...)
		if code != c.code || !strings.Contains(out+problems, c.want) {
			t.Errorf("%s: exit %d, %s %s; want %d, %q", name, code, out, problems, c.code, c.want)
		}
	}
}

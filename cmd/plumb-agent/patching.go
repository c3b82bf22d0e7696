package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/agent"
	"plumb/policies"
)

// patching is how the host stands with one rollout that carries patches.
type patching struct {
	Rollout string          `json:"rollout"`
	Status  policies.Status `json:"status"`
	Message string          `json:"message"`
	policies.Patched
	// Window is the opening under way of the ring's windows, or the next one; nil when there is none.
	Window *opening `json:"window"`
}

// patchings returns one for each rollout of the newest catalog, and for each of which only a cycle
// is left that is brought to its end.
func patchings(last agent.Last, now time.Time) []patching {
	list, windows := []patching{}, openings(last, now)
	for _, res := range last.Catalog.Resources {
		if res.Kind != "patch" {
			continue
		}
		p := patching{Rollout: strings.TrimPrefix(res.Address, "rollout.")}
		for _, one := range last.Result.Resources {
			if one.Address != res.Address {
				continue
			}
			p.Status, p.Message = one.Status, one.Message
			if one.Patched != nil {
				p.Patched = *one.Patched
			}
		}
		if at := slices.IndexFunc(windows, func(o opening) bool { return slices.Contains(res.Window, o.Name) }); at >= 0 {
			p.Window = &windows[at]
		}
		list = append(list, p)
	}
	for _, one := range last.Astray {
		p := patching{Rollout: strings.TrimPrefix(one.Address, "rollout."), Status: one.Status, Message: astray(one.Message)}
		if one.Patched != nil {
			p.Patched = *one.Patched
		}
		list = append(list, p)
	}
	return list
}

func astray(message string) string {
	const text = "the policy has nothing of this rollout any more; its cycle is brought to its end"
	if message == "" {
		return text
	}
	return text + ": " + message
}

var phases = map[string]string{
	policies.PhasePreflight:  "the host is being looked at before anything begins",
	policies.PhaseDownload:   "packages are being fetched",
	policies.PhaseInstall:    "packages are being installed",
	policies.PhaseRestart:    "services are being restarted",
	policies.PhaseReboot:     "a reboot is to come",
	policies.PhaseVerify:     "it is being looked whether all is well",
	policies.PhaseRollback:   "the versions before are being brought back",
	policies.PhaseDone:       "all of it is in",
	policies.PhaseRolledBack: "it failed, and the versions before are back",
}

// words says in a line where the host is.
func (p patching) words() string {
	if p.Cycle == 0 {
		return p.Rollout + ": no patch cycle was given to this host"
	}
	phase, ok := phases[p.Phase]
	switch {
	case ok:
	case len(p.Missing) > 0:
		phase = "not begun"
	case p.Status == policies.Failed:
		phase = "it failed"
	default:
		phase = "nothing to do"
	}
	return fmt.Sprintf("%s: cycle %d, %s", p.Rollout, p.Cycle, phase)
}

// more are the lines below it.
func (p patching) more() []string {
	list := details(p.Patched)
	if p.Message != "" {
		list = append([]string{strings.ReplaceAll(p.Message, "\n", "; ")}, list...)
	}
	said := p.Window != nil && strings.Contains(p.Message, "the window "+p.Window.Name)
	if p.Window != nil && !said && p.Phase != policies.PhaseDone && p.Phase != policies.PhaseRolledBack {
		list = append(list, "window "+p.Window.words())
	}
	return list
}

// patchLines are the lines of status about patching, each with its name.
func patchLines(list []patching) (lines [][2]string) {
	for _, p := range list {
		lines = append(lines, [2]string{"patch", p.words()})
		for _, text := range p.more() {
			lines = append(lines, [2]string{"", text})
		}
	}
	return lines
}

// details tells in words what came of a patch cycle, one line each.
func details(p policies.Patched) []string {
	var list []string
	line := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if text := packages(p.Installed); text != "" {
		line("installed %s", text)
	}
	if text := packages(p.Missing); text != "" {
		line("missing %s", text)
	}
	if text := packages(p.Left); text != "" {
		line("no longer in its repository: %s", text)
	}
	for _, h := range p.Held {
		line("held back %s %s: %s", h.Name, h.Version, strings.Join(h.Chain, " → "))
	}
	for _, c := range p.Conffiles {
		line("changed here and by %s: %s (%s)", c.Package, c.Path, c.Policy)
	}
	for _, words := range []struct {
		what string
		list []string
	}{{"restarted", p.Restarted}, {"still on old files:", p.Stale}, {"a reboot is needed:", p.Reboot}, {"kernels removed:", p.Kernels}} {
		if len(words.list) > 0 {
			line("%s %s", words.what, strings.Join(words.list, ", "))
		}
	}
	for _, text := range p.Probes {
		line("probe %s", text)
	}
	if p.Rollback != "" {
		line("rollback: %s", p.Rollback)
	}
	for _, text := range p.Notes {
		line("%s", text)
	}
	return list
}

// packages names the first ones and counts the others.
func packages(list []policies.PatchedPackage) string {
	const shown = 5
	var names []string
	for _, one := range list[:min(shown, len(list))] {
		text := one.Name + " " + one.After
		if one.Before != "" {
			text = one.Name + " " + one.Before + " → " + one.After
		}
		names = append(names, text)
	}
	text := strings.Join(names, ", ")
	if more := len(list) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

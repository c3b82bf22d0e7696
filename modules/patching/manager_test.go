package patching

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/calendar"
)

// fakeManager is the world as a package manager.
type fakeManager struct{ w *world }

func (f fakeManager) Name() string { return "apt" }

func (f fakeManager) CompareVersions(a, b string) (int, error) {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	return x - y, errors.Join(errX, errY)
}

func (f fakeManager) OffersKey() (string, error) {
	return fmt.Sprint(f.w.there, f.w.half, f.w.repo, f.w.from, f.w.also), nil
}

func (f fakeManager) Offers(context.Context) (inventory.Offers, error) {
	f.w.calls["offers"]++
	found := inventory.Offers{Manager: "apt"}
	for _, name := range slices.Sorted(maps.Keys(f.w.there)) {
		best := f.w.there[name]
		for one := range f.w.repo {
			n, v, _ := strings.Cut(one, " ")
			if order, _ := f.CompareVersions(v, best); n == name && order > 0 {
				best = v
			}
		}
		if best != f.w.there[name] {
			found.List = append(found.List, f.offer(name, best))
		}
	}
	return found, nil
}

func (f fakeManager) offer(name, version string) inventory.Offer {
	from := cmp.Or(f.w.from[name+" "+version], "Security")
	return inventory.Offer{Package: name, Source: cmp.Or(f.w.source[name], name), Arch: "all", Installed: f.w.there[name], Candidate: version,
		Origin: "Test", Label: from, Codename: "one", Manager: "apt"}
}

func (f fakeManager) Origins(_ context.Context, wanted []system.Target) (map[system.Target][]inventory.Offer, error) {
	f.w.calls["origins"]++
	found := map[system.Target][]inventory.Offer{}
	for _, t := range wanted {
		if key := t.Name + " " + t.Version; f.w.repo[key] {
			found[t] = append(found[t], f.offer(t.Name, t.Version))
			if f.w.also[key] != "" {
				o := f.offer(t.Name, t.Version)
				o.Label = f.w.also[key]
				found[t] = append(found[t], o)
			}
		}
	}
	return found, nil
}

func (f fakeManager) InstalledVersions(context.Context) (map[system.Target]bool, error) {
	f.w.calls["installed"]++
	list := map[system.Target]bool{}
	for name, version := range f.w.there {
		list[system.Target{Name: name, Arch: "all", Version: version}] = true
	}
	return list, nil
}

func (f fakeManager) Busy(context.Context, time.Duration) error {
	if f.w.busy > 0 {
		f.w.busy--
		return fmt.Errorf("apt lock %w by unattended-upgr (pid 7)", system.ErrBusy)
	}
	return nil
}

func (f fakeManager) Broken(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(f.w.half)), nil
}

func (f fakeManager) Mend(context.Context) error {
	for name, version := range maps.Clone(f.w.half) {
		if err := f.configure(name, version); err != nil {
			return err
		}
	}
	return nil
}

func (f fakeManager) configure(name, version string) error {
	f.w.effect("configure %s %s", name, version)
	if f.w.bad[name+" "+version] {
		return fmt.Errorf("the script of %s %s failed", name, version)
	}
	delete(f.w.half, name)
	f.w.there[name] = version
	f.w.stale[name+".service"] = true
	f.w.failing[name+".service"] = false
	if f.w.boots[name] {
		f.w.reason[name] = true
	}
	if name == "linux" && version == "12" {
		for i := range f.w.kernels {
			f.w.kernels[i].Newest = false
		}
		f.w.kernels = append(f.w.kernels, system.Kernel{Package: "linux-12", Release: "12", Newest: true})
	}
	return nil
}

func (f fakeManager) Update(context.Context) error {
	f.w.calls["update"]++
	for key := range f.w.behind {
		f.w.repo[key] = true
	}
	f.w.behind = nil
	return nil
}

func (f fakeManager) PlanPatch(_ context.Context, wanted []system.Target) (system.PatchPlan, error) {
	f.w.calls["plan"]++
	var p system.PatchPlan
	for _, t := range wanted {
		key := t.Name + " " + t.Version
		if !f.w.repo[key] && !f.w.fetched[key] {
			p.Gone = append(p.Gone, t)
			continue
		}
		if gone, ok := f.w.removes[key]; ok {
			p.Removed = append(p.Removed, gone)
		}
		step := []system.Target{}
		for _, need := range f.w.needs[key] {
			name, version, _ := strings.Cut(need, " ")
			if !f.w.repo[need] {
				p.Held = append(p.Held, policies.Held{Name: t.Name, Version: t.Version, Chain: []string{"needs " + need, "which is nowhere"}})
				step = nil
				break
			}
			extra := system.Target{Name: name, Arch: "all", Version: version}
			if f.w.there[name] == "" {
				p.Added = append(p.Added, extra)
			}
			if f.w.there[name] != version {
				step = append(step, extra)
			}
		}
		if step != nil {
			p.Steps = append(p.Steps, append(step, t))
		}
	}
	p.Download, p.Disk = 10<<20, 20<<20
	return p, nil
}

func (f fakeManager) FetchPatch(_ context.Context, wanted []system.Target) error {
	for _, t := range wanted {
		if key := t.Name + " " + t.Version; !f.w.repo[key] && !f.w.fetched[key] {
			return fmt.Errorf("%s is nowhere", key)
		}
	}
	for _, t := range wanted {
		f.w.effect("fetch %s %s", t.Name, t.Version)
		f.w.fetched[t.Name+" "+t.Version] = true
	}
	return nil
}

func (f fakeManager) InstallPatch(_ context.Context, wanted []system.Target, _ string) error {
	f.lawful(wanted)
	for _, t := range wanted {
		if !f.w.fetched[t.Name+" "+t.Version] {
			return fmt.Errorf("%s %s was not fetched", t.Name, t.Version)
		}
	}
	var others error // as apt does, it tries to mend what is broken beside what it works at, and goes on
	for name, version := range maps.Clone(f.w.half) {
		if !slices.ContainsFunc(wanted, func(t system.Target) bool { return t.Name == name }) {
			others = errors.Join(others, f.configure(name, version))
		}
	}
	for _, t := range wanted {
		if f.w.there[t.Name] == t.Version && f.w.half[t.Name] == "" {
			continue
		}
		f.w.effect("unpack %s %s", t.Name, t.Version)
		delete(f.w.there, t.Name)
		f.w.half[t.Name] = t.Version
		if err := f.configure(t.Name, t.Version); err != nil {
			return err
		}
	}
	return others
}

// lawful notes installations of something newer that nobody permitted.
func (f fakeManager) lawful(wanted []system.Target) {
	key, newer := fmt.Sprint(wanted), false
	for _, t := range wanted {
		ahead, _ := f.CompareVersions(t.Version, cmp.Or(f.w.half[t.Name], f.w.there[t.Name], "0"))
		newer = newer || ahead > 0
	}
	answer, asked := f.w.answered[calendar.Package]
	if newer && !f.w.begun[key] && (!asked || answer != "") {
		f.w.wrong("%v was begun without permission", wanted)
	}
	if newer && f.w.spec.Hooks != nil && len(f.w.spec.Hooks.Drain) > 0 && !f.w.drained {
		f.w.wrong("%v on a host in service", wanted)
	}
	f.w.begun[key] = true
}

func (f fakeManager) Conffiles(_ context.Context, wanted []system.Target) ([]policies.Conffile, error) {
	var list []policies.Conffile
	for _, t := range wanted {
		if slices.Contains(f.w.changed, t.Name) {
			list = append(list, policies.Conffile{Path: "/etc/" + t.Name, Package: t.Name})
		}
	}
	return list, nil
}

func (f fakeManager) Aftermath(context.Context) (system.Aftermath, error) {
	on := func(set map[string]bool) []string {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if set[name] {
				list = append(list, name)
			}
		}
		return list
	}
	return system.Aftermath{Services: on(f.w.stale), Reboot: on(f.w.reason)}, nil
}

func (f fakeManager) Kernels(context.Context) ([]system.Kernel, error) {
	return slices.Clone(f.w.kernels), nil
}

func (f fakeManager) RemoveKernels(_ context.Context, list []string) error {
	f.w.effect("remove kernels %v", list)
	f.w.kernels = slices.DeleteFunc(f.w.kernels, func(k system.Kernel) bool { return slices.Contains(list, k.Package) })
	return nil
}

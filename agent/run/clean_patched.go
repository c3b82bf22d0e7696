package run

import (
	"fmt"
	"slices"

	"plumb/policies"
)

// Caps on what a result says about a patch cycle.
const (
	maxPackages = 1000 // of all lists of packages together
	maxHeld     = 100
	maxChain    = 20
	maxWords    = 200 // entries of every other list
	maxWord     = 200 // bytes
)

// cleanPatched makes the outcome of a patch cycle fit to be shown and stored. What the kind holds
// itself stays as it is. Packages beyond the cap are counted in the message.
func cleanPatched(out *policies.ResourceResult, s secrets) {
	if out.Patched == nil {
		return
	}
	p := *out.Patched
	room := maxPackages
	for _, list := range []*[]policies.PatchedPackage{&p.Missing, &p.Installed, &p.Left} {
		*list = slices.Clone((*list)[:min(room, len(*list))])
		room -= len(*list)
		for i, one := range *list {
			(*list)[i] = policies.PatchedPackage{Name: plain(one.Name, maxWord), Before: plain(one.Before, maxWord), After: plain(one.After, maxWord)}
		}
	}
	p.Held = cleanHeld(p.Held)
	p.Conffiles = slices.Clone(p.Conffiles[:min(maxWords, len(p.Conffiles))])
	for i, one := range p.Conffiles {
		p.Conffiles[i] = policies.Conffile{Path: plain(one.Path, maxValue), Package: plain(one.Package, maxWord), Policy: plain(one.Policy, maxWord)}
	}
	for _, list := range []*[]string{&p.Restarted, &p.Stale, &p.Reboot, &p.Kernels, &p.Probes, &p.Notes} {
		*list = cleanWords(*list, maxWords, s)
	}
	p.Set, p.Phase, p.Rollback = plain(p.Set, maxWord), plain(p.Phase, maxWord), plain(s.scrub(p.Rollback), maxMessage)
	if more := packagesOf(*out.Patched) - packagesOf(p); more > 0 {
		out.Message = plain(joinWords(fmt.Sprintf("%d more packages are not listed", more), out.Message), maxMessage)
	}
	out.Patched = &p
}

func packagesOf(p policies.Patched) int { return len(p.Missing) + len(p.Installed) + len(p.Left) }

func joinWords(first, rest string) string {
	if rest == "" {
		return first
	}
	return first + "; " + rest
}

func cleanHeld(list []policies.Held) []policies.Held {
	list = slices.Clone(list[:min(maxHeld, len(list))])
	for i, one := range list {
		list[i] = policies.Held{Name: plain(one.Name, maxWord), Version: plain(one.Version, maxWord), Chain: cleanWords(one.Chain, maxChain, secrets{})}
	}
	return list
}

func cleanWords(list []string, most int, s secrets) []string {
	list = slices.Clone(list[:min(most, len(list))])
	for i, one := range list {
		list[i] = plain(s.scrub(one), maxValue)
	}
	return list
}

package advisories

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumb/policies/patch"
)

// tracked is one CVE of one source package in the tracker's file.
type tracked struct {
	Description string                   `json:"description"`
	Releases    map[string]trackedStatus `json:"releases"`
}

type trackedStatus struct {
	// Status is resolved, open or undetermined.
	Status string `json:"status"`
	// FixedVersion is "0" where the release was never affected.
	FixedVersion string `json:"fixed_version"`
	// Urgency is high, medium, low, unimportant, not yet assigned or end-of-life.
	Urgency string `json:"urgency"`
}

// readDebian reads source package → CVE → state by release.
func readDebian(raw []byte) ([]patch.Advisory, error) {
	var file map[string]map[string]tracked
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	found := map[string]*patch.Advisory{}
	for _, source := range slices.Sorted(maps.Keys(file)) {
		for id, one := range file[source] {
			if !idForm.MatchString(id) || !packageForm.MatchString(source) {
				return nil, fmt.Errorf("%w: %q of %q is no advisory", ErrFormat, line(id, maxWord), line(source, maxWord))
			}
			addTracked(found, id, source, one)
		}
	}
	list := make([]patch.Advisory, 0, len(found))
	for _, id := range slices.Sorted(maps.Keys(found)) {
		list = append(list, *found[id])
	}
	return list, nil
}

func addTracked(found map[string]*patch.Advisory, id, source string, one tracked) {
	for _, release := range slices.Sorted(maps.Keys(one.Releases)) {
		state := one.Releases[release]
		if state.FixedVersion == "0" || state.Status == "undetermined" || state.Urgency == "unimportant" || !usable(state.FixedVersion) || !packageForm.MatchString(release) {
			continue // not affected, or nobody knows
		}
		a := found[id]
		if a == nil {
			a = &patch.Advisory{ID: id, Feed: "debian", Summary: line(one.Description, maxSummary), Severity: "unknown", CVEs: cves(id)}
			found[id] = a
		}
		fixed := state.FixedVersion
		if state.Status != "resolved" {
			fixed = ""
		}
		a.Severity = patch.Worst([]patch.Advisory{*a, {Severity: debianSeverity(state.Urgency)}})
		if len(a.Affected) < maxAffected {
			a.Affected = append(a.Affected, patch.Affected{Origin: "Debian", Release: release, Package: source, Fixed: fixed})
		}
	}
}

// debianSeverity: stars mark what the tracker only guesses. It knows no critical.
func debianSeverity(urgency string) string {
	switch word := strings.TrimRight(urgency, "*"); word {
	case "high", "medium", "low":
		return word
	}
	return "unknown"
}

package system

import (
	"slices"
	"strings"
)

// parseAptPlan reads what "apt-get -s" prints:
//
//	Inst libc6 [2.36-9] (2.36-10 Debian:12/stable [amd64])
//	Remv nginx [1.22.1-9]
func parseAptPlan(out string) AptPlan {
	plan := AptPlan{Install: map[string]string{}, Old: map[string]string{}}
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "Inst":
			plan.install(words[1], words[2:])
		case "Remv", "Purg":
			plan.Remove = append(plan.Remove, words[1])
		}
	}
	slices.Sort(plan.Remove)
	plan.Remove = slices.Compact(plan.Remove)
	return plan
}

// install takes the old version in brackets, if any, and the new one behind "(".
func (p AptPlan) install(name string, words []string) {
	for _, w := range words {
		if version, ok := strings.CutPrefix(w, "("); ok {
			p.Install[name] = strings.TrimSuffix(version, ")")
			return
		}
		if len(w) > 2 && w[0] == '[' {
			p.Old[name] = strings.Trim(w, "[]")
		}
	}
}

// parseMadison reads the versions of "apt-cache madison": " nginx | 1.22.1-9 | http://… Packages".
// Lines of sources are passed over.
func parseMadison(out string) []string {
	var versions []string
	for line := range strings.Lines(out) {
		parts := strings.Split(line, "|")
		if len(parts) != 3 || strings.HasSuffix(strings.TrimSpace(parts[2]), "Sources") {
			continue
		}
		if v := strings.TrimSpace(parts[1]); v != "" && !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	return versions
}

// parseCandidate reads the "Candidate:" line of "apt-cache policy".
func parseCandidate(out string) string {
	for line := range strings.Lines(out) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate:"); ok {
			if v = strings.TrimSpace(v); v != "(none)" {
				return v
			}
		}
	}
	return ""
}

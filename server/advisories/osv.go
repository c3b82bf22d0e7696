package advisories

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/policies/patch"
)

// osv is the part of the Open Source Vulnerability format that we use.
type osv struct {
	ID        string    `json:"id"`
	Summary   string    `json:"summary"`
	Details   string    `json:"details"`
	Aliases   []string  `json:"aliases"`
	Related   []string  `json:"related"`
	Upstream  []string  `json:"upstream"`
	Published string    `json:"published"`
	Withdrawn string    `json:"withdrawn"`
	Affected  []osvPart `json:"affected"`
	Severity  []struct {
		Type  string `json:"type"`
		Score string `json:"score"`
	} `json:"severity"`
	Specific osvExtra `json:"database_specific"`
}

// osvExtra holds what feeds add. Not all of them use the same types, so it is read with care.
type osvExtra struct {
	Severity  json.RawMessage `json:"severity"`
	Exploited json.RawMessage `json:"exploited"`
	KEV       json.RawMessage `json:"kev"`
}

type osvPart struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Ranges []struct {
		Type   string              `json:"type"`
		Events []map[string]string `json:"events"`
	} `json:"ranges"`
	Specific  osvUrgency `json:"database_specific"`
	Ecosystem osvUrgency `json:"ecosystem_specific"`
}

type osvUrgency struct {
	Urgency json.RawMessage `json:"urgency"`
}

func readOSV(raw []byte) ([]patch.Advisory, error) {
	var file []osv
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	list := make([]patch.Advisory, 0, len(file))
	for i, one := range file {
		if !idForm.MatchString(one.ID) {
			return nil, fmt.Errorf("%w: number %d has no usable id", ErrFormat, i+1)
		}
		if a := one.advisory(); one.Withdrawn == "" && len(a.Affected) > 0 {
			list = append(list, a)
		}
	}
	return list, nil
}

func (o osv) advisory() patch.Advisory {
	summary := o.Summary
	if summary == "" {
		summary, _, _ = strings.Cut(o.Details, "\n")
	}
	a := patch.Advisory{ID: o.ID, Feed: "osv", Summary: line(summary, maxSummary), Severity: o.severity(),
		CVEs: cves(slices.Concat([]string{o.ID}, o.Aliases, o.Related, o.Upstream)...), Exploited: isTrue(o.Specific.Exploited) || isTrue(o.Specific.KEV)}
	if published, err := time.Parse(time.RFC3339, o.Published); err == nil {
		a.Published = published.UTC().Truncate(time.Millisecond)
	}
	for _, part := range o.Affected {
		a.Affected = append(a.Affected, part.affected()...)
	}
	a.Affected = a.Affected[:min(len(a.Affected), maxAffected)]
	return a
}

func isTrue(raw json.RawMessage) bool { return string(raw) == "true" }

// severity takes the feed's own word, else the worst that a part names, else the CVSS score.
func (o osv) severity() string {
	words := []patch.Advisory{{Severity: severityWord(o.Specific.Severity)}}
	for _, part := range o.Affected {
		words = append(words, patch.Advisory{Severity: severityWord(part.Specific.Urgency)}, patch.Advisory{Severity: severityWord(part.Ecosystem.Urgency)})
	}
	for _, s := range o.Severity {
		words = append(words, patch.Advisory{Severity: severityText(s.Score)})
	}
	return patch.Worst(words)
}

func severityWord(raw json.RawMessage) string {
	var word string
	if json.Unmarshal(raw, &word) != nil {
		return "unknown"
	}
	return severityText(word)
}

// severityText reads the words that distributions use. A CVSS vector is not scored: its base
// score says nothing about the distribution's own build.
func severityText(word string) string {
	switch strings.TrimRight(strings.ToLower(word), "*") {
	case "critical":
		return "critical"
	case "high", "important":
		return "high"
	case "medium", "moderate":
		return "medium"
	case "low", "negligible":
		return "low"
	}
	return "unknown"
}

// affected returns one entry for each range of a distribution that we know.
func (p osvPart) affected() []patch.Affected {
	origin, release, ok := ecosystem(p.Package.Ecosystem)
	if !ok || !packageForm.MatchString(p.Package.Name) {
		return nil
	}
	var list []patch.Affected
	for _, r := range p.Ranges {
		if r.Type != "ECOSYSTEM" {
			continue
		}
		one := patch.Affected{Origin: origin, Release: release, Package: p.Package.Name}
		for _, event := range r.Events {
			if fixed := event["fixed"]; fixed != "" && usable(fixed) {
				one.Fixed = fixed
			}
		}
		if one.Fixed != "0" {
			list = append(list, one)
		}
	}
	return list
}

// ecosystem reads "Debian:12" or "Ubuntu:22.04:LTS". A release that is not in the list is
// named by its number, which matches no repository.
func ecosystem(text string) (origin, release string, ok bool) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || parts[0] != "Debian" && parts[0] != "Ubuntu" {
		return "", "", false
	}
	number := ""
	for _, part := range parts[1:] { // Ubuntu:Pro:22.04:LTS
		if part != "" && part[0] >= '0' && part[0] <= '9' {
			number = part
		}
	}
	if name := codenames[parts[0]+" "+number]; name != "" {
		return parts[0], name, true
	}
	return parts[0], line(number, 20), number != ""
}

var codenames = map[string]string{
	"Debian 10": "buster", "Debian 11": "bullseye", "Debian 12": "bookworm", "Debian 13": "trixie", "Debian 14": "forky",
	"Ubuntu 18.04": "bionic", "Ubuntu 20.04": "focal", "Ubuntu 22.04": "jammy", "Ubuntu 24.04": "noble",
	"Ubuntu 25.04": "plucky", "Ubuntu 25.10": "questing",
}

package lang

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/policies/bundle"
	"plumb/policies/patch"
)

// lane is a tree whose rollout has an emergency lane with that match.
func lane(match string) bundle.Tree {
	return site("group \"all\" { match = true }\npatch_baseline \"b\" {\n  source { label = \"x\" }\n}\nrollout \"r\" {\n  carries = patch_baseline.b\n" +
		"  emergency {\n    match = " + match + "\n  }\n  ring \"all\" { group = group.all }\n}\n")
}

func advisories() []patch.Advisory {
	return []patch.Advisory{
		{ID: "DSA-3-1", Feed: "osv", Severity: "low", CVEs: []string{}},
		{ID: "DSA-2-1", Severity: "critical", Exploited: true, CVEs: []string{"CVE-2026-2", "CVE-2026-3"}, Summary: "openssl: remote code"},
		{ID: "DSA-1-1", Severity: "critical", CVEs: []string{"CVE-2026-1"}, Summary: "nginx: crash"},
		{ID: "DSA-1-1", Feed: "debian", Severity: "critical"},
	}
}

func TestEmergencies(t *testing.T) {
	cases := map[string]struct {
		match string
		want  []string
	}{
		"severity":     {`advisory.severity == "critical"`, []string{"DSA-1-1", "DSA-2-1"}},
		"both":         {`advisory.severity == "critical" && advisory.exploited`, []string{"DSA-2-1"}},
		"number":       {`contains(advisory.cves, "CVE-2026-3")`, []string{"DSA-2-1"}},
		"words":        {`strcontains(advisory.summary, "nginx")`, []string{"DSA-1-1"}},
		"name":         {`advisory.id == "DSA-3-1"`, []string{"DSA-3-1"}},
		"loop":         {`anytrue([for c in advisory.cves : endswith(c, "-2")])`, []string{"DSA-2-1"}},
		"all":          {`true`, []string{"DSA-1-1", "DSA-2-1", "DSA-3-1"}},
		"none":         {`false`, []string{}},
		"guarded step": {`try(advisory.cves[1], "") == "CVE-2026-3"`, []string{"DSA-2-1"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, problems := loaded(t, lane(c.match)).Emergencies(advisories())
			mustBeFine(t, problems)
			if diff := cmp.Diff(map[string][]string{"r": c.want}, got); diff != "" {
				t.Errorf("Emergencies(%s) (-want +got):\n%s", c.match, diff)
			}
		})
	}
}

// What cannot be told is no emergency, and is said once.
func TestUnjudgedAdvisory(t *testing.T) {
	got, problems := loaded(t, lane(`advisory.cves[0] == "CVE-2026-1"`)).Emergencies(advisories())
	if diff := cmp.Diff(map[string][]string{"r": {"DSA-1-1"}}, got); diff != "" {
		t.Errorf("emergencies (-want +got):\n%s", diff)
	}
	if len(problems) != 1 || problems[0].Line != 8 || !strings.Contains(problems[0].Detail, "the advisory DSA-3-1") {
		t.Errorf("problems = %+v, want one that names the first advisory", problems)
	}
}

func TestNoEmergencyLane(t *testing.T) {
	got, problems := loaded(t, site(rolloutWithout)).Emergencies(advisories())
	if len(got) > 0 || len(problems) > 0 {
		t.Errorf("Emergencies() = %v, %v, want nothing", got, problems)
	}
}

const rolloutWithout = "group \"all\" { match = true }\nrollout \"r\" {\n  carries = \"releases\"\n  ring \"all\" { group = group.all }\n}\n"

// FuzzEmergency has what is drawn as a match.
func FuzzEmergency(f *testing.F) {
	for _, match := range []string{`advisory.exploited`, `advisory.severity == "critical"`, `[for c in advisory.cves : c][0] == "x"`, `advisory`, `null`,
		`advisory.cves[*] == []`, `sensitive(true)`, `{ a = advisory }.a.exploited`, `var.x`, `advisory["id"] == "DSA-1-1"`} {
		f.Add(match)
	}
	f.Fuzz(func(t *testing.T, match string) {
		c, problems := Load(lane(match))
		judgeProblems(t, problems)
		for _, p := range problems {
			if p.Severity == "error" {
				return
			}
		}
		found, unjudged := c.Emergencies(advisories())
		judgeProblems(t, unjudged)
		for _, id := range found["r"] {
			if !strings.HasPrefix(id, "DSA-") {
				t.Fatalf("found %q, which nobody asked for", id)
			}
		}
	})
}

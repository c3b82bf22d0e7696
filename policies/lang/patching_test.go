package lang

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/policies/patch"
)

func TestTerms(t *testing.T) {
	got := compiled(t, readTree(t, "testdata/valid/patching"), debian()).Terms
	line := func(n int) policies.Position { return policies.Position{File: "patching.hcl", Line: n} }
	const day = 86400
	want := patch.Terms{Groups: []string{"broad", "linux"},
		Baselines: []patch.Baseline{{Name: "security", At: line(12),
			Sources: []patch.Source{{Origin: "Debian", Label: "Debian-Security", Codename: "bookworm-security"}},
			Rules: []patch.Rule{
				{Classification: []string{"security"}, Severity: []string{"critical", "high"}, Level: "critical"},
				{Classification: []string{"kernel", "security"}, After: 2 * day},
				{Packages: []string{"tzdata"}, SeenUntil: time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC)},
			},
			Rejects: []patch.Reject{{Packages: []string{"postgresql-15", "openssl=3.0.22-*"}, Action: "block",
				Reason: "The database team patches by hand.", Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)}},
			Approved: []string{"ca-certificates"}, ApprovedLevel: "low"}},
		SLAs: []patch.SLA{{Name: "standard", Anchor: "published", Exploited: 3 * day, At: line(51),
			Within: map[string]int{"critical": 7 * day, "high": 14 * day, "medium": 30 * day}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
}

func TestCarriedBaselineMustBeThere(t *testing.T) {
	tree := readTree(t, "testdata/valid/patching")
	tree["rollout.hcl"] = []byte("rollout \"patches\" {\n  carries = patch_baseline.securty\n  ring \"all\" {\n    group = group.linux\n  }\n}\n")
	found := false
	for _, p := range problemsOf(tree, debian()) {
		found = found || p.Summary == "Unknown patch baseline" && p.File == "rollout.hcl" && p.Line == 2 && strings.Contains(p.Detail, `Did you mean "security"?`)
	}
	if !found {
		t.Errorf("problems = %+v, want one about the unknown baseline", problemsOf(tree, debian()))
	}
}

package lang

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/policies/bundle"
)

const rolloutBlock = `
group "canary" { match = host.name == "a" }
group "rest" { match = !group.canary }

rollout "config" {
  carries   = "releases"
  conffiles = "keep"
  preflight {
    min_free = { "/" = "1GiB" }
  }
  failure_budget {
    percent    = 5
    count      = 0
    min_sample = 10
  }
  ring "canary" {
    group  = group.canary
    window = [window.sat_night]
    gate {
      soak = "24h"
    }
  }
  ring "broad" {
    group           = group.rest
    deferral        = "7d"
    deadline        = "14d"
    grace           = "2d"
    max_unavailable = "10%"
    gate {
      converged = "98%"
      approval  = true
      min_hosts = 0
    }
  }
  emergency {
    match = advisory.severity == "critical" && advisory.exploited
    soak  = "2h"
  }
}
window "sat_night" {
  cron     = "0 22 * * 6"
  duration = "5h"
}
`

func TestRolloutBlock(t *testing.T) {
	c, problems := Load(bundle.Tree{"a.hcl": []byte(rolloutBlock)})
	for _, p := range problems {
		if p.Severity == "error" {
			t.Errorf("problem: %s", p)
		}
	}
	percent, count := 5.0, 0
	want := []policies.Rollout{{
		Name: "config", Carries: "releases", Conffiles: "keep", MinFree: map[string]string{"/": "1GiB"},
		Budget: &policies.Budget{Percent: &percent, Count: &count, MinSample: 10},
		Rings: []policies.Ring{
			{Name: "canary", Group: "canary", Windows: []string{"sat_night"}, Gate: policies.Gate{Converged: 100, Soak: 86400, MinHosts: 1}},
			{Name: "broad", Group: "rest", Deferral: 7 * 86400, Deadline: 14 * 86400, Grace: 2 * 86400,
				MaxUnavailable: &policies.Share{Percent: 10}, Gate: policies.Gate{Converged: 98, Approval: true}},
		},
		Emergency: &policies.Emergency{Match: `advisory.severity == "critical" && advisory.exploited`, Soak: 7200},
		Source:    policies.Position{File: "a.hcl", Line: 5},
	}}
	if diff := cmp.Diff(want, c.Rollouts()); diff != "" {
		t.Errorf("Rollouts differ (-want +got):\n%s", diff)
	}
}

func TestRolloutInJSON(t *testing.T) {
	src := `{"group": {"all": {"match": "${true}"}},
		"rollout": {"r": {"carries": "releases", "ring": {"one": {"group": "group.all", "max_unavailable": 3, "gate": {"soak": "1h"}}}}}}`
	c, problems := Load(bundle.Tree{"a.hcl.json": []byte(src)})
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	want := []policies.Ring{{Name: "one", Group: "all", MaxUnavailable: &policies.Share{Count: 3}, Gate: policies.Gate{Converged: 100, Soak: 3600, MinHosts: 1}}}
	if diff := cmp.Diff(want, c.Rollouts()[0].Rings); diff != "" {
		t.Errorf("Rings differ (-want +got):\n%s", diff)
	}
}

func TestPatchRolloutInJSON(t *testing.T) {
	src := `{"group": {"all": {"match": "${true}"}}, "patch_baseline": {"b": {"source": {"label": "x"}}},
		"rollout": {"r": {"carries": "patch_baseline.b", "kernels": 1, "hooks": {"before": ["/bin/echo", "hello"]}, "probe": {"db": {"tcp": "127.0.0.1:5432"}},
			"preflight": {"min_free": {"/": "1MiB"}}, "emergency": {"match": "${advisory.exploited}"}, "ring": {"one": {"group": "group.all"}}}}}`
	c := loaded(t, bundle.Tree{"a.hcl.json": []byte(src)})
	got := attributesOf(t, patchesOf(c.Compile(debian()))[0])
	if got.MinFree["/"] != 1<<20 || *got.Kernels != 1 || got.Hooks.Before[1] != "hello" || got.Probes[0].TCP != "127.0.0.1:5432" {
		t.Errorf("attributes = %+v, want what stands in JSON", got)
	}
	found, problems := c.Emergencies(advisories())
	if len(problems) > 0 || !cmp.Equal(found, map[string][]string{"r": {"DSA-2-1"}}) {
		t.Errorf("Emergencies() = %v, %v, want DSA-2-1", found, problems)
	}
}

package lang

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
)

func TestDescribe(t *testing.T) {
	c := loaded(t, site(`
group "web" { match = host.labels.role == "web" }
variable "mode" {
  type    = string
  default = "audit"
}
locals { team = "platform" }
policy "whole" {
  title      = "SSH of ${local.team}"
  version    = "1.4.0"
  applies_to = (
    group.web &&
    fact.os.family == "debian"
  )
  mode       = "audit"
  severity   = "high"
}
policy "plain" {
}
policy "open" {
  title      = "Of ${host.name}"
  mode       = var.mode
  severity   = fact.chassis == "server" ? "high" : "low"
}
`))
	want := []policies.PolicyInfo{
		{Name: "open", Source: policies.Position{File: "site.hcl", Line: 20}},
		{Name: "plain", Mode: policies.Enforce, Source: policies.Position{File: "site.hcl", Line: 18}},
		{Name: "whole", Title: "SSH of platform", Version: "1.4.0", Mode: policies.Audit, Severity: "high",
			AppliesTo: `( group.web && fact.os.family == "debian" )`, Source: policies.Position{File: "site.hcl", Line: 8}},
	}
	if diff := cmp.Diff(want, c.Describe()); diff != "" {
		t.Errorf("Describe() differs (-want +got):\n%s", diff)
	}
}

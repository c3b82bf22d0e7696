package lang

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
)

const waiverSite = `
group "north" { match = host.labels.site == "north" }

policy "p" {
  resource "file" "motd" {
    path     = "/etc/motd"
    controls = ["cis:1"]
  }
  resource "file" "each" {
    for_each = toset(["a", "b"])
    path     = "/etc/${each.key}"
  }
  check "command" "c" {
    command  = ["true"]
    controls = ["cis:2"]
  }
}
policy "q" {
  resource "file" "same" {
    path     = "/etc/motd"
    controls = ["cis:3"]
  }
}

waiver "by_control" {
  controls    = ["cis:3", "cis:2"]
  applies_to  = group.north
  reason      = "The appliance"
  risk        = "medium"
  ticket      = "CHG-1"
  approved_by = ["ciso@example.org"]
  from        = "2026-01-01T00:00:00+01:00"
  expires     = "2026-06-01T00:00:00+02:00"
}
waiver "by_address" {
  resources = [policy.q.file.same, policy.p.file.each["b"]]
  effect    = "skip"
  reason    = "Another"
  expires   = "2026-06-01T00:00:00Z"
}
waiver "of_others" {
  controls   = ["cis:1"]
  applies_to = !group.north
  reason     = "South only"
  expires    = "2026-06-01T00:00:00Z"
}
`

func TestWaiversOfAHost(t *testing.T) {
	c := loaded(t, site(waiverSite))
	catalog := c.Compile(debian()).Catalog
	got := map[string][]string{}
	for _, one := range catalog.Resources {
		if one.Waivers != nil {
			got[one.Address] = one.Waivers
		}
	}
	want := map[string][]string{
		"policy.p.file.motd":       {"by_address", "by_control"}, // merged with that of q
		`policy.p.file.each["b"]`:  {"by_address"},
		"policy.p.check.command.c": {"by_control"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("waivers of resources (-want +got):\n%s", diff)
	}
	if len(catalog.Waivers) != 2 || len(c.Waivers()) != 3 {
		t.Errorf("the catalog has %d waivers and the tree %d, want 2 and 3", len(catalog.Waivers), len(c.Waivers()))
	}
	full := policies.Waiver{Name: "by_control", From: time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC), Expires: time.Date(2026, 5, 31, 22, 0, 0, 0, time.UTC),
		Effect: "audit", Reason: "The appliance", Risk: "medium", Ticket: "CHG-1", ApprovedBy: []string{"ciso@example.org"},
		Controls: []string{"cis:3", "cis:2"}, AppliesTo: "group.north", Source: policies.Position{File: "site.hcl", Line: 25}}
	if diff := cmp.Diff(full, catalog.Waivers["by_control"]); diff != "" {
		t.Errorf("waiver (-want +got):\n%s", diff)
	}
	var again policies.Catalog
	raw, _, err := Digest(catalog)
	if err == nil {
		err = json.Unmarshal(raw, &again)
	}
	if diff := cmp.Diff(catalog.Waivers, again.Waivers); err != nil || diff != "" {
		t.Errorf("the JSON of the catalog tells of other waivers: %v\n%s", err, diff)
	}
}

// TestWaiverOfControlsThatDependOnTheHost cannot be judged without one.
func TestWaiverOfControlsThatDependOnTheHost(t *testing.T) {
	loaded(t, site(`
policy "p" {
  resource "file" "motd" {
    path     = "/etc/motd"
    controls = ["cis:${fact.os.version}"]
  }
}
waiver "w" {
  controls = ["cis:99"]
  reason   = "Not known before there is a host"
  expires  = "2026-06-01T00:00:00Z"
}`))
}

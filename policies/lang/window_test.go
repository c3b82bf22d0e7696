package lang

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies/calendar"
)

const windowSite = `
group "north" { match = host.labels.site == "north" }
group "south" { match = host.labels.site == "south" }

window "night" {
  rrule    = "FREQ=MONTHLY;BYDAY=2TU"
  start    = "22:00"
  duration = "5h"
  cutoff   = "1h"
  timezone = "Europe/Berlin"
  offset   = "7d"
  classes  = ["config", "package"]
  from     = "2026-01-01T00:00:00+01:00"
  until    = "2030-01-01T00:00:00Z"
}
window "noon" {
  cron     = "0 12 * * *"
  duration = "30m"
}
window "unused" {
  cron     = "0 13 * * *"
  duration = "30m"
}
freeze "north" {
  from   = "2026-12-18T00:00:00+01:00"
  until  = "2027-01-04T06:00:00+01:00"
  groups = [group.south, group.north]
  allow  = ["emergency"]
  reason = "Year-end closing"
}
freeze "south" {
  from   = "2026-12-18T00:00:00+01:00"
  until  = "2027-01-04T06:00:00+01:00"
  groups = group.south
}
freeze "reboots" {
  from    = "2026-12-18T00:00:00+01:00"
  until   = "2027-01-04T06:00:00+01:00"
  classes = ["reboot"]
}
policy "p" {
  resource "directory" "a" {
    path   = "/a"
    window = [window.noon, window.night, window.noon]
  }
  resource "directory" "b" {
    path = "/b"
  }
}
`

func TestWindowsAndFreezesOfAHost(t *testing.T) {
	catalog := compiled(t, site(windowSite), debian()).Catalog
	var got []string
	for _, f := range catalog.Freezes {
		got = append(got, f.Name)
	}
	if diff := cmp.Diff([]string{"north", "reboots"}, got); diff != "" {
		t.Errorf("freezes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"night", "noon"}, catalog.Find("directory.a").Window); diff != "" {
		t.Errorf("windows of a (-want +got):\n%s", diff)
	}
	if w := catalog.Find("directory.b").Window; w != nil {
		t.Errorf("b waits for %v", w)
	}
	want := map[string]calendar.Window{
		"night": {Name: "night", RRule: "FREQ=MONTHLY;BYDAY=2TU", Start: "22:00", Duration: 18000, Cutoff: 3600, Timezone: "Europe/Berlin", OffsetDays: 7,
			Classes: []string{"config", "package"}, From: time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC), Until: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)},
		"noon": {Name: "noon", Cron: "0 12 * * *", Duration: 1800},
	}
	if diff := cmp.Diff(want, catalog.Windows); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
}

func TestWindowsOfATree(t *testing.T) {
	c := loaded(t, site(windowSite))
	if n := len(c.Windows()); n != 3 {
		t.Errorf("the tree has %d windows, want 3", n)
	}
	freezes := c.Freezes()
	if diff := cmp.Diff([]string{"group.south", "group.north"}, freezes[0].Groups); len(freezes) != 3 || diff != "" {
		t.Errorf("%d freezes, groups of the first (-want +got):\n%s", len(freezes), diff)
	}
}

// A window is no property of the thing, so two policies may still declare the same.
func TestEqualDeclarationsJoinTheirWindows(t *testing.T) {
	src := `
window "a" {
  cron     = "0 12 * * *"
  duration = "30m"
}
policy "one" {
  resource "directory" "d" { path = "/d" }
}
policy "two" {
  resource "directory" "d" {
    path   = "/d"
    window = [window.a]
  }
}`
	catalog := compiled(t, site(src), debian()).Catalog
	if len(catalog.Resources) != 1 {
		t.Fatalf("the catalog has %d resources, want 1", len(catalog.Resources))
	}
	if diff := cmp.Diff([]string{"a"}, catalog.Resources[0].Window); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
}

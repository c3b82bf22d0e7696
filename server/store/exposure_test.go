package store

import (
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
)

func TestExposures(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id, other := enrol(t, s, "web1", start), enrol(t, s, "web2", start)
		hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
		set := func(n int, id inventory.HostID, names ...string) {
			t.Helper()
			must(t, s.SetExposed(ctx, map[inventory.HostID][]string{id: names}, hour(n)))
		}
		set(0, id, "DSA-1", "DSA-2")
		set(0, other, "DSA-1")
		set(1, id, "DSA-2")
		set(2, id, "DSA-2") // nothing new
		set(3, id, "DSA-1")
		must(t, s.Revoke(ctx, other, "root", hour(3)))
		want := []Exposure{
			{Host: id, Advisory: "DSA-1", Since: hour(0), Until: hour(1)},
			{Host: id, Advisory: "DSA-1", Since: hour(3), Again: true},
			{Host: id, Advisory: "DSA-2", Since: hour(0), Until: hour(3)},
		}
		got, err := s.Exposures(ctx, start)
		must(t, err)
		same(t, "exposures", got, want)
		got, err = s.Exposures(ctx, hour(2))
		must(t, err)
		same(t, "exposures that ended late or last", got, want[1:])
	})
}

func TestAdvisoriesOfHosts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		notice := func(id, feed, name, severity string) patch.Advisory {
			return patch.Advisory{ID: id, Feed: feed, Severity: severity, CVEs: []string{}, Affected: []patch.Affected{{Origin: feed, Package: name, Fixed: "2"}}}
		}
		must(t, s.PutAdvisories(ctx, []patch.Advisory{notice("DSA-1", "osv", "openssl", "high")}, start))
		later := start.Add(time.Hour)
		one, two := step("e", 1, "r", start), step("e", 2, "r", start)
		one.Notices = []patch.Advisory{notice("RHSA-1", "dnf", "openssl", "low"), notice("DSA-1", "dnf", "openssl", "critical")}
		two.Notices = []patch.Advisory{notice("RHSA-1", "dnf", "bash", "critical"), notice("RHSA-1", "dnf", "openssl", "critical")}
		must(t, s.Accept(ctx, id, "", 0, []Step{one}, start))
		must(t, s.Accept(ctx, id, "e", 1, []Step{two}, later))
		all, err := s.Advisories(ctx, AdvisoryFilter{})
		must(t, err)
		both := notice("RHSA-1", "dnf", "openssl", "low")
		both.Affected = append(both.Affected, patch.Affected{Origin: "dnf", Package: "bash", Fixed: "2"})
		same(t, "advisories", all, []Advisory{{notice("DSA-1", "osv", "openssl", "high"), start}, {both, start}})
		some, err := s.Advisories(ctx, AdvisoryFilter{IDs: []string{"RHSA-1", "unheard"}})
		must(t, err)
		same(t, "advisories by name", some, all[1:])
		some, err = s.Advisories(ctx, AdvisoryFilter{Packages: []string{"bash"}})
		must(t, err)
		same(t, "advisories of a package that another report named", some, all[1:])
	})
}

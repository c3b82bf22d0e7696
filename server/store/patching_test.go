package store

import (
	"sync"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
)

func offer(name, version string) inventory.Offer {
	return inventory.Offer{Package: name, Source: name, Installed: "0", Candidate: version, Manager: "apt",
		Origin: "Debian", Label: "Debian-Security", Codename: "bookworm-security", Security: true}
}

func TestVersionsAreSeenOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		first := step("e", 1, "r1", start)
		first.Host.Offers, first.Offered = "offers-1", []inventory.Offer{offer("openssl", "1"), offer("bash", "2")}
		must(t, s.Accept(ctx, id, "", 0, []Step{first}, start))
		later := start.Add(48 * time.Hour)
		second := step("e", 2, "r2", later)
		second.Host.Offers, second.Offered = "offers-2", []inventory.Offer{offer("openssl", "1"), offer("openssl", "1.1")}
		must(t, s.Accept(ctx, id, "e", 1, []Step{second}, later))
		h, err := s.Host(ctx, id)
		must(t, err)
		same(t, "offers", h.Offers, "offers-2")
		elsewhere := VersionOf(offer("openssl", "1"))
		elsewhere.Repository = "Debian/Debian/bookworm"
		got, err := s.FirstSeen(ctx, []Version{VersionOf(offer("openssl", "1")), VersionOf(offer("openssl", "1.1")), VersionOf(offer("openssl", "1")), elsewhere})
		must(t, err)
		same(t, "first seen", got, map[Version]time.Time{VersionOf(offer("openssl", "1")): start, VersionOf(offer("openssl", "1.1")): later})
	})
}

func TestRefusedReportLeavesNoVersion(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		one := step("e", 1, "r1", start)
		one.Offered = []inventory.Offer{offer("openssl", "1")}
		wantErr(t, s.Accept(ctx, id, "another", 7, []Step{one}, start), ErrConflict)
		got, err := s.FirstSeen(ctx, []Version{VersionOf(one.Offered[0])})
		must(t, err)
		same(t, "first seen", got, map[Version]time.Time{})
	})
}

// Many hosts see the same versions at once, each in another order.
func TestVersionsOfManyHosts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ids := []inventory.HostID{}
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			ids = append(ids, enrol(t, s, name, start))
		}
		offers := []inventory.Offer{offer("a", "1"), offer("b", "1"), offer("c", "1"), offer("d", "1"), offer("e", "1")}
		var wg sync.WaitGroup
		for n, id := range ids {
			wg.Go(func() {
				one := step("e", 1, "r", start)
				one.Offered = append(append([]inventory.Offer{}, offers[n%5:]...), offers[:n%5]...)
				if err := s.Accept(t.Context(), id, "", 0, []Step{one}, start); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := s.FirstSeen(t.Context(), []Version{VersionOf(offers[0]), VersionOf(offers[4])})
		must(t, err)
		same(t, "number of versions", len(got), 2)
	})
}

func TestTerms(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		must(t, s.Accept(ctx, id, "", 0, []Step{step("e", 1, "r1", start)}, start))
		h, err := s.Host(ctx, id)
		must(t, err)
		must(t, s.SetExpected(ctx, []Expectation{{Host: h, Terms: []byte("terms")}}, start))
		must(t, s.Accept(ctx, id, "e", 1, []Step{step("e", 2, "r2", start)}, start))
		got, err := s.Host(ctx, id)
		must(t, err)
		same(t, "terms after another report", got.Terms, inventory.Digest([]byte("terms")))
		h.Release = 9
		must(t, s.SetExpected(ctx, []Expectation{{Host: h, Terms: []byte("of a release before")}}, start))
		later, err := s.Host(ctx, id)
		must(t, err)
		same(t, "terms of a host that has moved on", later.Terms, got.Terms)
	})
}

func TestAdvisories(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		a := patch.Advisory{ID: "CVE-2026-1", Feed: "debian", Severity: "high", CVEs: []string{"CVE-2026-1"}, Published: start.Add(-time.Hour),
			Affected: []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: "openssl", Fixed: "2"}, {Origin: "Debian", Release: "trixie", Package: "openssl"}}}
		b := patch.Advisory{ID: "CVE-2026-2", Feed: "debian", Severity: "low", CVEs: []string{}, Exploited: true, Affected: []patch.Affected{{Package: "bash"}}}
		must(t, s.PutAdvisories(ctx, []patch.Advisory{b, a}, start))
		all, err := s.Advisories(ctx, AdvisoryFilter{})
		must(t, err)
		same(t, "all", all, []Advisory{{a, start}, {b, start}})
		a.Severity, a.Affected = "critical", []patch.Affected{{Package: "libssl"}}
		must(t, s.PutAdvisories(ctx, []patch.Advisory{a}, start.Add(time.Hour)))
		for name, c := range map[string]struct {
			filter AdvisoryFilter
			want   []Advisory
		}{
			"package it had":   {AdvisoryFilter{Packages: []string{"openssl"}}, []Advisory{}},
			"packages":         {AdvisoryFilter{Packages: []string{"libssl", "bash"}}, []Advisory{{a, start}, {b, start}}},
			"severity":         {AdvisoryFilter{Severity: "critical"}, []Advisory{{a, start}}},
			"exploited":        {AdvisoryFilter{Exploited: true}, []Advisory{{b, start}}},
			"both":             {AdvisoryFilter{Severity: "low", Packages: []string{"libssl"}}, []Advisory{}},
			"limit":            {AdvisoryFilter{Limit: 1}, []Advisory{{a, start}}},
			"many of packages": {AdvisoryFilter{Packages: append(make([]string, 2*packagesAtOnce), "bash", "bash")}, []Advisory{{b, start}}},
		} {
			got, err := s.Advisories(ctx, c.filter)
			must(t, err)
			same(t, name, got, c.want)
		}
	})
}

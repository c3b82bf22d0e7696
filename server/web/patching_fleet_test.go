package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/compiler"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
	"plumb/server/views"
)

// groups stands in for the compiler: a host is in the group that its name begins with, and all
// rollouts carry patches to all hosts.
type groups struct{ rollouts []string }

func (g groups) Compile(_ context.Context, req compiler.Request) (compiler.Response, error) {
	var catalog policies.Catalog
	for _, name := range g.rollouts {
		catalog.Resources = append(catalog.Resources, policies.Resource{Address: "rollout." + name, Kind: "patch"})
	}
	raw, err := json.Marshal(catalog)
	res := compiler.Response{Windows: []calendar.Window{{Name: "sat_night", RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 5 * 3600, Timezone: "host"}}}
	for _, in := range req.Hosts {
		group := strings.TrimRight(strings.SplitN(in.Host.Name, ".", 2)[0], "0123456789")
		res.Hosts = append(res.Hosts, compiler.Compiled{Groups: []string{group}, Catalog: raw})
	}
	return res, err
}

// drive starts the engine over what is stored, and lets it look at the hosts once.
func (f *fleet) drive(rollouts ...string) {
	f.t.Helper()
	f.driver = &rollout.Driver{Store: f.store, Compiler: groups{rollouts}, Now: func() time.Time { return start }, Log: slog.New(slog.DiscardHandler)}
	must(f.t, f.driver.Step(f.t.Context()))
}

// ringed is a plan with a ring for each group.
func ringed(name, carries string, rings ...string) policies.Rollout {
	plan := policies.Rollout{Name: name, Carries: carries, Emergency: &policies.Emergency{Match: "true", Soak: 3600}}
	for i, group := range rings {
		r := policies.Ring{Name: []string{"canary", "early", "broad", "a_ring_with_quite_a_long_name"}[i], Group: group, Gate: policies.Gate{Converged: 95, MinHosts: 1, Soak: 24 * 3600}}
		if i > 0 {
			r.Windows, r.Gate.Approval, r.Gate.MinHosts = []string{"sat_night"}, i == 1, 2
		}
		plan.Rings = append(plan.Rings, r)
	}
	return plan
}

// grants say that hosts were given a change in a ring.
func grants(ring string, ids ...inventory.HostID) map[inventory.HostID]rollout.Grant {
	given := map[inventory.HostID]rollout.Grant{}
	for _, id := range ids {
		given[id] = rollout.Grant{Ring: ring, Seen: start.Add(-time.Hour * 24)}
	}
	return given
}

// under is a change that is on its way, each ring in the given phase.
func under(s rollout.State, plan policies.Rollout, phases ...rollout.Phase) rollout.State {
	s.Plan, s.Ticked = &plan, start
	if s.Rollout != "" {
		s.Bundle = inventory.Digest([]byte("Keep time with chrony on every server"))
	}
	for i, phase := range phases {
		s.Rings = append(s.Rings, rollout.Ring{Name: plan.Rings[i].Name, Phase: phase, Since: start.Add(-time.Duration(len(phases)-i) * time.Hour)})
		s.History = append(s.History, rollout.Entry{At: start, Ring: plan.Rings[i].Name, What: string(phase), Why: "3 of 3 hosts failed: web01.example.org, web02.example.org, web03.example.org"})
	}
	return s
}

func (f *fleet) saveCycle(s rollout.State) {
	f.t.Helper()
	raw, err := json.Marshal(s)
	must(f.t, err)
	must(f.t, f.store.SaveCycle(f.t.Context(), store.Cycle{Rollout: s.Rollout, Number: s.Release, Set: s.Set, Made: s.Made, State: string(raw), Updated: start}))
}

// set stores a patch set with versions of these packages.
func (f *fleet) set(rollout, version string, packages ...string) string {
	f.t.Helper()
	set := patch.Set{Rollout: rollout, Baseline: "security"}
	for _, name := range packages {
		set.Items = append(set.Items, patch.Item{Manager: "apt", Package: name, Source: name, Arch: "amd64", Version: version, Repository: "Debian/Debian-Security/bookworm-security", Level: "high"})
	}
	digest := f.put(store.KindSet, set.Normal())
	must(f.t, f.store.PutAnswers(f.t.Context(), digest, map[string][]string{packages[0]: {"DSA-5990-1", "DSA-5991-1"}}))
	return digest
}

// again lets a host report once more, with what its package manager offers and how it fares.
func (f *fleet) again(name string, offers *inventory.Offers, terms *patch.Terms, rows ...store.PatchHost) {
	f.t.Helper()
	ctx := f.t.Context()
	h, err := f.store.HostByName(ctx, name)
	must(f.t, err)
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: h.Seq + 1}, Host: h, PatchHosts: rows}
	if offers != nil {
		step.Host.Offers, step.Offered = f.put(store.KindOffers, offers), offers.List
	}
	must(f.t, f.store.Accept(ctx, h.ID, h.Epoch, h.Seq, []store.Step{step}, start.Add(-26*time.Hour)))
	if terms != nil {
		f.term(name, terms)
	}
}

// term has policy say something about the patching of a host.
func (f *fleet) term(name string, terms *patch.Terms) {
	f.t.Helper()
	h, err := f.store.HostByName(f.t.Context(), name)
	must(f.t, err)
	raw, err := json.Marshal(terms)
	must(f.t, err)
	must(f.t, f.store.SetExpected(f.t.Context(), []store.Expectation{{Host: h, Catalog: h.Expected, Terms: raw}}, start))
}

func offered(name, version string) inventory.Offer {
	return inventory.Offer{Package: name, Source: name, Installed: "3.0.15-1~deb12u1", Candidate: version, Arch: "amd64", Manager: "apt",
		Origin: "Debian", Label: "Debian-Security", Codename: "bookworm-security", Security: true, Size: 1_434_000}
}

func someTerms() *patch.Terms {
	source := []patch.Source{{Origin: "Debian"}}
	return &patch.Terms{Groups: []string{"web"}, SLAs: []patch.SLA{{Name: "standard", Anchor: patch.Published, Within: map[string]int{"critical": 86400, "high": 7 * 86400}}},
		Baselines: []patch.Baseline{{Name: "security", Sources: source, Rules: []patch.Rule{{Packages: []string{"openssl*", "linux-image-*"}, Level: "high"}, {Packages: []string{"*"}, After: 5 * 86400}},
			Rejects: []patch.Reject{{Packages: []string{"docker*"}, Action: "block", Reason: "the build farm is not ready for it", Expires: start.AddDate(0, 1, 0)}}}}}
}

// showPatching fills what show made with patch cycles that fare in all ways.
func (f *fleet) showPatching() {
	f.t.Helper()
	must(f.t, f.store.PutAdvisories(f.t.Context(), someAdvisories(40), start.AddDate(0, 0, -9)))
	offers := &inventory.Offers{Manager: "apt", List: []inventory.Offer{offered("openssl", "3.0.17-1~deb12u2"), offered("bash", "5.2.16"), offered("docker.io", "27.1"),
		offered("linux-image-6.1.0-41-amd64-with-a-name-that-is-longer-than-most", "6.1.158-1+deb12u1~bpo11+2")}}
	set := f.set("security", "3.0.17-1~deb12u2", "openssl", "libssl3")
	row := func(rollout, ring string, cycle uint64, status policies.Status, phase string) store.PatchHost {
		return store.PatchHost{Rollout: rollout, Ring: ring, Cycle: cycle, Set: set, Status: status, Phase: phase, Since: start.Add(-2 * time.Hour)}
	}
	fails := row("security", "early", 4, policies.Failed, policies.PhaseRolledBack)
	fails.Message, fails.Detail = "probe nginx failed: dial tcp 127.0.0.1:80: connection refused", somePatched()
	wants := row("security", "canary", 4, policies.Pending, policies.PhaseReboot)
	wants.Reboot, wants.Detail = true, policies.Patched{Cycle: 4, Phase: policies.PhaseReboot, Reboot: []string{"the running kernel is not the newest one", "libc6 was replaced"}, Missing: []policies.PatchedPackage{}}
	for i := range 11 {
		name := fmt.Sprintf("web%02d.example.org", i+1)
		phase, status := policies.PhaseDone, policies.Compliant
		if i > 6 {
			phase, status = policies.PhaseInstall, policies.Pending
		}
		f.again(name, offers, someTerms(), row("everything", "canary", 2, status, phase))
	}
	for i := range 3 {
		f.again(fmt.Sprintf("db%d.example.org", i+1), offers, someTerms(), fails, row("everything", "early", 1, policies.Compliant, policies.PhaseDone))
	}
	f.again("mail1.example.org", &inventory.Offers{Manager: "apt"}, someTerms(), wants)
	f.again("build1.example.org", offers, someTerms(), fails, row("everything", "broad", 1, policies.Compliant, policies.PhaseDone))
	for i, since := range []int{-9, -6, -3} {
		exposed := map[inventory.HostID][]string{"id-web01.example.org": {"DSA-5990-1"}, "id-web02.example.org": {"DSA-5991-1"}, "id-db1.example.org": {}}
		must(f.t, f.store.SetExposed(f.t.Context(), map[inventory.HostID][]string{"id-db1.example.org": {fmt.Sprintf("DSA-%d-1", 5990+i)}}, start.AddDate(0, 0, since)))
		must(f.t, f.store.SetExposed(f.t.Context(), exposed, start.AddDate(0, 0, since+2)))
	}
	f.work = []views.PatchProgress{{Host: "web08.example.org", Rollout: "everything", Cycle: 2, Phase: policies.PhaseInstall, Done: 3, Total: 20},
		{Host: "web09.example.org", Rollout: "everything", Cycle: 2, Phase: policies.PhaseDownload}}
	f.cycles(set)
	f.drive("security", "everything")
}

// cycles stores a release and patch cycles in several phases.
func (f *fleet) cycles(set string) {
	releases := ringed("standard", policies.CarriesReleases, "mail", "db", "web", "edge")
	f.rollout(under(rollout.State{Release: 2, Made: start.AddDate(0, 0, -4), Done: start.AddDate(0, 0, -2)}, releases, rollout.Passed, rollout.Passed, rollout.Passed, rollout.Passed))
	s := under(rollout.State{Release: 3, RollbackTo: 2, Made: start.Add(-3 * time.Hour), Hosts: grants("canary", "id-mail1.example.org")}, releases, rollout.Soaking, rollout.Waiting, rollout.Waiting, rollout.Waiting)
	s.Rings[0].Soaked = 3*time.Hour + 12*time.Minute
	f.rollout(s)

	security := ringed("security", "patch_baseline.security", "mail", "db", "web")
	before := f.set("security", "3.0.16-1~deb12u1", "openssl", "libssl3", "zlib1g")
	f.saveCycle(under(rollout.State{Rollout: "security", Release: 3, Set: before, Made: start.AddDate(0, 0, -9), Done: start.AddDate(0, 0, -6)}, security, rollout.Passed, rollout.Passed, rollout.Passed))
	s = under(rollout.State{Rollout: "security", Release: 4, Set: set, Emergency: true, Made: start.AddDate(0, 0, -1), Hosts: grants("early", "id-db1.example.org", "id-db2.example.org", "id-db3.example.org")},
		security, rollout.Passed, rollout.Halted, rollout.Waiting)
	f.saveCycle(s)

	everything := ringed("everything", "patch_baseline.everything", "web", "db", "build", "nobody")
	f.saveCycle(under(rollout.State{Rollout: "everything", Release: 1, Set: before, Made: start.AddDate(0, 0, -9), Done: start.AddDate(0, 0, -6)}, everything, rollout.Passed, rollout.Passed, rollout.Passed, rollout.Passed))
	given := grants("canary")
	for i := range 9 {
		given[inventory.HostID(fmt.Sprintf("id-web%02d.example.org", i+1))] = rollout.Grant{Ring: "canary", Seen: start.Add(-24 * time.Hour)}
	}
	f.saveCycle(under(rollout.State{Rollout: "everything", Release: 2, Set: set, Made: start.Add(-5 * time.Hour), Hosts: given}, everything, rollout.Rolling, rollout.Waiting, rollout.Waiting, rollout.Waiting))
}

func (f *fleet) rollout(s rollout.State) {
	f.t.Helper()
	raw, err := json.Marshal(s)
	must(f.t, err)
	must(f.t, f.store.PutRollouts(f.t.Context(), store.Rollout{Release: s.Release, State: string(raw), Updated: start}))
}

func somePatched() policies.Patched {
	return policies.Patched{Cycle: 4, Phase: policies.PhaseRolledBack, RolledBack: true, Rollback: "openssl went back to 3.0.15-1~deb12u1 in 11 s",
		Installed: []policies.PatchedPackage{{Name: "openssl", Before: "3.0.15-1~deb12u1", After: "3.0.17-1~deb12u2"}},
		Missing:   []policies.PatchedPackage{{Name: "libssl3", After: "3.0.17-1~deb12u2"}},
		Held:      []policies.Held{{Name: "nginx", Version: "1.26", Chain: []string{"nginx 1.26 needs libpcre3 (>= 8.45)", "libpcre3 8.45 conflicts with legacy-app", "legacy-app is held by a person"}}},
		Conffiles: []policies.Conffile{{Path: "/etc/ssl/openssl.cnf", Package: "openssl", Policy: "keep"}},
		Stale:     []string{"cron.service", "ssh.service"}, Restarted: []string{"nginx.service"}, Probes: []string{"nginx: connection refused"},
		Notes: []string{"the hook after ended with 1"}, Left: []policies.PatchedPackage{{Name: "zlib1g", After: "1.2.13"}}, Kernels: []string{"6.1.0-38-amd64"}}
}

func someAdvisories(n int) []patch.Advisory {
	severities := patch.Severities()
	var list []patch.Advisory
	for i := range n {
		list = append(list, patch.Advisory{ID: fmt.Sprintf("DSA-%d-1", 5990+i), Feed: "osv", Summary: "several flaws in the handling of certificates", Severity: severities[i%len(severities)],
			CVEs: []string{fmt.Sprintf("CVE-2026-%d", 1000+i), fmt.Sprintf("CVE-2026-%d", 3000+i)}, Exploited: i%7 == 0, Published: start.AddDate(0, 0, -i-2),
			Affected: []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: []string{"openssl", "bash", "none"}[min(i, 2)], Fixed: []string{"3.0.17-1~deb12u2", "5.2.16", "1"}[min(i, 2)]}}})
	}
	return list
}

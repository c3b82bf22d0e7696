package patching

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"plumb/inventory"
	"plumb/policies/compiler"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
)

const day = 24 * time.Hour

func TestACycleBeginsWhenSomethingIsApproved(t *testing.T) {
	b := newBench(t, policy)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2")})
	b.report("mute", 1, terms(nil), nil)
	b.step(0)
	b.same("cycles before the age is reached", b.cycles(), []string{})
	b.step(day)
	b.step(time.Minute)
	b.same("cycles", b.cycles(), []string{"1 openssl=2"})
	cycle, err := b.store.NewestCycle(b.Context(), "os")
	b.must(err)
	raw, err := b.store.Object(b.Context(), store.Ref{Kind: store.KindSet, Digest: cycle.Set})
	b.must(err)
	b.same("digest of the set", inventory.Digest(raw), cycle.Set)
	b.same("the set", string(raw), `{"rollout":"os","baseline":"os","items":[{"manager":"apt","package":"openssl","source":"openssl","arch":"amd64","version":"2","repository":"Debian/Debian/bookworm"}]}`)
}

func TestACycleWaitsForTheOneBefore(t *testing.T) {
	b := newBench(t, policy)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2")})
	b.step(day)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2"), offer("bash", "2")})
	b.step(day)
	b.same("cycles while the first is under way", b.cycles(), []string{"1 openssl=2"})
	b.end(func(s *rollout.State) { s.Rings[0].Phase = rollout.Halted })
	b.step(time.Minute)
	b.same("cycles while the first is halted", b.cycles(), []string{"1 openssl=2"})
	b.done()
	b.step(time.Minute)
	b.step(time.Minute)
	b.same("cycles", b.cycles(), []string{"1 openssl=2", "2 bash=2 openssl=2"})
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2"), offer("bash", "3")})
	b.end(func(s *rollout.State) { s.Rings[0].Phase = rollout.RolledBack })
	b.step(time.Minute)
	b.same("cycles after a rollback, without anything new", len(b.cycles()), 2)
	b.step(day)
	b.same("cycles after a rollback", b.cycles()[2:], []string{"3 bash=3 openssl=2"})
}

// What was in the set before stays, so that a host which missed cycles needs only the newest.
func TestSetsAreCumulative(t *testing.T) {
	b := newBench(t, policy)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2"), offer("bash", "2"), offer("curl", "2")})
	b.step(day)
	b.done()
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "3"), offer("zlib", "2")})
	b.step(day)
	b.same("cycles", b.cycles(), []string{"1 bash=2 curl=2 openssl=2", "2 bash=2 curl=2 openssl=3 zlib=2"})
	b.done()
	reject := terms(func(base *patch.Baseline) {
		base.Rejects = []patch.Reject{{Packages: []string{"bash"}, Action: patch.Block}, {Packages: []string{"curl"}, Action: patch.AllowAsDependency}}
	})
	b.report("behind", 1, terms(nil), []inventory.Offer{offer("bash", "2")})
	b.report("web1", 2, reject, []inventory.Offer{offer("curl", "2")})
	b.step(time.Minute)
	b.step(time.Minute)
	b.same("cycles after a reject", b.cycles()[2:], []string{"3 curl=2(part) openssl=3 zlib=2"})
}

func TestSetsJoinWhatHostsMayHave(t *testing.T) {
	strict := terms(func(base *patch.Baseline) { base.Rules[0].Packages = []string{"openssl"} })
	elsewhere := terms(nil)
	elsewhere.Groups = []string{"none"}
	other := terms(func(base *patch.Baseline) { base.Name = "other" })
	held, phased := offer("tar", "2"), offer("zlib", "2")
	held.Held, phased.Phased = true, 40
	arm := offer("bash", "2")
	arm.Arch = "arm64"
	b := newBench(t, policy)
	b.report("a", 1, strict, []inventory.Offer{offer("openssl", "2"), offer("bash", "2")})
	b.report("b", 1, terms(nil), []inventory.Offer{offer("openssl", "2.1"), arm, held, phased})
	b.report("c", 1, elsewhere, []inventory.Offer{offer("curl", "2")})
	b.report("d", 1, other, []inventory.Offer{offer("nginx", "2")})
	b.step(day)
	b.same("cycles", b.cycles(), []string{"1 bash=2 openssl=2.1"})
	cycle, err := b.store.NewestCycle(b.Context(), "os")
	b.must(err)
	set, err := ReadSet(b.Context(), b.store, cycle.Set)
	b.must(err)
	b.same("architecture", set.Items[0].Arch, "arm64")
}

// What another baseline approved stays behind when the rollout carries a new one.
func TestAnotherBaselineBeginsAnew(t *testing.T) {
	b := newBench(t, policy)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2")})
	b.step(day)
	b.done()
	b.release(2, strings.NewReplacer(`patch_baseline "os"`, `patch_baseline "new"`, "patch_baseline.os", "patch_baseline.new").Replace(policy))
	b.step(time.Minute)
	b.report("web1", 2, terms(func(base *patch.Baseline) { base.Name = "new" }), []inventory.Offer{offer("bash", "2")})
	b.step(day)
	b.same("cycles", b.cycles(), []string{"1 openssl=2", "2 bash=2"})
}

// A cycle that policy ended begins anew, though nothing else was approved since.
func TestAWithdrawnCycleBeginsAnew(t *testing.T) {
	b := newBench(t, policy)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2")})
	b.step(day)
	b.end(func(s *rollout.State) { s.Withdrawn = &rollout.Act{Why: "its rings are others in release 2"} })
	b.step(time.Minute)
	b.step(time.Minute)
	b.same("cycles", b.cycles(), []string{"1 openssl=2", "2 openssl=2"})
}

// A mistake that only shows at one advisory leaves the others alone.
func TestEmergencyThatCannotBeJudged(t *testing.T) {
	b := newBench(t, strings.Replace(policy, "match = advisory.exploited", `match = advisory.cves[0] == "CVE-2026-0001"`, 1))
	affected := []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: "openssl", Fixed: "2"}}
	b.must(b.store.PutAdvisories(b.Context(), []patch.Advisory{{ID: "DSA-1", Severity: "high", CVEs: []string{}, Affected: affected},
		{ID: "DSA-2", Severity: "high", CVEs: []string{"CVE-2026-0001"}, Affected: affected}}, b.now))
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2")})
	b.step(0)
	b.step(0)
	b.same("cycles", b.cycles(), []string{"1 emergency openssl=2"})
}

func TestNewPatchSet(t *testing.T) {
	b := newBench(t, policy)
	by := rollout.Act{At: noon, Who: "alice", Why: "the weekly one"}
	refused := func(what, name string, by rollout.Act) {
		t.Helper()
		_, err := b.maker.New(b.Context(), name, by)
		var no *rollout.Refusal
		if !errors.As(err, &no) {
			t.Errorf("%s: New = %v, want a refusal", what, err)
		}
	}
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2")})
	refused("nothing approved", "os", by)
	refused("no reason", "os", rollout.Act{Who: "alice"})
	refused("unknown", "kernel", by)
	refused("one of releases", "config", by)
	b.step(day)
	refused("nothing new", "os", by)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2"), offer("bash", "2")})
	b.now = b.now.Add(day)
	number, err := b.maker.New(b.Context(), "os", by)
	b.must(err)
	b.same("number", number, uint64(2))
	b.same("cycles", b.cycles(), []string{"1 openssl=2", "2 bash=2 openssl=2"})
}

func TestEmergency(t *testing.T) {
	advisory := func(id string, exploited bool, fixed string) patch.Advisory {
		return patch.Advisory{ID: id, Severity: "high", CVEs: []string{}, Exploited: exploited,
			Affected: []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: "openssl", Fixed: fixed}}}
	}
	b := newBench(t, policy)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("bash", "2")})
	b.step(day)
	b.done()
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("bash", "2"), offer("zlib", "2")})
	b.step(day)
	b.same("cycles before", b.cycles(), []string{"1 bash=2", "2 bash=2 zlib=2"})
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("bash", "2"), offer("zlib", "2"), offer("openssl", "2")})
	b.must(b.store.PutAdvisories(b.Context(), []patch.Advisory{advisory("DSA-1", false, "2"), advisory("DSA-2", true, "3")}, b.now))
	b.step(time.Minute)
	b.same("cycles without an emergency", len(b.cycles()), 2)
	b.must(b.store.PutAdvisories(b.Context(), []patch.Advisory{advisory("DSA-1", true, "2")}, b.now))
	b.step(time.Minute)
	b.step(time.Minute)
	b.same("cycles; what has not been through all rings takes no short lane", b.cycles()[2:], []string{"3 emergency bash=2 openssl=2"})
	answers, err := b.store.Answers(b.Context(), mustCycle(b).Set)
	b.must(err)
	b.same("answers", answers, map[string][]string{"openssl": {"DSA-1"}})
	b.end(func(s *rollout.State) { s.Rings[0].Phase = rollout.RolledBack })
	b.step(time.Minute)
	b.same("a cycle after a person rolled it back is an ordinary one", b.cycles()[3:], []string{"4 bash=2 openssl=2 zlib=2"})
}

func mustCycle(b *bench) store.Cycle {
	b.Helper()
	cycle, err := b.store.NewestCycle(b.Context(), "os")
	b.must(err)
	return cycle
}

// A version that waits in a slow cycle goes on by the short lane when somebody makes use of the hole.
func TestEmergencyOvertakes(t *testing.T) {
	b := newBench(t, policy)
	b.report("web1", 1, terms(nil), []inventory.Offer{offer("openssl", "2"), offer("bash", "2")})
	b.step(day)
	b.must(b.store.PutAdvisories(b.Context(), []patch.Advisory{{ID: "DSA-1", Severity: "high", CVEs: []string{}, Exploited: true,
		Affected: []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: "openssl", Fixed: "2"}}}}, b.now))
	b.step(time.Minute)
	b.step(time.Minute)
	b.same("cycles", b.cycles(), []string{"1 bash=2 openssl=2", "2 emergency openssl=2"})
	b.done()
	b.step(time.Minute)
	b.same("what was overtaken goes on", b.cycles()[2:], []string{"3 bash=2 openssl=2"})
}

func TestNoticesOfAHostCountThere(t *testing.T) {
	rpm := func(version string) inventory.Offer {
		return inventory.Offer{Package: "curl", Source: "curl", Installed: "1-1", Candidate: version, Arch: "x86_64", Manager: "dnf", Origin: "Debian", Label: "Debian", Codename: "x"}
	}
	severe := terms(func(base *patch.Baseline) { base.Rules = []patch.Rule{{Severity: []string{"critical"}}} })
	notice := []inventory.Notice{{ID: "RHSA-2026:1", Severity: "critical", Fixes: []inventory.Fix{{Package: "curl", Version: "2-1"}}}}
	b := newBench(t, policy)
	b.tell("silent", 1, severe, &inventory.Offers{Manager: "dnf", List: []inventory.Offer{rpm("2-1")}})
	b.step(0)
	b.same("cycles", b.cycles(), []string{})
	b.tell("knows", 1, severe, &inventory.Offers{Manager: "dnf", List: []inventory.Offer{rpm("2-1")}, Notices: notice})
	b.step(0)
	b.same("cycles", b.cycles(), []string{"1 curl=2-1"})
	exposures, err := b.store.Exposures(b.Context(), noon)
	b.must(err)
	b.same("exposures", exposures, []store.Exposure{{Host: "knows", Advisory: "RHSA-2026:1", Since: noon}})
}

func TestExposuresFollowOffers(t *testing.T) {
	b := newBench(t, policy)
	affected := []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: "openssl", Fixed: "2"}}
	b.must(b.store.PutAdvisories(b.Context(), []patch.Advisory{
		{ID: "DSA-1", Severity: "high", CVEs: []string{}, Affected: affected},
		{ID: "DSA-2", Severity: "low", CVEs: []string{}, Affected: affected}, // no SLA has a time for it
	}, noon))
	both := func(offers []inventory.Offer) {
		b.report("web1", 1, terms(nil), offers)
		b.report("web2", 1, terms(nil), []inventory.Offer{offer("openssl", "2")})
	}
	both([]inventory.Offer{offer("openssl", "2")})
	b.step(0)
	b.maker.exposed = nil // a server that was started anew
	b.step(time.Hour)
	both(nil)
	b.step(time.Hour)
	both([]inventory.Offer{})
	b.step(time.Hour)
	got, err := b.store.Exposures(b.Context(), noon)
	b.must(err)
	b.same("exposures; silence ends none", got, []store.Exposure{
		{Host: "web1", Advisory: "DSA-1", Since: noon, Until: noon.Add(3 * time.Hour)},
		{Host: "web2", Advisory: "DSA-1", Since: noon}})
}

// counting is a compiler that counts.
type counting struct {
	compiler.Compiler
	asked int
}

func (c *counting) Compile(ctx context.Context, req compiler.Request) (compiler.Response, error) {
	c.asked++
	return c.Compiler.Compile(ctx, req)
}

func TestEqualHostsAreJudgedOnce(t *testing.T) {
	b := newBench(t, policy)
	count := &counting{}
	b.maker.Compiler = count
	for n := range 50 {
		b.report(fmt.Sprintf("web%02d", n), 1, terms(nil), []inventory.Offer{offer("openssl", "2")})
	}
	for range 3 {
		b.step(time.Minute)
	}
	seen, err := b.maker.look(b.Context())
	b.must(err)
	b.same("judgements of 50 equal hosts", len(seen.Groups), 1)
	b.same("objects that were read again", &seen.Groups[0].Offers.List[0] == &b.maker.looker.pairs[seen.Groups[0].of].Offers.List[0], true)
	b.same("how often the compiler was asked in three steps", count.asked, 1)
}

func TestRunLooksEachMinuteAndSoonAfterAPoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		m := &Maker{Now: time.Now}
		go m.run(ctx, func(context.Context) { looks++ })
		check := func(want int) {
			t.Helper()
			synctest.Wait()
			if looks != want {
				t.Fatalf("looks = %d, want %d", looks, want)
			}
		}
		check(1)
		time.Sleep(every + time.Second)
		check(2)
		m.Poke()
		check(3)
		m.Poke() // these come while it rests
		m.Poke()
		check(3)
		time.Sleep(2 * rest)
		check(4)
		cancel()
	})
}

// BenchmarkStep is a look at 2,000 hosts when nothing is new: all alike, and with 100 different
// lists of 50 offers each.
func BenchmarkStep(b *testing.B) {
	for _, lists := range []int{1, 100} {
		b.Run(fmt.Sprint(lists, " lists"), func(b *testing.B) {
			s := newBench(b, policy)
			var known []patch.Advisory
			for n := range 2000 {
				known = append(known, patch.Advisory{ID: fmt.Sprintf("DSA-%04d", n), Severity: "low", CVEs: []string{},
					Affected: []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: fmt.Sprintf("p%02d", n%50), Fixed: "1.1"}}})
			}
			s.must(s.store.PutAdvisories(s.Context(), known, s.now))
			for n := range 2000 {
				offers := []inventory.Offer{offer(fmt.Sprintf("own%d", n%lists), "2")}
				for p := range 50 {
					offers = append(offers, offer(fmt.Sprintf("p%02d", p), "1.2"))
				}
				s.report(fmt.Sprintf("web%05d", n), 1, terms(nil), offers)
			}
			s.step(day)
			b.ResetTimer()
			for b.Loop() {
				s.step(time.Second)
			}
		})
	}
}

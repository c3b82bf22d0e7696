package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/rollout"
	"plumb/server/store"
)

// largeFleet has n hosts, one in fifty of which is out of order. A patch cycle is in the middle
// of them, and there are 10,000 advisories.
func largeFleet(b testing.TB, n int) *fleet {
	f := newFleet(b)
	f.release("Keep time with chrony on every server", start.Add(-time.Hour))
	must(b, f.store.PutAdvisories(b.Context(), manyAdvisories(10_000), start.AddDate(0, 0, -9)))
	set := f.set("everything", "3.0.17-1~deb12u2", "package-001", "package-002")
	for i := range originals {
		name := largeName(i)
		r := report{since: time.Hour, seen: time.Minute}
		if i%50 == 0 {
			r.results = map[string]policies.ResourceResult{maxAuth: tooMany()}
		}
		id := f.enrol(name, map[string]string{"role": "web"})
		f.report(id, r)
		row := store.PatchHost{Rollout: "everything", Ring: "canary", Cycle: 1, Set: set, Status: policies.Compliant, Phase: policies.PhaseDone, Reboot: i%10 == 0, Since: start, Detail: somePatched()}
		f.again(name, &inventory.Offers{Manager: "apt", List: manyOffers(i % 20)}, someTerms(), row)
	}
	f.copyHosts(n)
	given := map[inventory.HostID]rollout.Grant{}
	for i := range n {
		given[inventory.HostID("id-"+largeName(i))] = rollout.Grant{Ring: "canary", Seen: start.Add(-time.Hour)}
	}
	plan := ringed("everything", "patch_baseline.security", "host", "nobody")
	f.saveCycle(under(rollout.State{Rollout: "everything", Release: 1, Set: set, Made: start.Add(-time.Hour), Hosts: given}, plan, rollout.Soaking, rollout.Waiting))
	f.drive("everything")
	return f
}

// manyOffers is one of the lists that hosts have on offer.
func manyOffers(which int) []inventory.Offer {
	var list []inventory.Offer
	for i := range 30 {
		list = append(list, offered(fmt.Sprintf("package-%03d", (which*7+i)%300), "3.0.17-1~deb12u2"))
	}
	return list
}

// manyAdvisories has some that an update on offer answers, and many that are of the past.
func manyAdvisories(n int) []patch.Advisory {
	list := someAdvisories(n)
	for i := range list {
		fixed := "2.9"
		if i/300 == 0 {
			fixed = "3.0.17-1~deb12u2"
		}
		list[i].Affected = []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: fmt.Sprintf("package-%03d", i%300), Fixed: fixed}}
	}
	return list
}

// BenchmarkPages tells how long each page of a large fleet takes, and how long for the first who
// looks after a while where that is another matter.
func BenchmarkPages(b *testing.B) {
	for _, hosts := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) { benchPages(b, largeFleet(b, hosts)) })
	}
}

func benchPages(b *testing.B, f *fleet) {
	forgetPeak(b)
	pages, session := f.serve(), f.session()
	look := func(b *testing.B, pages http.Handler, address string) {
		r := httptest.NewRequest(http.MethodGet, address, nil)
		r.AddCookie(session)
		if got := ask(b, pages, r); got.StatusCode != http.StatusOK {
			b.Fatal(got.StatusCode, got.body)
		}
	}
	for _, address := range []string{"/", "/hosts", "/hosts?after=host005000.example.org", "/hosts?status=noncompliant", "/hosts?q=99", "/hosts/host000000.example.org", "/drift", "/changes", "/changes/1",
		"/rings", "/rings/hosts?of=everything/1&ring=canary&after=host005000.example.org", "/patches", "/patches/hosts?what=reboot", "/advisories", "/advisories?after=5000", "/advisories/DSA-5991-1", "/changes/everything/1",
		"/policies", "/policies/ssh_baseline", "/controls", "/standing?policy=ssh_baseline", "/standing?policy=ssh_baseline&status=noncompliant", "/alerts", "/kpis", "/events?what=drift", "/?period=90d",
		"/?as_of=2026-11-01", "/policies?as_of=2026-11-01", "/standing?policy=ssh_baseline&as_of=2026-11-01", "/drift?as_of=2026-11-01", "/drift/feed?as_of=2026-11-01"} {
		b.Run(address, func(b *testing.B) {
			look(b, pages, address)
			measured(b, func() {}, func() { look(b, pages, address) })
		})
	}
	b.Run("step of the rollouts", func(b *testing.B) {
		measured(b, func() {}, func() { must(b, f.driver.Step(b.Context())) })
	})
	b.Run("memory", func(b *testing.B) {
		var m runtime.MemStats
		for b.Loop() {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB")
		b.ReportMetric(float64(peak(b))/1e6, "peak-MB")
		runtime.KeepAlive(pages)
	})
	for _, address := range []string{"/", "/hosts", "/drift", "/patches", "/advisories", "/changes", "/changes/1", "/changes/everything/1", "/policies", "/controls", "/standing?policy=ssh_baseline", "/standing?control=cis_debian12:5.1.2", "/kpis"} {
		b.Run("first "+address, func(b *testing.B) {
			var fresh http.Handler
			measured(b, func() { fresh = f.serve() }, func() { look(b, fresh, address) })
		})
	}
}

// forgetPeak begins to watch how much memory the process takes at most: to make the fleet took more.
func forgetPeak(b *testing.B) {
	debug.FreeOSMemory()
	must(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
}

// peak is the most memory that the process had since then, all of it: the databases' caches too.
func peak(b *testing.B) (bytes int) {
	status, err := os.ReadFile("/proc/self/status")
	must(b, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, err = fmt.Sscan(rest, &bytes)
	must(b, err)
	return bytes << 10
}

// measured adds how much of the processor each took, which other work on the machine does not change.
func measured(b *testing.B, prepare, do func()) {
	var used time.Duration
	for b.Loop() {
		b.StopTimer()
		prepare()
		b.StartTimer()
		began := cpuTime(b)
		do()
		used += cpuTime(b) - began
	}
	b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// BenchmarkPagesAfterReport tells what a look costs when one host reported since the last one, and nothing that pages
// keep is young enough to be shown: what a person meets who looks every few minutes.
func BenchmarkPagesAfterReport(b *testing.B) {
	for _, hosts := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) { benchAfterReport(b, largeFleet(b, hosts)) })
	}
}

func benchAfterReport(b *testing.B, f *fleet) {
	pages := f.serve()
	var session *http.Cookie
	look := func(address string) {
		r := httptest.NewRequest(http.MethodGet, address, nil)
		r.AddCookie(session)
		if got := ask(b, pages, r); got.StatusCode != http.StatusOK {
			b.Fatal(got.StatusCode, got.body)
		}
	}
	for _, address := range []string{"/", "/hosts", "/drift", "/patches", "/advisories", "/changes", "/changes/1", "/changes/everything/1", "/policies", "/controls", "/standing?policy=ssh_baseline", "/kpis"} {
		b.Run(address, func(b *testing.B) {
			session = f.session()
			look(address)
			measured(b, func() { f.oneReport(b); session = f.session() }, func() { look(address) })
		})
	}
}

// oneReport has a host report, and so long goes by that nothing kept is shown any more.
func (f *fleet) oneReport(b *testing.B) {
	f.later += 2 * memoStale
	now := f.clock()
	h, err := f.store.Host(b.Context(), inventory.HostID("id-"+largeName(originals+1)))
	must(b, err)
	h.Since, h.Ran, h.Found, h.Problem = now, now, policies.Compliant, fmt.Sprint(now)
	one := store.Step{NewInterval: true, Report: policies.Report{Epoch: h.Epoch, Seq: h.Seq + 1}, Host: h}
	must(b, f.store.Accept(b.Context(), h.ID, h.Epoch, h.Seq, []store.Step{one}, now))
	must(b, f.store.Seen(b.Context(), h.ID, store.Heartbeat{}, now.Add(time.Second)))
}

package web

import (
	"fmt"
	"testing"
	"time"

	"plumb/policies"
)

// largeFleet has 10,000 hosts, one in fifty of which is out of order.
func largeFleet(b *testing.B) *fleet {
	f := newFleet(b)
	f.release("Begin", start.Add(-time.Hour))
	for i := range 10_000 {
		r := report{since: time.Hour, seen: time.Minute}
		if i%50 == 0 {
			r.results = map[string]policies.ResourceResult{maxAuth: tooMany()}
		}
		f.report(f.enrol(fmt.Sprintf("host%05d.example.org", i), map[string]string{"role": "web"}), r)
	}
	return f
}

// BenchmarkPages tells how long each page of a large fleet takes.
func BenchmarkPages(b *testing.B) {
	f := largeFleet(b)
	for _, address := range []string{"/", "/hosts", "/hosts?after=host05000.example.org", "/hosts?status=noncompliant", "/hosts?q=99", "/hosts/host00000.example.org", "/drift", "/changes", "/changes/1"} {
		b.Run(address, func(b *testing.B) {
			for b.Loop() {
				if got := f.visit(address); got.StatusCode != 200 {
					b.Fatal(got.StatusCode)
				}
			}
		})
	}
}

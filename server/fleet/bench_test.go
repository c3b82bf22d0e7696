package fleet

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/policies"
)

// BenchmarkCheckIn has many hosts report 300 resources each. In "distinct" no two results are
// the same, so that each must be sent, checked and stored; in "shared" two results take turns.
func BenchmarkCheckIn(b *testing.B) {
	b.Run("distinct", func(b *testing.B) { benchCheckIn(b, func(_, n int) int { return n }) })
	b.Run("shared", func(b *testing.B) { benchCheckIn(b, func(_, n int) int { return n / benchHosts % 2 }) })
	b.Run("heartbeat", func(b *testing.B) { benchCheckIn(b, nil) })
}

const benchHosts = 64

func benchCheckIn(b *testing.B, variant func(host, n int) int) {
	f := newFleet(b)
	agents := make([]*agent, benchHosts)
	for i := range agents {
		agents[i] = f.enrol(b, fmt.Sprintf("web%d", i))
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, a := range agents {
		wg.Go(func() {
			for n := i; n < b.N; n += benchHosts {
				if err := a.benchOne(b, variant, i, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "check-ins/s")
}

func (a *agent) benchOne(b *testing.B, variant func(host, n int) int, host, n int) error {
	if variant == nil {
		_, err := a.fleet.CheckIn(b.Context(), a.id, protocol.CheckIn{Version: 1, Agent: "1.0"}, start)
		return err
	}
	found := outcome{}
	for i := range 300 {
		found[fmt.Sprintf("policy.baseline.file.number_%03d", i)] = policies.Compliant
	}
	mark := variant(host, n)
	found[fmt.Sprintf("policy.baseline.file.number_%03d", mark/300%300)] = policies.Noncompliant
	found[fmt.Sprintf("policy.baseline.file.number_%03d", mark%300)] = policies.Repaired
	clear(a.objects)
	now := start.Add(time.Duration(n+1) * time.Second)
	_, err := a.deliver(b.Context(), now, a.report(1, found, now))
	return err
}

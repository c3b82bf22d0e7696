package fleet

import (
	"encoding/json"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
)

// BenchmarkCheckIn has many hosts report 300 resources each. In "distinct" ten of them were mended
// since the report before and no two results are the same, so that each must be sent, checked and
// stored; in "shared" two results take turns. What hosts send is made up beforehand.
func BenchmarkCheckIn(b *testing.B) {
	b.Run("distinct", func(b *testing.B) { benchCheckIn(b, func(n int) int { return n }) })
	b.Run("shared", func(b *testing.B) { benchCheckIn(b, func(n int) int { return n / benchHosts % 2 }) })
	b.Run("heartbeat", func(b *testing.B) { benchCheckIn(b, nil) })
}

const (
	benchHosts   = 64
	benchChanges = 10
	// benchTick is between two reports. A host that falls behind the others by wantLife would have to begin anew.
	benchTick = 10 * time.Millisecond
)

// errand is what a host sends, as it sends it.
type errand struct {
	body    []byte
	raw     map[string][]byte
	gzipped map[string][]byte
}

func benchCheckIn(b *testing.B, variant func(n int) int) {
	f := newFleet(b)
	agents := make([]*agent, benchHosts)
	for i := range agents {
		agents[i] = f.enrol(b, fmt.Sprintf("web%d", i))
	}
	errands := make([]errand, b.N)
	for n := range errands {
		errands[n] = agents[n%benchHosts].errand(b, variant, n)
	}
	began := cpuTime(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, a := range agents {
		wg.Go(func() {
			for n := i; n < b.N; n += benchHosts {
				if err := a.goOn(b, errands[n], start.Add(time.Duration(n+1)*benchTick)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "check-ins/s")
	b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpuTime is what this process has used so far; other than time, it does not count who else is at work.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (a *agent) errand(b *testing.B, variant func(n int) int, n int) errand {
	e := errand{raw: map[string][]byte{}, gzipped: map[string][]byte{}}
	in := protocol.CheckIn{Version: 1, Agent: "1.0"}
	if variant == nil {
		return e.with(b, in)
	}
	found := outcome{}
	for i := range 300 {
		found[fmt.Sprintf("policy.baseline.file.number_%03d", i)] = policies.Compliant
	}
	mark := variant(n)
	for i := range benchChanges {
		found[fmt.Sprintf("policy.baseline.file.number_%03d", (mark*benchChanges+i)%300)] = policies.Repaired
	}
	c, r := runOf(found)
	for i := range r.Resources {
		if len(r.Resources[i].Changes) > 0 {
			r.Resources[i].Changes[0].Before = fmt.Sprintf("%064x", mark)
		}
	}
	a.seq++
	at := start.Add(time.Duration(n+1) * benchTick)
	report := policies.Report{Epoch: a.epoch, Seq: a.seq, Release: 1, Commit: "commit1", Facts: e.object(b, inventory.Facts{Arch: "amd64"}), Catalog: e.object(b, c),
		Started: at, Finished: at, BootID: "boot"}
	r.Catalog = report.Catalog
	report.Result = e.object(b, r)
	in.Reports, in.Objects = []policies.Report{report}, map[string][]byte{report.Result: e.gzipped[report.Result]}
	return e.with(b, in)
}

// with makes the body, and forgets what is sent within it.
func (e errand) with(b *testing.B, in protocol.CheckIn) errand {
	var err error
	e.body, err = json.Marshal(in)
	must(b, err)
	for digest := range in.Objects {
		delete(e.raw, digest)
		delete(e.gzipped, digest)
	}
	return e
}

func (e errand) object(b *testing.B, v any) string {
	raw, err := json.Marshal(v)
	must(b, err)
	digest := inventory.Digest(raw)
	packed, err := protocol.Pack(raw)
	must(b, err)
	e.raw[digest], e.gzipped[digest] = raw, packed
	return digest
}

func (a *agent) goOn(b *testing.B, e errand, now time.Time) error {
	in := protocol.CheckIn{}
	if err := json.Unmarshal(e.body, &in); err != nil {
		return err
	}
	for {
		answer, err := a.fleet.CheckIn(b.Context(), a.id, in, now)
		if err != nil || len(answer.Want) == 0 {
			return err
		}
		for _, digest := range answer.Want {
			if err := a.fleet.PutPacked(b.Context(), a.id, digest, e.raw[digest], e.gzipped[digest], now); err != nil {
				return err
			}
		}
	}
}

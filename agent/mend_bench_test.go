package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"plumb/agent/watch"
	"plumb/policies"
)

// BenchmarkMend mends one file on hosts with catalogs of different sizes.
func BenchmarkMend(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b)
			var list []policies.Resource
			for i := range n { // they are in order already, for making them takes much longer
				if err := os.WriteFile(filepath.Join(r.root, fmt.Sprint(i)), []byte("as it was"), 0o644); err != nil {
					b.Fatal(err)
				}
				attributes, err := json.Marshal(map[string]string{"path": fmt.Sprintf("/%d", i), "content": "as it was"})
				if err != nil {
					b.Fatal(err)
				}
				list = append(list, policies.Resource{Address: fmt.Sprintf("policy.p.file.f%d", i), Kind: "file", Policy: "p", Mode: policies.Enforce, Attributes: attributes})
			}
			r.agent.Decode = nil
			r.enroll("")
			r.publish(1, 0, r.tree("hello", list...))
			r.round()
			before := cpu(b)
			event := watch.Event{Drifts: []watch.Drift{{Address: "policy.p.file.f1"}}}
			for b.Loop() {
				if err := os.WriteFile(filepath.Join(r.root, "1"), []byte("drift"), 0o644); err != nil {
					b.Fatal(err)
				}
				if _, err := r.agent.Mend(context.Background(), event); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpu is what this program has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

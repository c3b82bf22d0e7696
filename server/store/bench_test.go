package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

// fill makes a fleet with n hosts, five findings on every tenth.
func fill(b testing.TB, s *Store, n int) {
	b.Helper()
	ctx := b.Context()
	const batch = 1000
	for from := 0; from < n; from += batch {
		must(b, s.write(ctx, "fill", func(ctx context.Context, tx *sql.Tx) error {
			return fillHosts(ctx, s, tx, from, min(from+batch, n))
		}))
	}
	if s.postgres { // what it did in the background by the time that all hosts have called again
		for _, statement := range []string{`VACUUM ANALYZE`, `UPDATE beats SET last_seen = last_seen + 1`} {
			_, err := s.w.Exec(statement)
			must(b, err)
		}
	}
}

func fillHosts(ctx context.Context, st *Store, tx *sql.Tx, from, to int) error {
	var all []*delivery
	for i := from; i < to; i++ {
		h := Host{Host: inventory.Host{ID: benchID(i), Name: fmt.Sprintf("web%06d", i), Labels: map[string]string{"env": "prod", "rack": fmt.Sprint(i % 100)}}, Key: fmt.Sprint("SHA256:", i)}
		if err := insertHost(ctx, tx, h, start); err != nil {
			return err
		}
		one := benchStep(i, 1)
		one.Events, one.Objects = one.Events[:1], nil
		if i%10 == 0 {
			one.Host.Found = policies.Noncompliant
			for j := range 5 {
				one.Findings = append(one.Findings, finding(fmt.Sprintf("policy.p.file.f%d", j+i%7), policies.Noncompliant, start, fmt.Sprintf("cis:%d", j)))
			}
		}
		all = append(all, newDelivery(h.ID, "", 0, []Step{one}, start))
	}
	w := &writing{store: st, ctx: ctx, tx: tx}
	return w.accept(all)
}

func benchID(i int) inventory.HostID { return inventory.HostID(fmt.Sprintf("host-%06d", i)) }

// benchStep is a report about 300 resources of which ten were repaired.
func benchStep(i int, seq uint64) Step {
	one := step("e", seq, fmt.Sprintf("result-%d-%d", i, seq), start.Add(time.Duration(seq)*time.Minute))
	one.Host.Counts = map[policies.Status]int{policies.Compliant: 290, policies.Repaired: 10}
	for n := range 10 {
		one.Events = append(one.Events, Event{Seq: seq, At: one.Host.Since, Kind: EventRepaired, Address: fmt.Sprintf("policy.p.file.f%d", (i+int(seq)*10+n)%300),
			Cause: policies.Corrective, Status: policies.Repaired, Changes: []policies.Change{{Attribute: "mode", Before: "0644", After: "0600"}, {Attribute: "content", Before: fmt.Sprintf("sha256:%064x", i*1_000_003+int(seq)), After: fmt.Sprintf("sha256:%064x", n)}},
			Release: 1, Commit: strings.Repeat("c", 40)})
	}
	digest := inventory.Digest([]byte(one.Host.Result))
	one.Host.Result, one.Objects = digest, []Object{{Ref{KindResult, digest}, codingGzip, make([]byte, 2500)}}
	return one
}

func benchBoth(b *testing.B, hosts int, run func(b *testing.B, s *Store)) {
	for name, dsn := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return filepath.Join(b.TempDir(), "plumb.db") },
		"postgres": newDatabase,
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, dsn(b))
			fill(b, s, hosts)
			b.ResetTimer()
			run(b, s)
		})
	}
}

// BenchmarkAccept takes changed reports of many hosts at once, as a server does.
func BenchmarkAccept(b *testing.B) {
	benchBoth(b, 1000, func(b *testing.B, s *Store) {
		var next atomic.Int64
		b.SetParallelism(32)
		before := usedBy(b, s)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				n := int(next.Add(1)) - 1
				i, seq := n%1000, uint64(n/1000)+1
				for { // the same host's report before may still be under way
					err := s.Accept(b.Context(), benchID(i), "e", seq, []Step{benchStep(i, seq+1)}, start)
					if err == nil {
						break
					}
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
		used := usedBy(b, s)
		b.ReportMetric(float64((used.cpu-before.cpu).Microseconds())/float64(b.N), "cpu-µs/op")
		b.ReportMetric(float64((used.database-before.database).Microseconds())/float64(b.N), "database-µs/op")
		b.ReportMetric(float64(used.written-before.written)/float64(b.N), "written-B/op")
	})
}

// usage is what this process and a database of its own have used so far: time of the processors, and bytes written to files.
type usage struct {
	cpu, database time.Duration
	written       int64
}

func usedBy(b *testing.B, s *Store) usage {
	u := usage{cpu: cpuTime(b)}
	if !s.postgres {
		raw, err := os.ReadFile("/proc/self/io")
		must(b, err)
		var read int64
		_, err = fmt.Sscanf(string(raw), "rchar: %d\nwchar: %d", &read, &u.written)
		must(b, err)
		return u
	}
	must(b, s.w.QueryRow(`SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`).Scan(&u.written))
	rows, err := s.w.Query(`SELECT pid FROM pg_stat_activity`)
	pids, err := list(rows, err, func(scan func(...any) error) (pid int, err error) { return pid, scan(&pid) })
	must(b, err)
	for _, pid := range pids {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // gone: a worker that has just ended
		if fields := strings.Fields(string(raw)); len(fields) > 14 {
			user, _ := strconv.Atoi(fields[13])
			system, _ := strconv.Atoi(fields[14])
			u.database += time.Duration(user+system) * 10 * time.Millisecond
		}
	}
	return u
}

func BenchmarkSeen(b *testing.B) {
	benchBoth(b, 1000, func(b *testing.B, s *Store) {
		var next atomic.Int64
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				must(b, s.Seen(b.Context(), benchID(int(next.Add(1))%1000), Heartbeat{Agent: "1.0"}, start))
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "check-ins/s")
	})
}

// BenchmarkHeard takes heartbeats as a server does: it looks the caller up, and writes what came within a second together.
func BenchmarkHeard(b *testing.B) {
	benchBoth(b, 10_000, func(b *testing.B, s *Store) {
		before := usedBy(b, s)
		for n := range b.N {
			h, err := s.Caller(b.Context(), benchID(n*7919%10_000))
			must(b, err)
			must(b, s.Heard(b.Context(), h, Heartbeat{Agent: "1.0", Counter: uint64(n), Floor: 1}, start.Add(time.Duration(n)*time.Millisecond)))
			if n%beatBatch == 0 {
				must(b, s.settleBeats(b.Context()))
			}
		}
		used := usedBy(b, s)
		b.ReportMetric(float64((used.cpu-before.cpu).Microseconds())/float64(b.N), "cpu-µs/op")
		b.ReportMetric(float64((used.database-before.database).Microseconds())/float64(b.N), "database-µs/op")
		b.ReportMetric(float64(used.written-before.written)/float64(b.N), "written-B/op")
	})
}

func BenchmarkFleet(b *testing.B) {
	for _, hosts := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			benchBoth(b, hosts, func(b *testing.B, s *Store) {
				for name, question := range questions(s) {
					b.Run(name, func(b *testing.B) {
						began := cpuTime(b)
						for b.Loop() {
							must(b, question(b))
						}
						b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
					})
				}
			})
		})
	}
}

// cpuTime is what this process has used so far; other than time, it does not count who else is at work.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func questions(s *Store) map[string]func(b *testing.B) error {
	hosts := func(f HostFilter) func(b *testing.B) error {
		return func(b *testing.B) error { _, err := s.Hosts(b.Context(), f); return err }
	}
	return map[string]func(b *testing.B) error{
		"FleetCounts":       func(b *testing.B) error { _, err := s.FleetCounts(b.Context()); return err },
		"FindingsByAddress": func(b *testing.B) error { _, err := s.FindingsByAddress(b.Context()); return err },
		"Standings":         func(b *testing.B) error { _, err := s.Standings(b.Context()); return err },
		"Findings": func(b *testing.B) error {
			_, err := s.Findings(b.Context(), FindingFilter{Address: "policy.p.file.f3", Limit: 100})
			return err
		},
		"Events": func(b *testing.B) error { _, err := s.Events(b.Context(), EventFilter{Limit: 100}); return err },
		"EventsOfKind": func(b *testing.B) error {
			_, err := s.Events(b.Context(), EventFilter{Kinds: []string{EventFailed}, Limit: 100})
			return err
		},
		"HostsPage":     hosts(HostFilter{After: "web005000", Limit: 100}),
		"HostsStatus":   hosts(HostFilter{Status: policies.Noncompliant, Limit: 100}),
		"HostsContains": hosts(HostFilter{Contains: "999", Limit: 100}),
		"HostsLabel":    hosts(HostFilter{Labels: map[string]string{"rack": "7", "env": "prod"}, Limit: 100}),
		"HostsRack":     hosts(HostFilter{Labels: map[string]string{"rack": "7"}, Limit: 100}),
		"HostsCLI":      hosts(HostFilter{Limit: 1000}), // what plumb hosts asks
		"HostsMismatch": hosts(HostFilter{Mismatch: true, Limit: 100}),
		"Silent":        func(b *testing.B) error { _, err := s.silent(b.Context(), start); return err },
		"Unverified":    func(b *testing.B) error { _, err := s.Unverified(b.Context(), 100); return err },
	}
}

package fleet

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/server/authority"
	"plumb/server/store"
)

// smallDisk mounts a disk of that many bytes until the test ends.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("plumb-test", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs root: mounts a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill leaves no byte on the disk, and returns what gives the room back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	must(t, err)
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(bytes.Repeat([]byte{1}, size)); err != nil {
			size /= 2
		}
	}
	must(t, f.Close())
	return func() { must(t, os.Remove(path)) }
}

// F12: however often the disk of the server is full: reads and leases go on, reports are refused and not half
// stored, and once there is room again all of them are taken, once each.
func TestFullDiskLosesNothing(t *testing.T) {
	disks := 1
	if os.Getenv("PLUMB_SOAK") == "1" {
		disks = 10
	}
	for range disks { // each disk is filled a little more by the database itself
		t.Run("disk", fillOften)
	}
}

func fillOften(t *testing.T) {
	const rounds = 20
	dir := smallDisk(t, "64m")
	c := &killCheck{dsn: filepath.Join(dir, "plumb.db")}
	c.setUp(t)
	s, err := store.Open(t.Context(), c.dsn)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	keys, err := authority.Open(t.TempDir(), start)
	must(t, err)
	f := &Fleet{Store: s, Authority: keys}
	must(t, s.AddRelease(t.Context(), store.Release{Number: 1, Tag: "tag", Bundle: "bundle", Made: start}))
	var hosts [killHosts]*agent
	for n := range hosts {
		hosts[n] = &agent{fleet: f, id: killID(n), epoch: "epoch-1", objects: map[string][]byte{}}
	}
	refusals := 0
	for range rounds {
		free := fill(t, dir)
		var waiting [killHosts][]policies.Report
		for n, a := range hosts {
			refusals += c.whileFull(t, a, n, &waiting[n])
		}
		free()
		for n, a := range hosts {
			answer, err := a.deliver(t.Context(), killTime(a.seq), waiting[n]...)
			must(t, err)
			same(t, "accepted when there is room again", answer.Accepted, a.seq)
			c.acked[n] = a.seq
		}
		must(t, s.Check(t.Context()))
		c.checkStore(t, s)
	}
	t.Logf("the disk was full %d times, and %d reports were refused", rounds, refusals)
	if refusals < rounds*killHosts {
		t.Errorf("%d refusals in %d rounds: the disk was not full", refusals, rounds)
	}
}

// whileFull has a host report until it is refused, and then call without a report. What it made
// since the last acknowledgement is in waiting.
func (c *killCheck) whileFull(t *testing.T, a *agent, n int, waiting *[]policies.Report) (refusals int) {
	t.Helper()
	for tries := 0; refusals == 0 && tries < 10_000; tries++ {
		*waiting = append(*waiting, killReport(a))
		answer, err := a.deliver(t.Context(), killTime(a.seq), *waiting...)
		if err == nil { // the file of the database had some room left
			c.acked[n], *waiting = answer.Accepted, nil
			continue
		}
		if !errors.Is(err, store.ErrFull) {
			t.Fatalf("a report on a full disk: %v", err)
		}
		refusals++
	}
	answer, err := a.fleet.CheckIn(t.Context(), a.id, protocol.CheckIn{Version: 1}, killTime(a.seq))
	if err != nil || answer.Lease == "" {
		t.Fatalf("a call without a report on a full disk: %+v, %v", answer, err)
	}
	if _, err := a.fleet.Store.Host(t.Context(), a.id); err != nil {
		t.Fatalf("a read on a full disk: %v", err)
	}
	return refusals
}

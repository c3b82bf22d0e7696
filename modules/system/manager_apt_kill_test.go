package system

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// twenty are packages that need one another in circles and chains, with scripts, configuration
// and a trigger.
func twenty(version string) []testDeb {
	var list []testDeb
	for i := range 20 {
		d := testDeb{id: fmt.Sprintf("p%02d %s", i, version), files: map[string]string{}, run: map[string]string{}}
		if i > 0 {
			d.more = fmt.Sprintf("Depends: p%02d (>= %s)\n", i/2, version)
		}
		if i%5 == 4 {
			d.more = fmt.Sprintf("Depends: p%02d (= %s)\nBreaks: p%02d (<< %s)\n", i-1, version, i-1, version)
		}
		for _, script := range []string{"preinst", "postinst", "prerm", "postrm"} {
			d.run[script] = "mkdir -p /opt/said; echo " + version + " $* >> /opt/said/" + fmt.Sprint(i) + "." + script
		}
		conf := fmt.Sprintf("/opt/etc/p%02d.conf", i)
		d.files[conf], d.conf = "of "+version+"\n", []string{conf}
		for n := range 5 {
			d.files[fmt.Sprintf("/opt/data/p%02d/%d", i, n)] = strings.Repeat(version+"\n", 2000)
		}
		list = append(list, d)
	}
	list[3].files["/opt/watched/x"] = version
	list[7].files["/opt/watched/y"] = version
	list[5].run["postinst"] += "\nif [ \"$1\" = triggered ]; then echo yes > /opt/triggered; fi"
	list[5].files["/DEBIAN/triggers"] = "interest /opt/watched\n"
	return list
}

func all(version string) string {
	var words []string
	for i := range 20 {
		words = append(words, fmt.Sprintf("p%02d=%s", i, version))
	}
	return strings.Join(words, " ")
}

// Apt, dpkg and its scripts are killed at a random moment of an upgrade of twenty packages.
// What is there afterwards is all that the next run knows, and it needs no person.
func TestAptKilledAtAnyPoint(t *testing.T) {
	points := 8
	if testing.Short() {
		points = 3
	}
	if os.Getenv("PLUMB_SOAK") == "1" {
		points = 500
	}
	onAptHost(t, func(h *aptHost) {
		h.have(twenty("1")...)
		h.publish(twenty("2")...)
		h.must(h.apt.FetchPatch(t.Context(), targets(all("2"))))
		saved := filepath.Join(h.work, "saved")
		h.save(saved)
		whole := h.timed(func() { h.must(h.apt.InstallPatch(t.Context(), targets(all("2")), "keep")) })
		h.check("2")
		random := rand.New(rand.NewPCG(3, uint64(points)))
		broken := 0
		for i := range points {
			h.restore(saved)
			if got := h.versions(); got != all("1") {
				t.Fatalf("restored to %q", got)
			}
			delay := time.Duration(random.Int64N(int64(whole)))
			if h.killedAt(delay, i%3 == 2) {
				broken++
			}
			if t.Failed() {
				t.Fatalf("killed after %s", delay)
			}
		}
		t.Logf("%d kills within %s, %d of them left something broken", points, whole, broken)
		if points > 50 && broken == 0 {
			t.Error("no kill left anything broken: the test does not test")
		}
	})
}

func (h *aptHost) timed(what func()) time.Duration {
	start := time.Now()
	what()
	return time.Since(start)
}

// killedAt kills after the delay and lets a new agent go on, which may know nothing of what was
// begun. It tells whether the kill left something to mend.
func (h *aptHost) killedAt(delay time.Duration, forget bool) bool {
	h.t.Helper()
	done := make(chan error, 1)
	go func() { done <- h.apt.InstallPatch(context.Background(), targets(all("2")), "keep") }()
	time.Sleep(delay)
	killChildren()
	<-done
	if forget {
		_ = os.Remove(begunFile)
	}
	next := newAptManager(&System{Root: "/", State: h.s.State})
	broken, err := next.Broken(h.t.Context())
	h.must(err)
	if len(broken) > 0 {
		if err := next.Mend(h.t.Context()); err != nil {
			h.t.Errorf("Mend of %v: %v", broken, err)
			return true
		}
	}
	if err := next.InstallPatch(h.t.Context(), targets(all("2")), "keep"); err != nil {
		h.t.Errorf("InstallPatch after the kill: %v", err)
		return true
	}
	h.check("2")
	return len(broken) > 0
}

// check looks at what dpkg says and at the files themselves.
func (h *aptHost) check(version string) {
	h.t.Helper()
	h.s.ForgetDpkg()
	if got, want := h.versions(), all(version); got != want {
		h.t.Errorf("versions = %q", got)
	}
	if said := h.run("", "dpkg", "--audit"); len(said) > 0 {
		h.t.Errorf("dpkg --audit: %s", said)
	}
	for i := range 20 {
		for _, name := range []string{fmt.Sprintf("/opt/p%02d/version", i), fmt.Sprintf("/opt/data/p%02d/4", i), fmt.Sprintf("/opt/etc/p%02d.conf", i)} {
			if raw, err := os.ReadFile(name); err != nil || !strings.Contains(string(raw), version) {
				h.t.Errorf("%s = %.20q, %v", name, raw, err)
			}
		}
	}
	if left := h.run("", "find", "/opt", "-name", "*.dpkg-*"); len(left) > 0 {
		h.t.Errorf("left behind: %s", left)
	}
	if _, err := os.Stat(begunFile); err == nil {
		h.t.Error("what was begun is still noted")
	}
}

// killChildren kills the sessions of all that this process has started.
func killChildren() {
	stats := map[int][]string{} // of each process from its state on
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		stat, _ := os.ReadFile("/proc/" + e.Name() + "/stat")
		_, after, ok := strings.Cut(string(stat), ") ")
		pid, err := strconv.Atoi(e.Name())
		if fields := strings.Fields(after); ok && err == nil && len(fields) > 3 {
			stats[pid] = fields
		}
	}
	me := strconv.Itoa(os.Getpid())
	for pid, of := range stats {
		session, err := strconv.Atoi(of[3])
		if leader := stats[session]; err == nil && leader != nil && leader[1] == me {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

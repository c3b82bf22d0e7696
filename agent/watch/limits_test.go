package watch

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// poorVariable says that the test runs again in a user namespace with few watches.
const poorVariable = "PLUMB_WATCH_POOR"

// TestWatchesRunOut sets the limit in a user namespace of its own, for it is the machine's.
func TestWatchesRunOut(t *testing.T) {
	if os.Getenv(poorVariable) == "" {
		again(t)
		return
	}
	if err := os.WriteFile("/proc/sys/user/max_inotify_watches", []byte("12"), 0o644); err != nil {
		t.Skip("needs a /proc/sys that may be written:", err)
	}
	dir := t.TempDir()
	var log bytes.Buffer
	w := open(t, Options{Anonymous: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	var list []Target
	for i := range 30 {
		must(t, os.Mkdir(dir+"/"+strconv.Itoa(i), 0o755))
		list = append(list, Target{Address: fmt.Sprintf("file.%02d", i), Paths: []string{dir + "/" + strconv.Itoa(i) + "/conf"}})
	}
	w.Watch(list)
	w.Watch(list)
	blind := len(w.Blind())
	if blind == 0 || blind == len(list) {
		t.Errorf("%d of %d targets are blind, want some", blind, len(list))
	}
	if n := strings.Count(log.String(), "cannot be watched"); n != blind {
		t.Errorf("%d warnings, want one for each of the %d folders", n, blind)
	}
	put(t, dir+"/0/conf", "1")
	expect(t, w, "file.00")
	must(t, os.WriteFile("/proc/sys/user/max_inotify_watches", []byte("1000"), 0o644))
	w.Watch(list)
	if left := w.Blind(); len(left) > 0 || w.Short() {
		t.Errorf("with watches to spare %q are still blind, short is %t", left, w.Short())
	}
	put(t, dir+"/29/conf", "1")
	expect(t, w, "file.29")
}

func again(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWatchesRunOut$", "-test.v")
	cmd.Env = append(os.Environ(), poorVariable+"=1")
	own := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: own(os.Getuid()), GidMappings: own(os.Getgid())}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Skip("needs user namespaces: the kernel answers", err)
	}
	if bytes.Contains(out, []byte("--- SKIP")) {
		t.Skipf("needs a /proc/sys that may be written: %s", out)
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("in a namespace with few watches: %v\n%s", err, out)
	}
}

// TestIdle measures what watching 10,000 files costs while nothing happens.
func TestIdle(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		w := open(t, opt)
		w.Watch(many(t, 10_000))
		runtime.GC() // of the 10,000 files
		before := cpu(t)
		quiet(t, w)
		quiet(t, w)
		quiet(t, w)
		if used := cpu(t) - before; used > 20_000 {
			t.Errorf("%d µs of CPU in %s of silence, want next to none", used, 3*silence)
		} else {
			t.Logf("%d µs of CPU in %s of silence", used, 3*silence)
		}
	})
}

func many(t *testing.T, n int) []Target {
	t.Helper()
	dir := t.TempDir()
	var list []Target
	for i := range n {
		folder := fmt.Sprintf("%s/%02d", dir, i%100)
		must(t, os.MkdirAll(folder, 0o755))
		path := fmt.Sprintf("%s/%d", folder, i)
		put(t, path, "content")
		list = append(list, Target{Address: fmt.Sprintf("file.%05d", i), Paths: []string{path}})
	}
	return list
}

// cpu is what this process has used, in microseconds.
func cpu(t *testing.T) int64 {
	t.Helper()
	var u unix.Rusage
	must(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return (u.Utime.Sec+u.Stime.Sec)*1_000_000 + u.Utime.Usec + u.Stime.Usec
}

func TestTenThousandFiles(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		list := many(t, 10_000)
		w := open(t, opt)
		w.Watch(list)
		seen := map[string]bool{}
		for _, one := range list {
			must(t, os.Chmod(one.Paths[0], 0o600))
		}
		for len(seen) < len(list) {
			e := next(t, w)
			for _, address := range e.Addresses() {
				seen[address] = true
			}
		}
	})
}

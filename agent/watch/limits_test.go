package watch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// apartVariable says that the test runs again, in namespaces of its own.
const apartVariable = "PLUMB_WATCH_APART"

// TestWatchesRunOut sets the limit in a user namespace of its own, for it is the machine's.
func TestWatchesRunOut(t *testing.T) {
	if os.Getenv(apartVariable) == "" {
		again(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: own(os.Getuid()), GidMappings: own(os.Getgid())})
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

// own maps an ID to root.
func own(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }

// again runs the test once more, in namespaces of its own.
func again(t *testing.T, namespaces *syscall.SysProcAttr) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), apartVariable+"=1")
	cmd.SysProcAttr = namespaces
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Skip("needs namespaces: the kernel answers", err)
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) && !bytes.Contains(out, []byte("--- SKIP: "+t.Name())) {
		t.Errorf("in namespaces of its own: %v\n%s", err, out)
	}
	if bytes.Contains(out, []byte("--- SKIP: "+t.Name())) {
		t.Skipf("%s", out)
	}
	t.Logf("%s", out)
}

// TestIdle asks that watching 10,000 files wakes nobody while nothing happens. It counts how often threads of
// this process went to sleep, for that is the same however busy the machine is, and has mounts and a folder for
// temporary files of its own, for the watcher wakes up for what others mount, and make beside what it watches.
func TestIdle(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector has a thread that wakes up by itself")
	}
	if os.Getenv(apartVariable) == "" {
		again(t, privateMounts())
		return
	}
	ownTemporary(t)
	ways(t, func(t *testing.T, opt Options) {
		w := open(t, opt)
		w.Watch(many(t, 10_000))
		debug.FreeOSMemory() // the runtime does that by and by, and wakes up for it
		quiet(t, w)          // of the 10,000 files
		const most = 6       // ten times a second would be twelve
		n := 0
		for range 3 { // the runtime wakes up now and then, too
			if n = sleeps(t, 3*silence); n <= most {
				break
			}
		}
		if quiet(t, w); n > most {
			t.Errorf("threads slept %d times in %s of silence, want %d at most", n, 3*silence, most)
		}
		t.Logf("%d times in %s", n, 3*silence)
	})
}

// privateMounts is a mount namespace that hears nothing of mounts elsewhere, in a user namespace where that takes one.
func privateMounts() *syscall.SysProcAttr {
	if os.Geteuid() == 0 {
		return &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: own(os.Geteuid()), GidMappings: own(os.Getegid())}
}

// ownTemporary puts an empty folder over that in which everybody has temporary files.
func ownTemporary(t *testing.T) {
	t.Helper()
	folder := os.TempDir()
	must(t, unix.Mount(t.TempDir(), folder, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(folder, unix.MNT_DETACH)) })
}

// sleeps counts how often the threads of this process went to sleep within a time in which the test itself
// waits in the kernel, without a timer of the runtime.
func sleeps(t *testing.T, d time.Duration) (n int) {
	t.Helper()
	before := voluntary(t)
	wait := unix.NsecToTimespec(d.Nanoseconds())
	for unix.Nanosleep(&wait, &wait) != nil { // a signal of the runtime's
	}
	for thread, count := range voluntary(t) {
		n += count - before[thread]
	}
	return n
}

// voluntary tells how often each thread slept, but for the second one, with which the runtime watches over
// the others: it sleeps the more often the longer those wait for a processor. The kernel lists threads in the order
// of their birth; their numbers start anew at some time.
func voluntary(t *testing.T) map[string]int {
	t.Helper()
	folder, err := os.Open("/proc/self/task")
	must(t, err)
	defer folder.Close()
	list, err := folder.Readdirnames(-1)
	must(t, err)
	count := map[string]int{}
	for _, one := range slices.Delete(list, 1, 2) {
		raw, err := os.ReadFile("/proc/self/task/" + one + "/status")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		must(t, err)
		_, rest, _ := strings.Cut(string(raw), "\nvoluntary_ctxt_switches:")
		n, err := strconv.Atoi(strings.Fields(rest)[0])
		must(t, err)
		count[one] = n
	}
	return count
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

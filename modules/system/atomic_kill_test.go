package system

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The writer that is killed is this test's own binary, started again with these set.
const (
	killRoot   = "PLUMB_TEST_KILL_ROOT"
	killWriter = "PLUMB_TEST_KILL_WRITER"
	killMarker = "/plumb-test-marker"
)

// TestMain is the writer when it is told so, and else runs the tests.
func TestMain(m *testing.M) {
	if root := os.Getenv(killRoot); root != "" {
		os.Exit(writeOnce(root, os.Getenv(killWriter)))
	}
	os.Exit(m.Run())
}

// writeOnce writes the new content between two markers that show in a trace.
func writeOnce(root, writer string) int {
	runtime.LockOSThread() // strace counts calls for each thread
	_ = unix.Access(killMarker, unix.F_OK)
	var err error
	files := (&System{Root: root}).Files()
	switch writer {
	case "naive":
		err = naiveWrite(filepath.Join(root, "f"), newContent())
	case "link": // the link behind which the content lies is turned
		err = files.Symlink("new", "/f", true)
	default:
		err = files.Write("/f", newContent(), WriteOptions{})
	}
	_ = unix.Access(killMarker, unix.F_OK)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// naiveWrite is how it must not be done; it proves that the test can fail.
func naiveWrite(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(content, 8<<10) {
		if _, err := f.Write(chunk); err != nil {
			return err
		}
	}
	return f.Close()
}

func oldContent() []byte { return bytes.Repeat([]byte("old\n"), 20_000) }
func newContent() []byte { return bytes.Repeat([]byte("new!\n"), 20_000) }

// killPoint is the when-th call of one system call.
type killPoint struct {
	call string
	when int
}

func TestKilledWriterLeavesOldOrNew(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace: kills the writer at each system call")
	}
	for _, writer := range []string{"plumb", "link", "naive"} {
		t.Run(writer, func(t *testing.T) {
			points := recordPoints(t, strace, writer)
			outcome := map[string]int{}
			for _, p := range thin(points, 50) {
				outcome[killAt(t, strace, writer, p)]++
			}
			for i := 0; writer == "plumb" && os.Getenv("PLUMB_SOAK") == "1" && i < 10_000; i++ {
				outcome[killAt(t, strace, writer, points[i%len(points)])]++
			}
			t.Logf("%d points: %v", len(points), outcome)
			if writer != "naive" && (outcome["torn"] > 0 || outcome["old"] == 0 || outcome["new"] == 0) {
				t.Errorf("outcomes = %v, want old and new and nothing torn", outcome)
			}
			if writer == "naive" && outcome["torn"] == 0 {
				t.Errorf("outcomes = %v: a writer in place was never torn, so this test proves nothing", outcome)
			}
		})
	}
}

// TestFailingDiskLeavesOldOrNew lets each call on the way fail once, as a broken disk does.
func TestFailingDiskLeavesOldOrNew(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace: makes system calls fail")
	}
	tried := 0
	for _, p := range recordPoints(t, strace, "plumb") {
		if !slices.Contains([]string{"write", "fchown", "fchmod", "fsync", "renameat"}, p.call) {
			continue
		}
		tried++
		root := killFolder(t, "plumb")
		inject := fmt.Sprintf("inject=%s:error=EIO:when=%d", p.call, p.when)
		out, err := writerCommand(strace, []string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + p.call, "-e", inject}, root, "plumb").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "input/output error") {
			t.Errorf("%v failed, but the writer said %q, %v", p, out, err)
		}
		raw, err := os.ReadFile(filepath.Join(root, "f"))
		must(t, err)
		if !bytes.Equal(raw, oldContent()) && !bytes.Equal(raw, newContent()) {
			t.Errorf("%v failed and tore the file", p)
		}
		wantNoTemp(t, root)
	}
	if tried < 5 {
		t.Errorf("only %d calls were made to fail", tried)
	}
}

// thin takes every n-th point unless PLUMB_SOAK asks for all.
func thin(points []killPoint, most int) []killPoint {
	if os.Getenv("PLUMB_SOAK") == "1" || len(points) <= most {
		return points
	}
	var some []killPoint
	for i := range most {
		some = append(some, points[i*len(points)/most])
	}
	return some
}

func writerCommand(strace string, args []string, root, writer string) *exec.Cmd {
	cmd := exec.Command(strace, append(args, os.Args[0])...)
	cmd.Env = append(os.Environ(), killRoot+"="+root, killWriter+"="+writer, "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	return cmd
}

func killFolder(t *testing.T, writer string) string {
	root := t.TempDir()
	if writer != "link" {
		must(t, os.WriteFile(filepath.Join(root, "f"), oldContent(), 0o640))
		return root
	}
	must(t, os.WriteFile(filepath.Join(root, "old"), oldContent(), 0o640))
	must(t, os.WriteFile(filepath.Join(root, "new"), newContent(), 0o640))
	must(t, os.Symlink("old", filepath.Join(root, "f")))
	return root
}

var tracedCall = regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?([a-z0-9_]+)\((.*)`)

// recordPoints lists every call that the writing thread makes between the markers.
func recordPoints(t *testing.T, strace, writer string) []killPoint {
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := writerCommand(strace, []string{"-f", "-qq", "-o", trace}, killFolder(t, writer), writer)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("needs strace to work here: %v %s", err, out)
	}
	raw, err := os.ReadFile(trace)
	must(t, err)
	thread := ""
	counts := map[string]map[string]int{}
	var points []killPoint
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := tracedCall.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		if counts[m[1]] == nil {
			counts[m[1]] = map[string]int{}
		}
		counts[m[1]][m[2]]++
		if strings.Contains(m[3], killMarker) {
			thread = map[bool]string{true: m[1], false: ""}[thread == ""]
			continue
		}
		if m[1] == thread && !noise[m[2]] {
			points = append(points, killPoint{m[2], counts[m[1]][m[2]]})
		}
	}
	if len(points) < 8 {
		t.Fatalf("only %d calls recorded", len(points))
	}
	return points
}

// noise is what Go's scheduler does in between, at other moments in each run.
var noise = map[string]bool{"futex": true, "madvise": true, "mmap": true, "munmap": true, "rt_sigprocmask": true,
	"rt_sigreturn": true, "sched_yield": true, "nanosleep": true, "epoll_pwait": true, "tgkill": true, "getpid": true}

// killAt kills a writer at the point and says what is in the file afterwards. The writer
// that comes next must succeed and leave nothing lying about.
func killAt(t *testing.T, strace, writer string, p killPoint) string {
	root := killFolder(t, writer)
	inject := fmt.Sprintf("inject=%s:signal=KILL:when=%d", p.call, p.when)
	died := false
	for range 5 {
		cmd := writerCommand(strace, []string{"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + p.call, "-e", inject}, root, writer)
		if died = wasKilled(cmd.Run()); died {
			break
		}
		root = killFolder(t, writer)
	}
	if !died {
		t.Errorf("the writer was not killed at %v: nothing was tested", p)
	}
	raw, err := os.ReadFile(filepath.Join(root, "f"))
	must(t, err)
	info, err := os.Stat(filepath.Join(root, "f"))
	must(t, err)
	if info.Mode().Perm() != 0o640 {
		t.Errorf("killed at %v: mode %v, want 0640", p, info.Mode())
	}
	must(t, (&System{Root: root}).Files().Write("/f", newContent(), WriteOptions{Replace: true}))
	wantNoTemp(t, root)
	switch {
	case bytes.Equal(raw, oldContent()):
		return "old"
	case bytes.Equal(raw, newContent()):
		return "new"
	}
	return "torn"
}

func wasKilled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && (status.Signaled() && status.Signal() == syscall.SIGKILL || status.ExitStatus() == 137)
}

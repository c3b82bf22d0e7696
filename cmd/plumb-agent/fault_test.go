package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"plumb/policies/bundle"
)

// These tests run the whole agent, its child that compiles too, under strace, which ends it or
// lets a system call fail at each place where it makes one.

// place is the when-th call of that name by any thread of the agent.
type place struct {
	call string
	when int
}

// patient is a host with one file that the agent has to replace.
type patient struct {
	host
	policy string
	file   string
}

const kept = "user.plumb.kept"

func newPatient(t *testing.T) patient {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace: interferes with the agent's system calls")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: the managed file belongs to another user")
	}
	p := patient{host: newHost(t)}
	p.policy = write(t, bundle.Tree{"main.hcl": []byte(strings.Replace(motd, "Welcome to %s\\n", string(wholeNew()), 1))})
	p.file = filepath.Join(p.root, "motd")
	return p
}

func wholeOld() []byte { return bytes.Repeat([]byte("old "), 5000) }
func wholeNew() []byte { return bytes.Repeat([]byte("new! "), 5000) }

// fall makes the host ill again: the file is the old one, of another user, with an attribute.
func (p patient) fall() {
	p.t.Helper()
	err := errors.Join(os.WriteFile(p.file, wholeOld(), 0o600), os.Chmod(p.file, 0o640), os.Chown(p.file, 1001, 1002))
	if err == nil {
		err = unix.Setxattr(p.file, kept, []byte("yes"), 0)
	}
	if err != nil {
		p.t.Skipf("needs a file system with extended attributes: %v", err)
	}
}

// state says whether the file is old or new, and torn when it is neither or lost what goes with it.
func (p patient) condition() string {
	raw, err := os.ReadFile(p.file)
	if err != nil {
		return "torn: " + err.Error()
	}
	var st unix.Stat_t
	if err := unix.Stat(p.file, &st); err != nil || st.Mode&0o7777 != 0o640 || st.Uid != 1001 || st.Gid != 1002 {
		return fmt.Sprintf("torn: mode %o, owner %d:%d", st.Mode, st.Uid, st.Gid)
	}
	value := make([]byte, 8)
	if n, err := unix.Getxattr(p.file, kept, value); err != nil || string(value[:n]) != "yes" {
		return "torn: its attribute is gone"
	}
	switch {
	case bytes.Equal(raw, wholeOld()):
		return "old"
	case bytes.Equal(raw, wholeNew()):
		return "new"
	}
	return fmt.Sprintf("torn: %d bytes", len(raw))
}

// recovers runs the agent in peace: it must end well and leave nothing of the run before.
func (p patient) recovers(after string) {
	p.t.Helper()
	out, problems, code := p.agent("apply", p.policy)
	if code != 0 || p.condition() != "new" {
		p.t.Fatalf("after %s: exit %d, %s; the file is %s\n%s%s", after, code, problems, p.condition(), out, problems)
	}
	for _, dir := range []string{p.root, p.state} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if name := filepath.Base(path); strings.HasPrefix(name, ".plumb-") || strings.HasPrefix(name, ".new-") {
				p.t.Errorf("after %s the next run left %s", after, strings.TrimPrefix(path, dir))
			}
			return err
		})
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// under runs the agent with strace at it and returns what it said and how it ended.
func (p patient) under(options ...string) (string, *os.ProcessState) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	args := append([]string{"-f", "-qq", "-o", "/dev/null"}, options...)
	cmd := exec.CommandContext(ctx, "strace", append(args, os.Args[0], "apply", p.policy, "--state", p.state, "--root", p.root)...)
	cmd.Env = append(os.Environ(), "PLUMB_AGENT_MAIN=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || ctx.Err() != nil {
		p.t.Fatalf("the agent hangs under strace %q: %v", options, err)
	}
	return string(out), cmd.ProcessState
}

// strike does something to the agent at a place. Without strace's --seccomp-bpf, which is quicker, but with which strace 6.1
// counts no call beyond the first.
func (p patient) strike(at place, how string, more ...string) (string, *os.ProcessState) {
	p.t.Helper()
	return p.under(append(more, "-e", "trace="+at.call, "-e", fmt.Sprintf("inject=%s:%s:when=%d", at.call, how, at.when))...)
}

var (
	calls  = regexp.MustCompile(`^(\d+) +([a-z0-9_]+)\((.*)`)
	cloned = regexp.MustCompile(`^(\d+) +(?:clone3?\(|<... clone3? resumed>).* = (\d+)$`)
)

// mostCalls counts what the threads of the first process in the trace call, for each call by the
// thread that does most. Its children are left out.
func mostCalls(trace []byte) map[string]int {
	most, of := map[string]int{}, map[[2]string]int{}
	own, asks := map[string]bool{}, map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(trace))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := calls.FindStringSubmatch(lines.Text())
		if m != nil && len(own) == 0 {
			own[m[1]] = true
		}
		if m != nil && strings.HasPrefix(m[2], "clone") { // clone3 where cgo makes the threads
			asks[m[1]] = strings.Contains(m[3], "CLONE_THREAD")
		}
		if c := cloned.FindStringSubmatch(lines.Text()); c != nil && asks[c[1]] && own[c[1]] {
			own[c[2]] = true
		}
		if m != nil && own[m[1]] && !unmoved[m[2]] {
			of[[2]string{m[1], m[2]}]++
			most[m[2]] = max(most[m[2]], of[[2]string{m[1], m[2]}])
		}
	}
	return most
}

// unmoved are calls of Go's scheduler and others that touch neither file nor network.
var unmoved = map[string]bool{"futex": true, "madvise": true, "mmap": true, "munmap": true, "rt_sigprocmask": true, "rt_sigaction": true,
	"rt_sigreturn": true, "sched_yield": true, "nanosleep": true, "epoll_pwait": true, "tgkill": true, "getpid": true, "gettid": true, "sigaltstack": true,
	"execve": true, "clone": true, "clone3": true, "sched_getaffinity": true, "arch_prctl": true, "restart_syscall": true,
	"exit_group": true, "exit": true}

// places lists what a run calls: each name as often as the thread does that calls it most. What is
// called rarely comes first, for that is what writes files.
func (p patient) places() []place {
	p.t.Helper()
	p.fall()
	trace := filepath.Join(p.t.TempDir(), "trace")
	if out, end := p.under("-o", trace); end.ExitCode() != 0 {
		p.t.Skipf("needs strace to work here: %s %s", end, out)
	}
	raw, err := os.ReadFile(trace)
	if err != nil {
		p.t.Fatal(err)
	}
	most := mostCalls(raw)
	var list []place
	byRarity := func(a, b string) int { return cmp.Or(cmp.Compare(most[a], most[b]), cmp.Compare(a, b)) }
	for _, call := range slices.SortedFunc(maps.Keys(most), byRarity) {
		for when := 1; when <= most[call]; when++ {
			list = append(list, place{call, when})
		}
	}
	return list
}

// late keeps the last third of the places of each call.
func late(places []place) []place {
	most := map[string]int{}
	for _, at := range places {
		most[at.call] = max(most[at.call], at.when)
	}
	return slices.DeleteFunc(slices.Clone(places), func(at place) bool { return 3*at.when <= 2*most[at.call] })
}

// misses is how often in a row a kill may not hit before its place is given up.
const misses = 3

// F01: an agent that is killed leaves the old file or the new one, with owner, mode and
// attributes, and the next run leaves nothing that the killed one began. Every other kill is a late one, for the file is
// renamed near the end of a run.
func TestKilledAgentLeavesOldOrNew(t *testing.T) {
	p := newPatient(t)
	places, kills := p.places(), 60
	chance := rand.New(rand.NewPCG(1, 0))
	chance.Shuffle(len(places), func(i, k int) { places[i], places[k] = places[k], places[i] })
	targets := [2][]place{places, late(places)}
	if os.Getenv("PLUMB_SOAK") == "1" {
		kills = 10_000
	}
	killed, outcome, missed, hit := 0, map[string]int{}, map[place]int{}, map[place]bool{}
	for i := 0; killed < kills && i < 100*kills; i++ {
		of := targets[i%2]
		at := of[i/2%len(of)]
		if missed[at] == misses {
			continue // no thread comes so far, or it is the child that dies
		}
		p.fall()
		if _, end := p.strike(at, "signal=KILL"); !wasKilled(end) {
			missed[at]++
			continue
		}
		killed, missed[at], hit[at] = killed+1, 0, true
		found := p.condition()
		outcome[found]++
		if strings.HasPrefix(found, "torn") {
			t.Fatalf("killed at %v: %s", at, found)
		}
		p.recovers(fmt.Sprintf("a kill at %v", at))
		if killed%500 == 0 {
			t.Logf("%d kills: %v", killed, outcome)
		}
	}
	t.Logf("%d kills at %d of %d places: %v", killed, len(hit), len(places), outcome)
	if killed < kills || len(hit) < kills/3 && len(hit) < len(places)/3 || outcome["old"] < kills/10 || outcome["new"] < kills/20 {
		t.Errorf("%d kills of %d, %v: the test proves too little", killed, kills, outcome)
	}
}

func wasKilled(end *os.ProcessState) bool {
	status, ok := end.Sys().(syscall.WaitStatus)
	return ok && (status.Signaled() && status.Signal() == syscall.SIGKILL || status.ExitStatus() == 137)
}

// touching are the calls that a disk can refuse, and with which errors.
var touching = map[string][]string{
	"write": {"ENOSPC", "EIO"}, "pwrite64": {"ENOSPC", "EIO"}, "ftruncate": {"ENOSPC", "EIO", "EROFS"}, "fallocate": {"ENOSPC"},
	"openat": {"ENOSPC", "EIO", "EROFS"}, "mkdirat": {"ENOSPC", "EIO", "EROFS"}, "renameat": {"ENOSPC", "EIO", "EROFS"},
	"fsync": {"ENOSPC", "EIO"}, "fchmod": {"EIO", "EROFS"}, "fchown": {"EIO", "EROFS"}, "fsetxattr": {"ENOSPC", "EIO", "EROFS"},
	"unlinkat": {"EIO", "EROFS"}, "newfstatat": {"EIO"}, "getdents64": {"EIO"}, "readlinkat": {"EIO"}, "flock": {"EIO"},
	"fgetxattr": {"EIO"}, "flistxattr": {"EIO"}, "chdir": {"EIO"}, "read": {"EIO"}, "pread64": {"EIO"}, "fstat": {"EIO"}, "close": {"EIO"},
}

// piped are calls that also go to pipes, which no disk refuses: they fail on the host's files only.
var piped = map[string]bool{"read": true, "pread64": true, "fstat": true, "close": true}

// files lists the host's files as options of strace.
func (p patient) files() []string {
	list := []string{"-P", p.file}
	for _, dir := range []string{p.state, p.policy} {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			list = append(list, "-P", path)
			return err
		})
	}
	return list
}

// F11, F13: whatever call the disk refuses, the agent does not fall over, tears nothing, and
// says by its exit code and in words that it could not.
func TestRefusingDiskIsTold(t *testing.T) {
	p := newPatient(t)
	var tries []func()
	told := map[string]int{}
	for _, at := range p.places() {
		for _, code := range touching[at.call] {
			tries = append(tries, func() { told[p.refuse(at, code)]++ })
		}
	}
	step := 1
	if os.Getenv("PLUMB_SOAK") != "1" {
		step = max(1, len(tries)/60)
	}
	for i := 0; i < len(tries); i += step {
		tries[i]()
	}
	t.Logf("%d refusals of %d: %v", (len(tries)+step-1)/step, len(tries), told)
	if told["exit 1"]+told["exit 2"] == 0 {
		t.Errorf("%v: no refusal was ever told", told)
	}
}

// artefact is how Go's own scheduler ends when a call fails that no disk can refuse.
const artefact = "netpoll"

func (p patient) refuse(at place, code string) string {
	p.t.Helper()
	p.fall()
	var only []string
	if piped[at.call] {
		only = p.files()
	}
	out, end := p.strike(at, "error="+code, only...)
	what := fmt.Sprintf("%s at %v", code, at)
	found := p.condition()
	switch {
	case strings.Contains(out, artefact) || strings.Contains(out, "error while loading shared libraries"): // a release has none
		p.recovers(what)
		return "not a disk's"
	case strings.Contains(out, "panic:") || strings.Contains(out, "fatal error:") || !slices.Contains([]int{0, 1, 2}, end.ExitCode()):
		p.t.Errorf("%s: %s\n%s", what, end, out)
	case strings.HasPrefix(found, "torn"):
		p.t.Errorf("%s: %s", what, found)
	case end.ExitCode() == 0 && found != "new":
		p.t.Errorf("%s: exit 0, but the file is %s\n%s", what, found, out)
	case end.ExitCode() == 1 && at.call != "write" && !strings.Contains(out, "plumb-agent: error: "): // its words are written, too
		p.t.Errorf("%s: exit 1 without a word\n%s", what, out)
	}
	p.recovers(what)
	return fmt.Sprintf("exit %d", end.ExitCode())
}

package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrBusy is wrapped when another process still holds a lock at the end of the wait.
var ErrBusy = errors.New("is held")

// errAptBusy begins the sentence that names the holder.
var errAptBusy = fmt.Errorf("apt lock %w", ErrBusy)

// Holder is the process that keeps others from installing packages.
type Holder struct {
	// PID is 0 when the process lives where we cannot see it, such as in a container.
	PID int
	// Name is its program, Since when it started.
	Name  string
	Since time.Time
}

func (h Holder) String() string {
	if h.PID == 0 {
		return "a process that cannot be seen from here"
	}
	if h.Since.IsZero() {
		return fmt.Sprintf("%s (pid %d)", h.Name, h.PID)
	}
	return fmt.Sprintf("%s (pid %d) since %s", h.Name, h.PID, h.Since.UTC().Format("15:04 MST"))
}

// packageLocks are the locks that apt takes to install, the outermost first.
func packageLocks() []string {
	return []string{"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/cache/apt/archives/lock"}
}

// listLocks are those that it takes to fetch the package lists.
func listLocks() []string { return []string{"/var/lib/apt/lists/lock"} }

// AptHolder tells who keeps us from installing packages, nobody when ok is false.
func (s *System) AptHolder() (holder Holder, ok bool) { return s.anyHolder(packageLocks()) }

func (s *System) anyHolder(locks []string) (holder Holder, ok bool) {
	for _, name := range locks {
		if holder, ok = lockHolder(filepath.Join("/", s.Root, name)); ok {
			return holder, true
		}
	}
	return Holder{}, false
}

// lockHolder asks the kernel who would be in the way of a write lock. Closing the file drops
// this process' own locks on it (POSIX), of which there are none: only apt takes them.
func lockHolder(path string) (Holder, bool) {
	f, err := os.Open(path)
	if err != nil {
		return Holder{}, false
	}
	defer f.Close()
	want := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &want); err != nil || want.Type == unix.F_UNLCK {
		return Holder{}, false
	}
	return describeProcess(int(want.Pid)), true
}

func describeProcess(pid int) Holder {
	if pid <= 0 {
		return Holder{}
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	comm, _ := os.ReadFile(proc + "/comm")
	h := Holder{PID: pid, Name: strings.TrimSpace(string(comm))}
	if h.Name == "" {
		h.Name = "a process"
	}
	stat, _ := os.ReadFile(proc + "/stat")
	system, _ := os.ReadFile("/proc/stat")
	if since, ok := processStart(stat, system); ok {
		h.Since = since
	}
	return h
}

// processStart adds the process' start (field 22, in hundredths of a second after the boot)
// to the time of the boot. The program's name may hold blanks, so fields count from its ")".
func processStart(stat, system []byte) (time.Time, bool) {
	_, after, ok := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	fields := strings.Fields(string(after))
	if !ok || len(fields) < 20 {
		return time.Time{}, false
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	for line := range strings.Lines(string(system)) {
		if boot, found := strings.CutPrefix(line, "btime "); found {
			at, err := strconv.ParseInt(strings.TrimSpace(boot), 10, 64)
			return time.Unix(at+ticks/100, 0), err == nil
		}
	}
	return time.Time{}, false
}

// waitForLocks returns when none of the locks is held, or an error that wraps [ErrBusy] and
// names the holder after the wait. It never removes a lock: its holder may be in the middle.
func (s *System) waitForLocks(ctx context.Context, wait time.Duration, locks []string) error {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	poll := time.NewTicker(500 * time.Millisecond)
	defer poll.Stop()
	for {
		holder, held := s.anyHolder(locks)
		if !held {
			return nil
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			return fmt.Errorf("%w by %s, waited %s", errAptBusy, holder, wait)
		case <-ctx.Done():
			return fmt.Errorf("%w by %s: %w", errAptBusy, holder, ctx.Err())
		}
	}
}

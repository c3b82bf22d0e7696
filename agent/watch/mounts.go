package watch

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mounts tells where something was mounted or unmounted. The kernel wakes whoever polls the
// table of mounts when it has changed.
type mounts struct {
	table int // -1 when there is none
	last  map[string]string
	again time.Time // not looked at before
	looks int
}

// mountPause is the time between two looks at the table. Where containers come and go others mount hundreds
// of times a minute: the first time is looked at at once, and what follows all in one when the pause is over.
const mountPause = time.Second

const mountTable = "/proc/self/mountinfo"

// openMounts opens the table with a bare descriptor: the runtime would poll a file as well, and
// the kernel tells each change once.
func openMounts() *mounts {
	fd, err := unix.Open(mountTable, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		fd = -1 // mounts are found by periodic runs
	}
	m := &mounts{table: fd}
	m.changed()
	return m
}

func (m *mounts) close() {
	if m.table >= 0 {
		_ = unix.Close(m.table)
	}
}

// poll is what to wait for, and how long at most, in milliseconds. What happens in the pause the kernel
// tells after it.
func (m *mounts) poll(now time.Time) (unix.PollFd, int) {
	if left := m.again.Sub(now); left > 0 {
		return unix.PollFd{Fd: -1}, int(left/time.Millisecond) + 1
	}
	return unix.PollFd{Fd: int32(m.table), Events: unix.POLLPRI}, -1
}

// changed returns the mount points that have come, gone or changed since it was last asked.
func (m *mounts) changed() []string {
	m.looks++
	raw, err := os.ReadFile(mountTable)
	if err != nil {
		return nil
	}
	now := mountPoints(string(raw))
	var list []string
	for id, point := range now {
		if m.last[id] != point {
			list = append(list, point)
		}
	}
	for id, point := range m.last {
		if now[id] == "" {
			list = append(list, point)
		}
	}
	m.last = now
	return list
}

// mountPoints reads mountinfo: the mount points by the number of the mount.
func mountPoints(table string) map[string]string {
	points := map[string]string{}
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points[fields[0]] = unescape(fields[4])
		}
	}
	return points
}

// unescape reads the octal escapes that stand for blanks, line breaks and backslashes.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

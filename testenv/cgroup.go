package testenv

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cgroup is the branch of the cgroup2 tree that holds everything that runs on one host.
type cgroup string

// cgroupTop is where cgroup2 is mounted: at the top, or beside version 1 on a machine with both.
func cgroupTop() string {
	const both = "/sys/fs/cgroup/unified"
	if _, err := os.Stat(both); err == nil {
		return both
	}
	return "/sys/fs/cgroup"
}

// removeCgroups takes away what hosts of a run left; their processes are dead by then.
func removeCgroups(run string) {
	left, _ := filepath.Glob(filepath.Join(cgroupTop(), "plumb-"+run+"-*"))
	for _, dir := range left {
		_ = cgroup(dir).remove()
	}
}

// write sets one of the cgroup's switches, below may be a branch of it.
func (c cgroup) write(below, name, value string) error {
	if err := os.WriteFile(filepath.Join(string(c), below, name), []byte(value), 0); err != nil {
		return fmt.Errorf("cannot set %s: %w", name, err)
	}
	return nil
}

// populated reports whether a process lives in it. A zombie does not count, unlike for kill -0.
func (c cgroup) populated() bool {
	events, err := os.ReadFile(filepath.Join(string(c), "cgroup.events"))
	return err == nil && bytes.Contains(events, []byte("populated 1"))
}

// init is the process id of the host's own process 1, as this program sees it.
func (c cgroup) init() (int, error) {
	procs, err := os.ReadFile(filepath.Join(string(c), "payload", "init.scope", "cgroup.procs"))
	if err != nil {
		return 0, fmt.Errorf("the host has no process 1: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(procs))
	if !lines.Scan() {
		return 0, fmt.Errorf("the host has no process 1")
	}
	return strconv.Atoi(lines.Text())
}

// remove removes it and all its branches, waiting a little for the last process to go.
func (c cgroup) remove() error {
	for deadline := time.Now().Add(5 * time.Second); c.populated() && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	var dirs []string
	err := filepath.WalkDir(string(c), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for _, dir := range slices.Backward(dirs) {
		err = os.Remove(dir)
	}
	if err != nil {
		return fmt.Errorf("cannot remove a cgroup: %w", err)
	}
	return nil
}

// processes lists what runs in it and what each process waits for, for a person who has to
// find out why a host hangs.
func (c cgroup) processes() string {
	var list strings.Builder
	_ = filepath.WalkDir(string(c), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return nil
		}
		pids, _ := os.ReadFile(path)
		for pid := range strings.FieldsSeq(string(pids)) {
			comm, _ := os.ReadFile("/proc/" + pid + "/comm")
			wait, _ := os.ReadFile("/proc/" + pid + "/wchan")
			fmt.Fprintf(&list, "%s %s %s in %s\n", pid, bytes.TrimSpace(comm), wait, strings.TrimPrefix(filepath.Dir(path), string(c)))
		}
		return nil
	})
	return list.String()
}

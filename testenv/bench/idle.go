package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// idle tells what a process took while nothing happened.
func idle(ctx context.Context, pid int, d time.Duration) error {
	before, err := look(pid)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
	}
	after, err := look(pid)
	if err != nil {
		return err
	}
	fmt.Printf("process %d (%s), %s: %s of CPU, %.1f MB resident (%.1f MB of it files, as the program itself; at most %.1f MB since its start)\n", pid,
		after.name, d, time.Duration(after.ticks-before.ticks)*tick, after.resident, after.files, after.most)
	return nil
}

// tick is what the kernel counts CPU time in.
const tick = time.Second / 100

// usage is what the kernel knows of a process.
type usage struct {
	name                  string
	ticks                 int64
	resident, files, most float64 // MB, a million bytes
}

func look(pid int) (usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return usage{}, fmt.Errorf("cannot look at process %d: %w", pid, err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const user, system = 11, 12 // counted behind the name
	if len(fields) <= system {
		return usage{}, fmt.Errorf("cannot read the times of process %d", pid)
	}
	u, _ := strconv.ParseInt(fields[user], 10, 64)
	s, _ := strconv.ParseInt(fields[system], 10, 64)
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return usage{}, fmt.Errorf("cannot look at process %d: %w", pid, err)
	}
	return usage{name: statusOf(string(status), "Name"), ticks: u + s, resident: megabytes(string(status), "VmRSS"),
		files: megabytes(string(status), "RssFile"), most: megabytes(string(status), "VmHWM")}, nil
}

func statusOf(status, key string) string {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func megabytes(status, key string) float64 {
	kib, _ := strconv.ParseFloat(strings.TrimSuffix(statusOf(status, key), " kB"), 64)
	return kib * 1024 / 1e6
}

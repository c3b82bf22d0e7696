package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
		after.name, d, (after.cpu - before.cpu).Round(time.Millisecond), after.resident, after.files, after.most)
	return nil
}

// usage is what the kernel knows of a process.
type usage struct {
	name                  string
	cpu                   time.Duration
	resident, files, most float64 // MB, a million bytes
}

func look(pid int) (usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return usage{}, fmt.Errorf("cannot look at process %d: %w", pid, err)
	}
	cpu, err := runTime(dir)
	if err != nil {
		return usage{}, fmt.Errorf("cannot read the times of process %d: %w", pid, err)
	}
	return usage{name: statusOf(string(status), "Name"), cpu: cpu, resident: megabytes(string(status), "VmRSS"),
		files: megabytes(string(status), "RssFile"), most: megabytes(string(status), "VmHWM")}, nil
}

// runTime is the time for which the threads of a process ran, by the scheduler's own clock: the ticks that ps
// shows are a hundredth of a second each.
func runTime(dir string) (all time.Duration, err error) {
	threads, err := filepath.Glob(dir + "/task/*/schedstat")
	if err == nil && len(threads) == 0 {
		err = errors.New("this kernel keeps no schedstat")
	}
	for _, path := range threads {
		raw, _ := os.ReadFile(path) // one that has ended is missed
		var one int64
		_, _ = fmt.Sscan(string(raw), &one)
		all += time.Duration(one)
	}
	return all, err
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

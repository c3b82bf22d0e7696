package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// runner is one program on one work.
type runner struct {
	name    string
	argv    []string
	before  func() error // is not measured
	differs string       // what its output holds when it finds something to do
	goal    time.Duration
	most    int           // runs, where one takes long; 0 is as many as all
	limit   time.Duration // of one run; 0 is ten minutes
	wall    []time.Duration
	cpu     []time.Duration
	memory  int64 // most resident, in KiB
	failure string
}

// ours are Plumb in its ways, and the minimal program.
func (w *work) ours(agent, minimal string) ([]*runner, error) {
	list := filepath.Join(w.dir, "list.json")
	raw, err := json.Marshal(w.items)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(list, raw, 0o644); err != nil {
		return nil, err
	}
	runners := []*runner{{name: "minimal Go program", argv: []string{minimal, list}}}
	ways := []struct {
		cold, warm string
		files      map[string]string
	}{{fromSource, fromCache, map[string]string{"work.hcl": w.compact()}}}
	if len(w.items.Files) >= 1000 {
		ways = append(ways, struct {
			cold, warm string
			files      map[string]string
		}{verbose, verboseHit, w.blocks()})
	}
	for i, way := range ways {
		policy, state := filepath.Join(w.dir, fmt.Sprint("policy", i)), filepath.Join(w.dir, fmt.Sprint("state", i))
		if err := writeAll(policy, way.files); err != nil {
			return nil, err
		}
		argv := []string{agent, "apply", policy, "--audit", "--state", state}
		forget := func() error { return ignoreMissing(os.Remove(filepath.Join(state, "apply", "catalog"))) }
		runners = append(runners, &runner{name: way.cold, argv: argv, before: forget, goal: w.goals[way.cold]},
			&runner{name: way.warm, argv: argv, goal: w.goals[way.warm]})
	}
	return runners, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// measure runs all of them in turn, as often as it is told, after one run each that does not count.
func measure(ctx context.Context, runners []*runner, runs int) error {
	for i := range runs + 1 {
		for _, r := range runners {
			if r.failure != "" || r.most > 0 && i > r.most {
				continue
			}
			if err := r.run(ctx, i > 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// run runs it once. A program that finds something to do has not the work that was meant.
func (r *runner) run(ctx context.Context, counts bool) error {
	if r.before != nil {
		if err := r.before(); err != nil {
			return err
		}
	}
	limit := r.limit
	if limit == 0 {
		limit = 10 * time.Minute
	}
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(inner, r.argv[0], r.argv[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case inner.Err() != nil:
		r.failure = "took more than " + limit.String()
	case err != nil:
		r.failure = fmt.Sprintf("%v: %s", err, tail(out.String()))
	case r.differs != "" && strings.Contains(out.String(), r.differs):
		r.failure = "found something to do, so it is not in order for it: " + tail(out.String())
	case counts:
		used := cmd.ProcessState
		r.wall, r.cpu = append(r.wall, took), append(r.cpu, used.UserTime()+used.SystemTime())
		if usage, ok := used.SysUsage().(*syscall.Rusage); ok {
			r.memory = max(r.memory, usage.Maxrss)
		}
	}
	return nil
}

func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := lines[len(lines)-1]
	return last[:min(len(last), 160)]
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// table prints the medians. The first runner is the one that the others are compared with.
func table(w io.Writer, runners []*runner) {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  program\tmedian\tmin … max\tCPU\tmemory\tratio\tgoal")
	for _, r := range runners {
		if r.failure != "" || len(r.wall) == 0 {
			fmt.Fprintf(t, "  %s\t–\t\t\t\t\t%s\n", r.name, r.failure)
			continue
		}
		ratio := float64(median(r.wall)) / float64(median(runners[0].wall))
		fmt.Fprintf(t, "  %s\t%s\t%s … %s\t%s\t%d MiB\t%.1f\t%s\n", r.name, short(median(r.wall)), short(slices.Min(r.wall)), short(slices.Max(r.wall)),
			short(median(r.cpu)), r.memory>>10, ratio, r.verdict())
	}
	t.Flush()
}

func (r *runner) verdict() string {
	switch {
	case r.goal == 0:
		return ""
	case median(r.wall) <= r.goal:
		return "under " + short(r.goal) + ": yes"
	}
	return "under " + short(r.goal) + ": no"
}

func short(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < 10*time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// conditions says where and when, and how busy the machine was.
func conditions(agent string) string {
	version, _ := exec.Command(agent, "version").Output()
	load, _ := os.ReadFile("/proc/loadavg")
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	busy := strings.Fields(string(load) + " ?")[0]
	return fmt.Sprintf("%s, %d processors, Linux %s, %s, %s, load %s. Medians of whole runs, all programs in turn.",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version(), strings.TrimSpace(string(version)), busy)
}

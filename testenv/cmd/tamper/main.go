// Tamper changes on a host what is managed there, one thing after the other, and measures how long
// each stays changed.
//
//	tamper files FOLDER N    the files 0 to N-1 in FOLDER, which hold "whole" and are root's with mode 0644
//	tamper burst FOLDER N    the same, all at once
//	tamper units PREFIX N    the services PREFIX0 to PREFIX(N-1), which run and are enabled
//
// It prints one line in JSON for each way to tamper, and one for all of them. It ends with 1 when
// something is not mended in time.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"
)

// patience is after how long something counts as never mended.
const patience = 30 * time.Second

// Figures are how long something took to be mended, in milliseconds.
type Figures struct {
	What    string `json:"what"`
	Way     string `json:"way"`
	N       int    `json:"n"`
	Never   int    `json:"never"`
	Over1s  int    `json:"over_1s"`
	P50     int64  `json:"p50_ms"`
	P95     int64  `json:"p95_ms"`
	P99     int64  `json:"p99_ms"`
	Longest int64  `json:"longest_ms"`
	// After is how much of the longest times came after the stranger's own command had ended.
	AfterP50     int64 `json:"after_p50_ms,omitempty"`
	AfterP95     int64 `json:"after_p95_ms,omitempty"`
	AfterLongest int64 `json:"after_longest_ms,omitempty"`
	AfterOver1s  int   `json:"after_over_1s,omitempty"`
}

// sample is one thing that was tampered with.
type sample struct {
	way   string
	took  time.Duration
	after time.Duration // since who did it was done; 0 where that takes no time
	never bool
}

func main() {
	if len(os.Args) != 4 {
		fail("usage: tamper files|burst|units WHERE N")
	}
	n, err := strconv.Atoi(os.Args[3])
	if err != nil || n < 1 {
		fail("how many? N is at least 1")
	}
	var list []sample
	switch where := os.Args[2]; os.Args[1] {
	case "files":
		list = files(where, n)
	case "burst":
		list = burst(where, n)
	case "units":
		list = units(where, n)
	default:
		fail("tamper with files, burst or units")
	}
	if tell(os.Args[1], list) > 0 {
		os.Exit(1)
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "tamper: error:", why)
	os.Exit(1)
}

func must(err error) {
	if err != nil {
		fail(err.Error())
	}
}

// tell prints the figures and returns how many were never mended.
func tell(what string, list []sample) int {
	ways := map[string][]sample{}
	for _, one := range list {
		ways[one.way] = append(ways[one.way], one)
	}
	names := make([]string, 0, len(ways))
	for name := range ways {
		names = append(names, name)
	}
	slices.Sort(names)
	out := json.NewEncoder(os.Stdout)
	for _, name := range names {
		must(out.Encode(figures(what, name, ways[name])))
	}
	all := figures(what, "all", list)
	must(out.Encode(all))
	return all.Never
}

func figures(what, way string, list []sample) Figures {
	f := Figures{What: what, Way: way, N: len(list)}
	var took, after []int64
	for _, one := range list {
		if one.never {
			f.Never++
			continue
		}
		if one.took > time.Second {
			f.Over1s++
		}
		if one.after > time.Second {
			f.AfterOver1s++
		}
		took, after = append(took, one.took.Milliseconds()), append(after, one.after.Milliseconds())
	}
	slices.Sort(took)
	slices.Sort(after)
	if len(took) == 0 {
		return f
	}
	at := func(list []int64, share float64) int64 { return list[min(len(list)-1, int(share*float64(len(list))))] }
	f.P50, f.P95, f.P99, f.Longest = at(took, .50), at(took, .95), at(took, .99), at(took, 1)
	f.AfterP50, f.AfterP95, f.AfterLongest = at(after, .50), at(after, .95), at(after, 1)
	return f
}

// await asks again and again until something is mended.
func await(began time.Time, every time.Duration, mended func() bool) (took time.Duration, never bool) {
	for !mended() {
		if time.Since(began) > patience {
			return 0, true
		}
		time.Sleep(every)
	}
	return time.Since(began), false
}

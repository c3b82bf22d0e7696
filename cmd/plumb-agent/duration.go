package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

var durationPart = regexp.MustCompile(`^([0-9]{1,6})(s|m|h|d|w)`)

var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// maxDuration is a year: nobody means more.
const maxDuration = 366 * 24 * time.Hour

// parseDuration reads a time as people write it: 90s, 2h, 7d, 1w, 1h30m.
func parseDuration(text string) (time.Duration, error) {
	var sum time.Duration
	for rest := text; rest != "" || text == ""; {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, badDuration(text)
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, badDuration(text)
		}
		if sum += time.Duration(n) * units[m[2]]; sum > maxDuration {
			return 0, badDuration(text)
		}
		rest = rest[len(m[0]):]
	}
	if sum <= 0 {
		return 0, badDuration(text)
	}
	return sum, nil
}

func badDuration(text string) error {
	return &failure{err: fmt.Errorf("%q is not a usable length of time", text), hint: "write 30m, 2h, 7d or 1w; a year is the most"}
}

package web

import (
	"fmt"
	"net/url"

	"plumb/policies"
)

// The bar is drawn on a grid of this many units, whatever width the window gives it.
const (
	barWidth = 1000
	barGap   = 4
	// barLeast keeps one host among ten thousand visible.
	barLeast = 10
)

// segment is one status in the bar of hosts, and a row of the list that says the same.
type segment struct {
	Status policies.Status
	Count  int
	// Share is the percentage in words.
	Share string
	// Link is the list of these hosts.
	Link string
	// X and Width are in units of the bar.
	X, Width int
}

// bar shares the width out to the statuses that occur, the best first.
func bar(counts map[policies.Status]int) []segment {
	var segments []segment
	var shares []int
	total := 0
	for _, s := range policies.Statuses {
		if n := counts[s]; n > 0 {
			total += n
			shares = append(shares, n)
			segments = append(segments, segment{Status: s, Count: n, Link: "/hosts?" + url.Values{"status": {string(s)}}.Encode()})
		}
	}
	for i, at := range spans(shares) {
		one := &segments[i]
		one.Share = share(one.Count, total)
		one.X, one.Width = at.x, at.width
	}
	return segments
}

// share is a part of a whole in per cent. Rounding never turns some into none, nor nearly
// all into all.
func share(part, whole int) string {
	if whole == 0 {
		return "0 %"
	}
	percent := float64(part) * 100 / float64(whole)
	switch {
	case part > 0 && percent < 0.1:
		return "<0.1 %"
	case part < whole && percent > 99.9:
		return ">99.9 %"
	case percent == float64(int(percent)):
		return fmt.Sprintf("%d %%", int(percent))
	}
	return fmt.Sprintf("%.1f %%", percent)
}

package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plumb/server/views"
)

// columns stacks the series into a column for each of the instants, the last of which ends at to.
func columns(at []time.Time, to time.Time, list []series, most float64) (bands []band, slots []slot) {
	edges := append(slices.Clone(at), to)
	xs := places(edges)
	for i := range xs {
		xs[i] = inset + xs[i]*(plotWidth-inset)/plotWidth
	}
	for i := range at {
		gap := min((xs[i+1]-xs[i])*0.2, 8)
		slots = append(slots, slot{X: xs[i] + gap/2, Width: xs[i+1] - xs[i] - gap})
	}
	below := make([]float64, len(at))
	for _, s := range list {
		var path strings.Builder
		for i, value := range s.Values {
			if value > 0 {
				from, upTo := height(below[i], most), height(below[i]+value, most)
				fmt.Fprintf(&path, "M%s %sh%sv%sh-%sZ", short(slots[i].X), short(from), short(slots[i].Width), short(upTo-from), short(slots[i].Width))
			}
			below[i] += value
		}
		if path.Len() > 0 {
			bands = append(bands, band{Mark: s.Mark, Words: s.Words, Path: path.String()})
		}
	}
	return bands, slots
}

// inset is room for the scale, in units of the plot.
const inset = 40

// insetTicks are ticks of a chart that leaves that room.
func insetTicks(list []tick) []tick {
	for i := range list {
		x := (inset + list[i].at*(plotWidth-inset)/100) * 100 / plotWidth
		list[i].X, list[i].Anchor = short(x), anchor(x)
	}
	return list
}

// changeChart draws how changes ended.
func changeChart(k views.KPIs) chart {
	list := []series{{Mark: "error", Words: "failed"}, {Mark: "compliant", Words: "succeeded"}}
	return courseChart(k, "Changes that ended", list, func(i int) [2]int { return [2]int{k.Course[i].Failed, k.Course[i].Succeeded} })
}

// driftChart draws what drifted and was mended, or not.
func driftChart(k views.KPIs) chart {
	list := []series{{Mark: "noncompliant", Words: "detected"}}
	return courseChart(k, "Drift that was detected", list, func(i int) [2]int { return [2]int{k.Course[i].Detected} })
}

// courseChart draws counts of the slices of a period. Without any there is nothing to draw.
func courseChart(k views.KPIs, title string, list []series, counts func(i int) [2]int) chart {
	if len(k.Course) == 0 {
		return chart{}
	}
	c := chart{Title: title, Key: key(list)}
	at, most, total := make([]time.Time, len(k.Course)), 0.0, 0
	for i, slice := range k.Course {
		at[i] = slice.At
		row, sum := chartRow{When: slice.At.Format("2006-01-02")}, 0.0
		for n := range list {
			count := counts(i)[n]
			list[n].Values = append(list[n].Values, float64(count))
			row.Cells = append(row.Cells, views.Number(count))
			sum += float64(count)
			total += count
		}
		c.Rows, most = append(c.Rows, row), max(most, sum)
	}
	for _, s := range list {
		c.Heads = append(c.Heads, sentence(s.Words))
	}
	scale := roof(most)
	c.Bands, c.Slots = columns(at, k.To, list, scale)
	for i := range c.Slots {
		c.Slots[i].Words = "from " + c.Rows[i].When + ": " + strings.Join(c.Rows[i].Cells, " and ") + " " + strings.ToLower(strings.Join(c.Heads, " and "))
	}
	c.Grid, c.Ticks = grid(scale, whole), insetTicks(ticks(at[0], k.To, 7))
	c.Words = fmt.Sprintf("From %s to %s, %s in all, at most %s at a time.", k.From.Format("2 January 2006"), k.To.Format("2 January 2006"), views.Number(total), views.Number(int(most)))
	return c
}

package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"plumb/server/views"
)

// chart is a drawing of numbers over time. It stretches with the window while its words keep
// their size, and a table beside it has the same numbers.
type chart struct {
	// Title and Words are told to those who do not see it.
	Title, Words string
	Bands        []band
	Grid         []gridLine
	Ticks        []tick
	Slots        []slot
	// Key says what the bands are, the uppermost first.
	Key []band
	// Heads and Rows are the same in numbers.
	Heads []string
	Rows  []chartRow
}

// band is one area, or one column of a stack.
type band struct {
	// Mark names its colour and its pattern, Words say what it is.
	Mark, Words string
	// Path is where it lies, Line its upper edge where that is drawn.
	Path, Line string
}

// gridLine is a line across at Y pixels, with its words above it.
type gridLine struct {
	Y, Label int
	Words    string
}

// tick is a place in time: X is in per cent of the width.
type tick struct {
	X             string
	Anchor, Words string
	at            float64
}

// slot is where a pointer finds the words of one point.
type slot struct {
	X, Width float64
	Words    string
	// Link is the page as of that point; empty for none.
	Link string
}

// chartRow is one point of the table.
type chartRow struct {
	When  string
	Cells []string
	// Link is the page as of that point; empty for none.
	Link string
}

// The plot is drawn on a grid of plotWidth units, which the window stretches, and plotHeight pixels.
const (
	plotWidth  = 1000
	plotHeight = 160
	plotTop    = 18
)

// series is the numbers of one band.
type series struct {
	Mark, Words string
	Values      []float64
}

// areas stacks the series on one another, the first at the bottom, between the instants at; most is
// the number at the top.
func areas(at []time.Time, list []series, most float64) []band {
	xs := places(at)
	below := make([]float64, len(at))
	var bands []band
	for _, s := range list {
		above := make([]float64, len(at))
		for i := range above {
			above[i] = below[i] + s.Values[i]
		}
		if b, any := area(xs, below, above, most); any {
			b.Mark, b.Words = s.Mark, s.Words
			bands = append(bands, b)
		}
		below = above
	}
	return bands
}

// area is the band between two lines. Without any height there is none.
func area(xs, below, above []float64, most float64) (b band, any bool) {
	var edge, path strings.Builder
	for i, x := range xs {
		any = any || above[i] > below[i]
		point(&edge, i == 0, x, height(above[i], most))
	}
	path.WriteString(edge.String())
	for i := len(xs) - 1; i >= 0; i-- {
		point(&path, false, xs[i], height(below[i], most))
	}
	path.WriteByte('Z')
	return band{Path: path.String(), Line: edge.String()}, any
}

func point(out *strings.Builder, first bool, x, y float64) {
	letter := byte('L')
	if first {
		letter = 'M'
	}
	out.WriteByte(letter)
	out.WriteString(short(x))
	out.WriteByte(' ')
	out.WriteString(short(y))
}

// short is a number with as many digits as can be seen.
func short(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }

// height is how far from the top a value lies.
func height(value, most float64) float64 {
	if most <= 0 {
		return plotHeight
	}
	return plotHeight * (1 - min(max(value/most, 0), 1))
}

// places are the instants on the width, the first at its begin and the last at its end.
func places(at []time.Time) []float64 {
	xs := make([]float64, len(at))
	if len(at) == 0 {
		return xs
	}
	whole := at[len(at)-1].Sub(at[0])
	for i := range at {
		if whole > 0 {
			xs[i] = plotWidth * float64(at[i].Sub(at[0])) / float64(whole)
		}
	}
	return xs
}

// slots are around each instant, so that they cover the width.
func slots(at []time.Time, words func(i int) string) []slot {
	xs := places(at)
	list := make([]slot, len(xs))
	for i, x := range xs {
		from, to := 0.0, float64(plotWidth)
		if i > 0 {
			from = (xs[i-1] + x) / 2
		}
		if i+1 < len(xs) {
			to = (x + xs[i+1]) / 2
		}
		list[i] = slot{X: from, Width: to - from, Words: words(i)}
	}
	return list
}

// ticks are a few instants at which a day, or an hour of it, begins.
func ticks(from, to time.Time, most int) []tick {
	whole := to.Sub(from)
	if whole <= 0 {
		return nil
	}
	steps := []time.Duration{time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour}
	step := steps[0]
	for _, step = range steps {
		if whole/step <= time.Duration(most) {
			break
		}
	}
	if whole/step > time.Duration(most) {
		step = whole / time.Duration(most)
	}
	form := "2 Jan"
	if step < 24*time.Hour {
		form = "15:04"
	}
	var list []tick
	for at := from.UTC().Truncate(step); !at.After(to); at = at.Add(step) {
		x := 100 * float64(at.Sub(from)) / float64(whole)
		if x < 0 {
			continue
		}
		list = append(list, tick{at: x, X: short(x), Anchor: anchor(x), Words: at.Format(form)})
	}
	return roomy(list)
}

// roomy leaves out a tick at an edge, whose words lie beside it, where the next one is near.
func roomy(list []tick) []tick {
	const apart = 18 // per cent
	if len(list) > 1 && list[0].Anchor == "start" && list[1].at-list[0].at < apart {
		list = list[1:]
	}
	if n := len(list); n > 1 && list[n-1].Anchor == "end" && list[n-1].at-list[n-2].at < apart {
		list = list[:n-1]
	}
	return list
}

// anchor keeps words inside the drawing.
func anchor(x float64) string {
	switch {
	case x < 2.5:
		return "start"
	case x > 97.5:
		return "end"
	}
	return "middle"
}

// grid is the top of the scale and its middle, each with its words.
func grid(most float64, words func(float64) string) []gridLine {
	var lines []gridLine
	for _, part := range []float64{1, 0.5} {
		y := plotTop + int(math.Round(plotHeight*(1-part)))
		if said := words(most * part); said != "" {
			lines = append(lines, gridLine{Y: y, Label: y - 4, Words: said})
		}
	}
	return lines
}

// roof is the next number above that people count in.
func roof(value float64) float64 {
	if value <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(value)))
	for _, times := range []float64{1, 2, 4, 5, 10} {
		if value <= unit*times*(1+1e-9) {
			return unit * times
		}
	}
	return unit * 10
}

// key says what bands are, from the top down.
func key(list []series) []band {
	var keys []band
	for i := len(list) - 1; i >= 0; i-- {
		keys = append(keys, band{Mark: list[i].Mark, Words: list[i].Words})
	}
	return keys
}

// whole is a number of things on a scale; parts of them are not told.
func whole(f float64) string {
	if f != math.Trunc(f) {
		return ""
	}
	return views.Number(int(f))
}

// percent is a share on a scale.
func percent(f float64) string { return fmt.Sprintf("%g %%", math.Round(f*10)/10) }

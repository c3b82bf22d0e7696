package web

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var coordinate = regexp.MustCompile(`[ML](-?[0-9.]+) (-?[0-9.]+)`)

// corners are the points of a path.
func corners(t *rapid.T, path string) [][2]float64 {
	t.Helper()
	var list [][2]float64
	for _, m := range coordinate.FindAllStringSubmatch(path, -1) {
		x, errX := strconv.ParseFloat(m[1], 64)
		y, errY := strconv.ParseFloat(m[2], 64)
		if errX != nil || errY != nil {
			t.Fatalf("%q is no path", path)
		}
		list = append(list, [2]float64{x, y})
	}
	return list
}

// anySeries are some bands over a few instants that are not evenly apart.
func anySeries(t *rapid.T) (at []time.Time, list []series, most float64) {
	n := rapid.IntRange(1, 20).Draw(t, "points")
	for range n {
		last := start
		if len(at) > 0 {
			last = at[len(at)-1]
		}
		at = append(at, last.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "apart"))*time.Minute))
	}
	sums := make([]float64, n)
	for range rapid.IntRange(1, 4).Draw(t, "series") {
		s := series{Mark: "error"}
		for i := range n {
			value := float64(rapid.IntRange(0, 50).Draw(t, "value"))
			sums[i] += value
			s.Values = append(s.Values, value)
		}
		list = append(list, s)
	}
	for _, sum := range sums {
		most = max(most, sum)
	}
	return at, list, roof(most)
}

// TestAreas is that bands lie in the plot, in order of time, one on the other without a gap, and as high
// as their numbers.
func TestAreas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, list, most := anySeries(t)
		n, bands := len(at), 0
		below := make([]float64, n)
		for i := range below {
			below[i] = plotHeight
		}
		drawn := areas(at, list, most)
		for _, s := range list {
			sum := 0.0
			for _, v := range s.Values {
				sum += v
			}
			if sum == 0 {
				continue
			}
			points := corners(t, drawn[bands].Path)
			bands++
			if len(points) != 2*n {
				t.Fatalf("%d corners, want two for each of %d instants", len(points), n)
			}
			for i := range n {
				upper, lower := points[i], points[2*n-1-i]
				if upper[0] != lower[0] || upper[0] < 0 || upper[0] > plotWidth || i > 0 && upper[0] < points[i-1][0] {
					t.Fatalf("point %d lies at %g above and %g below", i, upper[0], lower[0])
				}
				if math.Abs(lower[1]-below[i]) > 0.11 || upper[1] < -0.01 || lower[1] > plotHeight {
					t.Fatalf("band %d begins at %g, and the one below it ends at %g", bands, lower[1], below[i])
				}
				if want := plotHeight * s.Values[i] / most; math.Abs(lower[1]-upper[1]-want) > 0.11 {
					t.Fatalf("%g of %g is %g high, want %g", s.Values[i], most, lower[1]-upper[1], want)
				}
				below[i] = upper[1]
			}
		}
		if bands != len(drawn) {
			t.Fatalf("%d bands, want %d", len(drawn), bands)
		}
	})
}

// TestSlots is that each place of the plot belongs to one instant.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, _, _ := anySeries(t)
		x := 0.0
		for i, s := range slots(at, func(i int) string { return fmt.Sprint(i) }) {
			if math.Abs(s.X-x) > 1e-6 || s.Width < 0 || s.Words != fmt.Sprint(i) {
				t.Fatalf("slot %d begins at %g, want %g", i, s.X, x)
			}
			x = s.X + s.Width
		}
		if math.Abs(x-plotWidth) > 1e-6 {
			t.Fatalf("slots end at %g", x)
		}
	})
}

// TestColumns is that columns lie side by side in the plot and are as high as their numbers.
func TestColumns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, list, most := anySeries(t)
		bands, places := columns(at, at[len(at)-1].Add(time.Hour), list, most)
		end := 0.0
		for _, p := range places {
			if p.X < end-1e-6 || p.X+p.Width > plotWidth+1e-6 || p.Width < 0 {
				t.Fatalf("a column from %g on is %g wide, and the one before ends at %g", p.X, p.Width, end)
			}
			end = p.X + p.Width
		}
		high, want := 0.0, 0.0
		for _, b := range bands {
			for _, part := range strings.Split(strings.TrimSuffix(b.Path, "Z"), "Z") {
				var x, y, w, h, back float64
				if _, err := fmt.Sscanf(part, "M%f %fh%fv%fh-%f", &x, &y, &w, &h, &back); err != nil || h > 0 || y > plotHeight || y+h < -0.11 || w != back {
					t.Fatalf("%q is no column: %v", part, err)
				}
				high -= h
			}
		}
		for _, s := range list {
			for _, v := range s.Values {
				want += plotHeight * v / most
			}
		}
		if math.Abs(high-want) > 0.06*float64(len(at)*len(list)) {
			t.Fatalf("columns are %g high in all, want %g", high, want)
		}
	})
}

func TestTicks(t *testing.T) {
	for name, c := range map[string]struct {
		from time.Time
		long time.Duration
		most int
		want []string
	}{
		"a day":     {start, 24 * time.Hour, 7, []string{"0 12:00", "25 18:00", "50 00:00", "75 06:00", "100 12:00"}},
		"a week":    {start, 7 * 24 * time.Hour, 7, []string{"7.1 22 Nov", "21.4 23 Nov", "35.7 24 Nov", "50 25 Nov", "64.3 26 Nov", "78.6 27 Nov", "92.9 28 Nov"}},
		"an hour":   {start, time.Hour, 7, []string{"0 12:00", "100 13:00"}},
		"no time":   {start, 0, 7, nil},
		"backwards": {start, -time.Hour, 7, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, one := range ticks(c.from, c.from.Add(c.long), c.most) {
				got = append(got, one.X+" "+one.Words)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("ticks differ (-want +got):\n%s", diff)
			}
		})
	}
	for years := range 30 {
		if n := len(ticks(start, start.AddDate(years, 1, 0), 7)); n > 9 {
			t.Errorf("%d years have %d ticks", years, n)
		}
	}
}

func TestRoofs(t *testing.T) {
	for value, want := range map[float64]float64{0: 1, 0.3: 0.4, 1: 1, 1.5: 2, 3: 4, 4.1: 5, 7: 10, 10: 10, 11: 20, 412: 500, 9_999: 10_000} {
		if got := roof(value); math.Abs(got-want) > 1e-9 {
			t.Errorf("roof(%g) = %g, want %g", value, got, want)
		}
	}
	for most, want := range map[float64]float64{0: 2, 1.8: 2, 1.9: 5, 4.6: 10, 10: 20, 30: 50, 46: 100, 100: 100} {
		if got := shareRoof(most); got != want {
			t.Errorf("shareRoof(%g) = %g, want %g", most, got, want)
		}
	}
}

func TestSecondsWords(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0 s", 119: "119 s", 120: "2 min", 7199: "120 min", 7200: "2.0 h", 172_800: "2.0 days", 1e12: "31688 years"} {
		if got := secondsWords(&seconds); got != want {
			t.Errorf("secondsWords(%g) = %q, want %q", seconds, got, want)
		}
	}
	if got := secondsWords(nil); got != noData {
		t.Errorf("secondsWords(nil) = %q", got)
	}
}

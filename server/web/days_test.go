package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/policies"
	"plumb/server/views"
)

// TestTrendOfEach is that a policy and a control that stand as they do now show how they stood before.
func TestTrendOfEach(t *testing.T) {
	f := newFleet(t)
	f.showPast(12)
	pages, session := f.serve(), f.session()
	for address, want := range map[string][]string{
		"/policies/time":                        {`<a href="/policies/time?as_of=2026-11-15T00%3A00%3A00Z">2026-11-15 00:00</a>`, "the last 30 days"},
		"/standing?control=cis_debian12:5.1.16": {`<a href="/standing?as_of=2026-11-15T00%3A00%3A00Z&amp;control=cis_debian12%3A5.1.16">2026-11-15 00:00</a>`},
		"/policies":                             {`<a href="/policies/time#trend"><svg class="spark"`}, "/controls": {`class="spark"`},
		"/?period=30d": {`<a href="/?as_of=2026-11-15T00%3A00%3A00Z&amp;period=30d">2026-11-15 00:00</a>`},
	} {
		var got string
		for range 60 { // a page that would wait too long comes without
			if got = body(t, pages, session, address); strings.Contains(got, want[0]) {
				break
			}
		}
		for _, one := range want {
			if !strings.Contains(got, one) {
				t.Errorf("GET %s lacks %q", address, one)
			}
		}
	}
}

func TestDayPoints(t *testing.T) {
	midnight := start.Truncate(24 * time.Hour)
	var days []views.Day
	for i, n := range []int{0, 0, 3, 0, 4} {
		days = append(days, views.Day{At: midnight.AddDate(0, 0, i-4), Policies: map[string]views.Tally{"p": {policies.Compliant: n}}})
	}
	of := func(d views.Day) views.Tally { return d.Policies["p"] }
	for at, want := range map[time.Time]string{start: "3 0 4 5", midnight: "3 0 5", midnight.AddDate(0, 0, -4): "5"} {
		var got []string
		for _, p := range dayPoints(days, views.Tally{policies.Compliant: 5}, at, of) {
			if p.At.After(at) {
				continue
			}
			got = append(got, fmt.Sprint(p.Hosts()))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("points as of %s have %v hosts, want %s", at, got, want)
		}
	}
}

// TestSparks is that trends of one list have one scale, and that where there were no hosts nothing was out of order.
func TestSparks(t *testing.T) {
	points := func(bad ...int) (list []views.TrendPoint) {
		for i, n := range bad {
			p := views.TrendPoint{At: start.AddDate(0, 0, i), Status: views.Tally{policies.Noncompliant: n, policies.Compliant: 100 - n}}
			if n < 0 {
				p.Status = nil
			}
			list = append(list, p)
		}
		return list
	}
	drawn := sparks([][]views.TrendPoint{points(0, 40, 0), points(0, 4, -1, 2), points(7)})
	if got, want := drawn[1].Words, "100.0 % as wanted on 21 November, 98.0 % now, 96.0 % at least"; got != want {
		t.Errorf("words = %q, want %q", got, want)
	}
	if len(drawn[2].Bands) != 0 || len(drawn[0].Bands) == 0 {
		t.Errorf("%d bands of one point and %d of three", len(drawn[2].Bands), len(drawn[0].Bands))
	}
	if path := drawn[1].Bands[0].Path; !strings.Contains(path, fmt.Sprint(short(height(4, 50)))) {
		t.Errorf("4 of 100 is drawn as %s on a scale that ends at 50", path)
	}
}

func TestTicksHaveRoom(t *testing.T) {
	for _, c := range []struct{ list, want []float64 }{
		{[]float64{1, 15, 29, 99}, []float64{15, 29, 99}}, {[]float64{1, 40, 90, 99}, []float64{1, 40, 90}}, {[]float64{5, 15, 95}, []float64{5, 15, 95}}, {[]float64{0}, []float64{0}}, {nil, nil},
	} {
		var list []tick
		for _, x := range c.list {
			list = append(list, tick{at: x, Anchor: anchor(x)})
		}
		var got []float64
		for _, one := range roomy(list) {
			got = append(got, one.at)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("roomy(%v) = %v, want %v", c.list, got, c.want)
		}
	}
}

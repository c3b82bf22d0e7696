package web

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// grounds are what text stands on, inks what it is written in.
var (
	grounds = []string{"ground", "surface", "sunken"}
	inks    = []string{"ink", "muted", "accent", "good", "better", "wait", "silent", "bad", "worst"}
)

// TestContrast reckons the contrast of every text colour on every ground, in both sets, as
// WCAG 2.2 does: level AA asks for 4.5.
func TestContrast(t *testing.T) {
	for scheme, colours := range colourSets(t) {
		pairs := [][2]string{{"ink", "added"}, {"ink", "removed"}, {"surface", "accent"}}
		for _, ground := range grounds {
			for _, ink := range inks {
				pairs = append(pairs, [2]string{ink, ground})
			}
		}
		for _, p := range pairs {
			if got := contrast(colours[p[0]], colours[p[1]]); got < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", scheme, p[0], p[1], got)
			}
		}
	}
}

var property = regexp.MustCompile(`--([a-z]+): #([0-9a-f]{6});`)

func colourSets(t *testing.T) map[string]map[string]float64 {
	raw, err := os.ReadFile("static/style.css")
	must(t, err)
	light, dark, found := strings.Cut(string(raw), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("there is no dark set of colours")
	}
	sets := map[string]map[string]float64{"light": luminances(light), "dark": luminances(dark)}
	for scheme, set := range sets {
		if len(set) != len(sets["light"]) || len(set) < len(grounds)+len(inks) {
			t.Fatalf("the %s set has %d colours", scheme, len(set))
		}
	}
	return sets
}

func luminances(css string) map[string]float64 {
	set := map[string]float64{}
	for _, m := range property.FindAllStringSubmatch(css, -1) {
		rgb, _ := strconv.ParseUint(m[2], 16, 32)
		set[m[1]] = 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8&0xff) + 0.0722*linear(rgb&0xff)
	}
	return set
}

func linear(channel uint64) float64 {
	c := float64(channel) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

// TestStyle holds the sheet to what it promises readers who asked their system for it.
func TestStyle(t *testing.T) {
	raw, err := os.ReadFile("static/style.css")
	must(t, err)
	for _, want := range []string{":focus-visible", "prefers-color-scheme: dark", "prefers-reduced-motion", "forced-colors", "@media print"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the style sheet does not care for %s", want)
		}
	}
	for _, foreign := range []string{"url(", "@import", "http:"} {
		if strings.Contains(string(raw), foreign) {
			t.Errorf("the style sheet loads something: %s", foreign)
		}
	}
}

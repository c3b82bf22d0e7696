package policies

import (
	"strings"
	"testing"
	"time"
)

func TestAged(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		w    Waiver
		want string
	}{
		"a year to the second": {Waiver{Expires: now.Add(MaxWaiver)}, ""},
		"a second more":        {Waiver{Expires: now.Add(MaxWaiver + time.Second)}, "error: Waiver too long"},
		"granted before":       {Waiver{From: now.Add(-time.Hour), Expires: now.Add(MaxWaiver)}, "error: Waiver too long"},
		"granted for later":    {Waiver{From: now.Add(time.Hour), Expires: now.Add(MaxWaiver + time.Second)}, ""},
		"over":                 {Waiver{Expires: now}, "warning: Waiver is over"},
		"about to be over":     {Waiver{Expires: now.Add(time.Second)}, ""},
	} {
		got := ""
		for _, p := range Aged([]Waiver{c.w}, now) {
			got += p.Severity + ": " + p.Summary
		}
		if got != c.want {
			t.Errorf("%s: Aged = %q, want %q", name, got, c.want)
		}
	}
}

func TestCauseWords(t *testing.T) {
	for want, got := range map[string]string{
		"corrective":                        Corrective.Words("a", "b"),
		"reverted waiver":                   RevertedWaiver.Words("", ""),
		"intentional":                       Intentional.Words("", ""),
		"intentional (bbbbbbbb)":            Intentional.Words("", "bbbbbbbbbb"),
		"intentional (aaaaaaaa → bbbbbbbb)": Intentional.Words(strings.Repeat("a", 40), strings.Repeat("b", 40)),
		"intentional (a fact changed)":      Intentional.Words("a", "a"),
	} {
		if got != want {
			t.Errorf("Words = %q, want %q", got, want)
		}
	}
}

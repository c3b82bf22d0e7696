package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/agent"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/calendar"
)

// One window is always open and the other on leap days only, so that the test holds on any day.
const windowed = `
window "always" {
  cron     = "0 0 * * *"
  duration = "2d"
}
window "leap_day" {
  cron     = "0 3 29 2 *"
  duration = "1h"
}
policy "p" {
  resource "file" "now" {
    path    = "/now"
    content = "now"
    window  = [window.always]
  }
  resource "file" "later" {
    path    = "/later"
    content = "later"
    window  = [window.leap_day]
  }
}
`

const frozen = `
freeze "for_long" {
  from   = "2020-01-01T00:00:00Z"
  until  = "2099-01-01T00:00:00Z"
  reason = "An audit"
}
`

func TestWindowsOfAHost(t *testing.T) {
	if now := time.Now().UTC(); now.Month() == time.February && now.Day() == 29 {
		t.Skip("needs another day: the window of the test opens on leap days")
	}
	h, dir := newHost(t), write(t, bundle.Tree{"main.hcl": []byte(windowed)})
	out, problems, code := h.agent("apply", dir)
	if code != 2 || !strings.Contains(out, "1 repaired") || !strings.Contains(out, "1 pending") || !strings.Contains(out, "waits for the window leap_day, which opens ") {
		t.Errorf("apply: exit %d, %s %s", code, out, problems)
	}
	if _, err := os.Stat(filepath.Join(h.root, "later")); err == nil {
		t.Error("/later was made outside of its window")
	}
	out, _, _ = h.agent("status")
	for _, want := range []string{"window    always is open, the last start is before ", "window    leap_day opens "} {
		if !strings.Contains(out, want) {
			t.Errorf("status lacks %q:\n%s", want, out)
		}
	}
	os.Remove(filepath.Join(h.root, "now"))
	out, _, code = h.agent("apply", write(t, bundle.Tree{"main.hcl": []byte(windowed + frozen)}))
	if code != 2 || strings.Count(out, "frozen by for_long until Thu 2099-01-01 00:00 UTC: An audit") != 2 {
		t.Errorf("in a freeze: exit %d, %s", code, out)
	}
	if out, _, _ = h.agent("status"); !strings.Contains(out, "freeze    for_long until Thu 2099-01-01 00:00 UTC: An audit") {
		t.Errorf("status does not tell of the freeze:\n%s", out)
	}
}

func TestOpenings(t *testing.T) {
	now := time.Date(2026, 11, 21, 21, 30, 0, 0, time.UTC)
	last := agent.Last{Timezone: "Europe/Berlin", Catalog: policies.Catalog{Windows: map[string]calendar.Window{
		"night": {Name: "night", Cron: "0 22 * * 6", Duration: 7200, Cutoff: 3600},
		"cut":   {Name: "cut", Cron: "0 22 * * 6", Duration: 7200, Cutoff: 7100},
		"over":  {Name: "over", Cron: "0 22 * * 6", Duration: 7200, Until: now.AddDate(-1, 0, 0)},
	}}}
	var got []string
	for _, o := range openings(last, now) {
		got = append(got, o.words())
	}
	want := "night is open, the last start is before Sat 2026-11-21 23:00 CET\ncut opens Sat 2026-11-28 22:00 CET"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("openings:\n%s\nwant:\n%s", text, want)
	}
}

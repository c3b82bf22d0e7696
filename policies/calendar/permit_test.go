package calendar

import (
	"testing"
	"time"
)

func TestPermit(t *testing.T) {
	const hours = 3600
	night := Window{Name: "sat_night", RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 5 * hours, Cutoff: hours, Timezone: "host"}
	noon := Window{Name: "noon", Cron: "0 12 * * *", Duration: hours, Timezone: "UTC", Classes: []string{Config}}
	over := Window{Name: "over", Cron: "0 12 * * *", Duration: hours, Until: at(t, "UTC", "2026-01-01 00:00")}
	broken := Window{Name: "broken", Cron: "0 12 * * *", Duration: hours, Timezone: "Mars/Olympus"}
	year := Freeze{Name: "year_end", From: at(t, "Europe/Berlin", "2026-12-18 00:00"), Until: at(t, "Europe/Berlin", "2027-01-04 06:00"),
		Allow: []string{"emergency"}, Reason: "Year-end closing"}
	reboots := Freeze{Name: "no_reboots", From: year.From, Until: year.Until, Classes: []string{Reboot}}
	for name, c := range map[string]struct {
		windows     []Window
		freezes     []Freeze
		class, lane string
		now         string // in Berlin
		reason      string // empty: allowed
		next        string
	}{
		"no windows, no freezes":      {now: "2026-11-21 12:00", class: Package},
		"within the window":           {windows: []Window{night}, now: "2026-11-21 23:00", class: Package},
		"before the window":           {windows: []Window{night}, now: "2026-11-21 12:00", class: Package, reason: "waits for the window sat_night, which opens Sat 2026-11-21 22:00 CET", next: "2026-11-21 22:00"},
		"past its cutoff":             {windows: []Window{night}, now: "2026-11-22 02:00", class: Package, reason: "waits for the window sat_night, which opens Sat 2026-11-28 22:00 CET", next: "2026-11-28 22:00"},
		"one of two is enough":        {windows: []Window{night, noon}, now: "2026-11-23 13:30", class: Config},
		"the other class":             {windows: []Window{night, noon}, now: "2026-11-23 13:30", class: Package, reason: "waits for the window sat_night, which opens Sat 2026-11-28 22:00 CET", next: "2026-11-28 22:00"},
		"the nearest of two":          {windows: []Window{night, noon}, now: "2026-11-23 18:30", class: Config, reason: "waits for the window noon, which opens Tue 2026-11-24 12:00 UTC", next: "2026-11-24 13:00"},
		"a window that is over":       {windows: []Window{over}, now: "2026-11-23 18:30", class: Config, reason: "waits for a window, but none of over opens again for changes of class config"},
		"a window nobody can read":    {windows: []Window{broken}, now: "2026-11-23 12:30", class: Config, reason: "the window broken cannot be read here: unknown time zone Mars/Olympus"},
		"one that can be read":        {windows: []Window{broken, noon}, now: "2026-11-23 13:30", class: Config},
		"a freeze beats a window":     {windows: []Window{night}, freezes: []Freeze{year}, now: "2026-12-19 23:00", class: Package, reason: "frozen by year_end until Mon 2027-01-04 06:00 CET: Year-end closing", next: "2027-01-09 22:00"},
		"a freeze without windows":    {freezes: []Freeze{year}, now: "2026-12-19 23:00", class: Package, reason: "frozen by year_end until Mon 2027-01-04 06:00 CET: Year-end closing", next: "2027-01-04 06:00"},
		"a freeze lets a lane pass":   {freezes: []Freeze{year}, now: "2026-12-19 23:00", class: Package, lane: "emergency"},
		"a lane still needs a window": {windows: []Window{night}, freezes: []Freeze{year}, now: "2026-12-19 12:00", class: Package, lane: "emergency", reason: "waits for the window sat_night, which opens Sat 2026-12-19 22:00 CET", next: "2026-12-19 22:00"},
		"a freeze of another class":   {freezes: []Freeze{reboots}, now: "2026-12-19 23:00", class: Package},
		"the first instant of it":     {freezes: []Freeze{reboots}, now: "2026-12-18 00:00", class: Reboot, reason: "frozen by no_reboots until Mon 2027-01-04 06:00 CET", next: "2027-01-04 06:00"},
		"the instant that ends it":    {freezes: []Freeze{reboots}, now: "2027-01-04 06:00", class: Reboot},
		"the last window before it":   {windows: []Window{night}, freezes: []Freeze{year}, now: "2026-12-17 23:00", class: Package, reason: "waits for the window sat_night, which opens Sat 2027-01-09 22:00 CET", next: "2027-01-09 22:00"},
	} {
		t.Run(name, func(t *testing.T) {
			berlin := load(t, "Europe/Berlin")
			got := Calendar{Windows: c.windows, Freezes: c.freezes, Host: berlin}.Permit(c.class, c.lane, at(t, "Europe/Berlin", c.now))
			if got.Reason != c.reason || got.Allowed != (c.reason == "") {
				t.Errorf("Permit = %v, %q, want %q", got.Allowed, got.Reason, c.reason)
			}
			next := ""
			if !got.Next.IsZero() {
				next = got.Next.In(berlin).Format("2006-01-02 15:04")
			}
			if next != c.next {
				t.Errorf("it may start at %q, want %q", next, c.next)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	fine := Window{RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 3600, Timezone: "Europe/Berlin"}
	if err := fine.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Window){
		"no rule":                func(w *Window) { w.RRule = "" },
		"two rules":              func(w *Window) { w.Cron = "0 0 * * *" },
		"no start":               func(w *Window) { w.Start = "" },
		"an hour too late":       func(w *Window) { w.Start = "24:00" },
		"a start in words":       func(w *Window) { w.Start = "9:00" },
		"a start beside cron":    func(w *Window) { w.RRule, w.Cron = "", "0 0 * * *" },
		"six fields":             func(w *Window) { w.RRule, w.Start, w.Cron = "", "", "0 0 0 * * *" },
		"a minute too late":      func(w *Window) { w.RRule, w.Start, w.Cron = "", "", "60 0 * * *" },
		"a word for a rule":      func(w *Window) { w.RRule, w.Start, w.Cron = "", "", "@daily" },
		"a day that never comes": func(w *Window) { w.RRule, w.Start, w.Cron = "", "", "0 0 30 2 *" },
		"never, by rrule":        func(w *Window) { w.RRule = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30" },
		"never, the long way":    func(w *Window) { w.RRule = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" },
		"hourly":                 func(w *Window) { w.RRule = "FREQ=HOURLY" },
		"hours in the rule":      func(w *Window) { w.RRule = "FREQ=DAILY;BYHOUR=3" },
		"a count":                func(w *Window) { w.RRule = "FREQ=DAILY;COUNT=3" },
		"an end in the rule":     func(w *Window) { w.RRule = "FREQ=DAILY;UNTIL=20270101T000000Z" },
		"a second line":          func(w *Window) { w.RRule = "FREQ=DAILY\nFREQ=DAILY" },
		"a day to count from":    func(w *Window) { w.RRule = "DTSTART=20260101T000000Z;FREQ=DAILY" },
		"counted from nothing":   func(w *Window) { w.RRule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA" },
		"a sixth in a month":     func(w *Window) { w.RRule = "FREQ=MONTHLY;BYDAY=6SU" },
		"a 54th of December":     func(w *Window) { w.RRule = "FREQ=YEARLY;BYMONTH=12;BYDAY=-54SU" },
		"a 54th in a year":       func(w *Window) { w.RRule = "FREQ=YEARLY;BYDAY=54SU" },
		"a second in a week":     func(w *Window) { w.RRule = "FREQ=WEEKLY;BYDAY=2SU" },
		"far before Easter":      func(w *Window) { w.RRule = "FREQ=YEARLY;BYEASTER=-81" },
		"far after Easter":       func(w *Window) { w.RRule = "FREQ=DAILY;BYEASTER=251" },
		"monthly on no day":      func(w *Window) { w.RRule = "FREQ=MONTHLY" },
		"no words of a rule":     func(w *Window) { w.RRule = "every saturday" },
		"no duration":            func(w *Window) { w.Duration = 0 },
		"a duration too long":    func(w *Window) { w.Duration = 32 * day },
		"all cutoff":             func(w *Window) { w.Cutoff = 3600 },
		"an offset back":         func(w *Window) { w.OffsetDays = -1 },
		"no such class":          func(w *Window) { w.Classes = []string{"kernel"} },
		"no such zone":           func(w *Window) { w.Timezone = "Mars/Olympus" },
		"a path for a zone":      func(w *Window) { w.Timezone = "../etc/passwd" },
		"until before from":      func(w *Window) { w.From, w.Until = time.Unix(2e9, 0), time.Unix(1e9, 0) },
		"over before it opens": func(w *Window) {
			w.From, w.Until = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := fine
			spoil(&w)
			if w.Check() == nil {
				t.Errorf("Check(%+v) finds nothing wrong", w)
			}
		})
	}
}

func TestCheckFreeze(t *testing.T) {
	from, until := time.Unix(1e9, 0), time.Unix(2e9, 0)
	for name, c := range map[string]struct {
		freeze Freeze
		fine   bool
	}{
		"fine":          {Freeze{From: from, Until: until, Classes: []string{Reboot}}, true},
		"no end":        {Freeze{From: from}, false},
		"the wrong way": {Freeze{From: until, Until: from}, false},
		"no such class": {Freeze{From: from, Until: until, Classes: []string{"all"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.freeze.Check(); (err == nil) != c.fine {
				t.Errorf("Check = %v, want fine: %v", err, c.fine)
			}
		})
	}
}

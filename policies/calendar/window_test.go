package calendar

import (
	"testing"
	"time"
	_ "time/tzdata"
)

func at(t *testing.T, zone, text string) time.Time {
	t.Helper()
	one, err := time.ParseInLocation("2006-01-02 15:04", text, load(t, zone))
	if err != nil {
		t.Fatal(err)
	}
	return one
}

func load(t *testing.T, zone string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// TestNext has dates that were looked up in a calendar, and instants in UTC, so that nothing of
// the package under test makes what is wanted.
func TestNext(t *testing.T) {
	const hours = 3600
	type c struct {
		window      Window
		host, after string // after is UTC
		want        string // start and end in UTC
	}
	for name, c := range map[string]c{
		"weekly": {Window{RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 5 * hours, Timezone: "Europe/Berlin"}, "UTC",
			"2026-11-21 12:00", "2026-11-21 21:00 2026-11-22 02:00"},
		"the zone of the host": {Window{RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 5 * hours, Timezone: "host"}, "America/New_York",
			"2026-11-21 12:00", "2026-11-22 03:00 2026-11-22 08:00"},
		"a gap of the clock, Berlin": {Window{RRule: "FREQ=WEEKLY;BYDAY=SU", Start: "02:30", Duration: 2 * hours, Timezone: "Europe/Berlin"}, "UTC",
			"2027-03-27 00:00", "2027-03-28 01:00 2027-03-28 03:00"},
		"a gap of the clock, by cron": {Window{Cron: "30 2 * * 0", Duration: 2 * hours, Timezone: "Europe/Berlin"}, "UTC",
			"2027-03-27 00:00", "2027-03-28 01:00 2027-03-28 03:00"},
		"the hour that comes twice, Berlin 2026": {Window{RRule: "FREQ=WEEKLY;BYDAY=SU", Start: "02:30", Duration: 2 * hours, Timezone: "Europe/Berlin"}, "UTC",
			"2026-10-24 00:00", "2026-10-25 00:30 2026-10-25 02:30"},
		"the hour that comes twice, Berlin 2027, by cron": {Window{Cron: "30 2 * * SUN", Duration: 2 * hours, Timezone: "Europe/Berlin"}, "UTC",
			"2027-10-30 00:00", "2027-10-31 00:30 2027-10-31 02:30"},
		"within the hour that comes twice, the first one is over": {Window{RRule: "FREQ=WEEKLY;BYDAY=SU", Start: "02:30", Duration: hours, Timezone: "Europe/Berlin"}, "UTC",
			"2027-10-31 00:30", "2027-11-07 01:30 2027-11-07 02:30"},
		"across the end of summer a night is an hour longer on the clock": {Window{RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 8 * hours, Timezone: "Europe/Berlin"}, "UTC",
			"2026-10-24 12:00", "2026-10-24 20:00 2026-10-25 04:00"},
		"a gap of the clock, New York": {Window{RRule: "FREQ=DAILY", Start: "02:15", Duration: hours, Timezone: "America/New_York"}, "UTC",
			"2027-03-14 00:00", "2027-03-14 07:00 2027-03-14 08:00"},
		"the hour that comes twice, New York": {Window{RRule: "FREQ=DAILY", Start: "01:30", Duration: hours, Timezone: "America/New_York"}, "UTC",
			"2026-10-31 12:00", "2026-11-01 05:30 2026-11-01 06:30"},
		"a gap of half an hour, Lord Howe": {Window{RRule: "FREQ=DAILY", Start: "02:15", Duration: hours, Timezone: "Australia/Lord_Howe"}, "UTC",
			"2026-10-03 00:00", "2026-10-03 15:30 2026-10-03 16:30"},
		"half an hour that comes twice, Lord Howe": {Window{RRule: "FREQ=DAILY", Start: "01:45", Duration: hours, Timezone: "Australia/Lord_Howe"}, "UTC",
			"2027-04-03 00:00", "2027-04-03 14:45 2027-04-03 15:45"},
		"a day that was left out, Samoa": {Window{RRule: "FREQ=DAILY", Start: "12:00", Duration: hours, Timezone: "Pacific/Apia"}, "UTC",
			"2011-12-29 22:00", "2011-12-30 10:00 2011-12-30 11:00"},
		"patch Tuesday": {Window{RRule: "FREQ=MONTHLY;BYDAY=2TU", Start: "18:00", Duration: hours, Timezone: "UTC"}, "UTC",
			"2026-12-01 00:00", "2026-12-08 18:00 2026-12-08 19:00"},
		"the Tuesday after patch Tuesday": {Window{RRule: "FREQ=MONTHLY;BYDAY=2TU", Start: "18:00", Duration: hours, Timezone: "UTC", OffsetDays: 7}, "UTC",
			"2026-12-01 00:00", "2026-12-15 18:00 2026-12-15 19:00"},
		"an offset into the next month": {Window{RRule: "FREQ=MONTHLY;BYMONTHDAY=-1", Start: "01:00", Duration: hours, Timezone: "UTC", OffsetDays: 3}, "UTC",
			"2027-03-01 00:00", "2027-03-03 01:00 2027-03-03 02:00"},
		"an offset by cron": {Window{Cron: "0 18 8-14 * *", Duration: hours, Timezone: "UTC", OffsetDays: 7}, "UTC",
			"2026-12-01 00:00", "2026-12-15 18:00 2026-12-15 19:00"},
		"the 31st, where there is one": {Window{RRule: "FREQ=MONTHLY;BYMONTHDAY=31", Start: "23:30", Duration: hours, Timezone: "UTC"}, "UTC",
			"2027-02-01 00:00", "2027-03-31 23:30 2027-04-01 00:30"},
		"the 31st by cron": {Window{Cron: "30 23 31 * *", Duration: hours, Timezone: "UTC"}, "UTC",
			"2027-04-01 00:00", "2027-05-31 23:30 2027-06-01 00:30"},
		"the last Friday": {Window{RRule: "FREQ=MONTHLY;BYDAY=-1FR", Start: "20:00", Duration: hours, Timezone: "UTC"}, "UTC",
			"2026-11-21 00:00", "2026-11-27 20:00 2026-11-27 21:00"},
		"the first working day": {Window{RRule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", Start: "20:00", Duration: hours, Timezone: "UTC"}, "UTC",
			"2027-05-01 00:00", "2027-05-03 20:00 2027-05-03 21:00"},
		"the leap day": {Window{RRule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", Start: "03:00", Duration: hours, Timezone: "UTC"}, "UTC",
			"2026-11-21 00:00", "2028-02-29 03:00 2028-02-29 04:00"},
		"the leap day by cron": {Window{Cron: "0 3 29 2 *", Duration: hours, Timezone: "UTC"}, "UTC",
			"2026-11-21 00:00", "2028-02-29 03:00 2028-02-29 04:00"},
		"a leap day on a Saturday": {Window{RRule: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SA", Start: "03:00", Duration: hours, Timezone: "UTC"}, "UTC",
			"2026-11-21 00:00", "2048-02-29 03:00 2048-02-29 04:00"},
		"cron takes the day of the month or of the week": {Window{Cron: "0 3 13 * 5", Duration: hours, Timezone: "UTC"}, "UTC",
			"2026-12-11 12:00", "2026-12-13 03:00 2026-12-13 04:00"},
		"every second week from a day": {Window{RRule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE", Start: "10:00", Duration: hours, Timezone: "UTC",
			From: time.Date(2026, 1, 7, 0, 0, 0, 0, time.UTC)}, "UTC",
			"2026-11-21 00:00", "2026-11-25 10:00 2026-11-25 11:00"},
		"not before from": {Window{RRule: "FREQ=DAILY", Start: "10:00", Duration: hours, Timezone: "UTC",
			From: time.Date(2027, 5, 1, 10, 0, 1, 0, time.UTC)}, "UTC",
			"2026-11-21 00:00", "2027-05-02 10:00 2027-05-02 11:00"},
		"at from itself": {Window{RRule: "FREQ=DAILY", Start: "10:00", Duration: hours, Timezone: "UTC",
			From: time.Date(2027, 5, 1, 10, 0, 0, 0, time.UTC)}, "UTC",
			"2026-11-21 00:00", "2027-05-01 10:00 2027-05-01 11:00"},
		"not from until on": {Window{RRule: "FREQ=DAILY", Start: "10:00", Duration: hours, Timezone: "UTC",
			Until: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}, "UTC", "2026-11-21 00:00", "never"},
		"the start itself is not after it": {Window{RRule: "FREQ=DAILY", Start: "10:00", Duration: hours, Timezone: "UTC"}, "UTC",
			"2026-11-21 10:00", "2026-11-22 10:00 2026-11-22 11:00"},
		"a zone that nobody knows": {Window{RRule: "FREQ=DAILY", Start: "10:00", Duration: hours, Timezone: "Mars/Olympus"}, "UTC",
			"2026-11-21 10:00", "never"},
	} {
		t.Run(name, func(t *testing.T) {
			got := "never"
			if o, ok := c.window.Next(at(t, "UTC", c.after), load(t, c.host)); ok {
				got = o.Start.UTC().Format("2006-01-02 15:04 ") + o.End.UTC().Format("2006-01-02 15:04")
			}
			if got != c.want {
				t.Errorf("Next(%s) = %s, want %s", c.after, got, c.want)
			}
		})
	}
}

func TestAt(t *testing.T) {
	night := Window{RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 5 * 3600, Cutoff: 3600, Timezone: "Europe/Berlin"}
	often := Window{Cron: "0 * * * *", Duration: 2 * 3600, Timezone: "UTC"}
	for name, c := range map[string]struct {
		window Window
		at     string // on the clock of Berlin
		open   bool
		cutoff string
	}{
		"before it":             {night, "2026-11-21 21:59", false, ""},
		"when it opens":         {night, "2026-11-21 22:00", true, "2026-11-22 02:00"},
		"past midnight":         {night, "2026-11-22 01:59", true, "2026-11-22 02:00"},
		"in its last hour":      {night, "2026-11-22 02:00", true, "2026-11-22 02:00"},
		"at its end":            {night, "2026-11-22 03:00", false, ""},
		"on another night":      {night, "2026-11-22 23:00", false, ""},
		"the latest of several": {often, "2026-11-21 12:30", true, "2026-11-21 14:00"},
	} {
		t.Run(name, func(t *testing.T) {
			o, open := c.window.At(at(t, "Europe/Berlin", c.at), nil)
			if open != c.open {
				t.Fatalf("At(%s) = %v, want %v", c.at, open, c.open)
			}
			if got := o.Cutoff.In(load(t, "Europe/Berlin")).Format("2006-01-02 15:04"); open && got != c.cutoff {
				t.Errorf("its cutoff is at %s, want %s", got, c.cutoff)
			}
		})
	}
}

func TestBetween(t *testing.T) {
	night := Window{RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 3600, Timezone: "UTC"}
	list := night.Between(at(t, "UTC", "2026-11-21 22:00"), at(t, "UTC", "2026-12-05 22:00"), nil)
	var got []string
	for _, o := range list {
		got = append(got, o.Start.Format("01-02"))
	}
	if len(got) != 2 || got[0] != "11-21" || got[1] != "11-28" {
		t.Errorf("Between = %v, want the start at the first instant and not that at the last", got)
	}
	minutely := Window{Cron: "* * * * *", Duration: 60, Timezone: "UTC"}
	if n := len(minutely.Between(at(t, "UTC", "2026-01-01 00:00"), at(t, "UTC", "2027-01-01 00:00"), nil)); n != MaxBetween {
		t.Errorf("Between returned %d occurrences, want the first %d", n, MaxBetween)
	}
}

package views

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies/calendar"
)

func plans() Plans {
	return Plans{Release: 3,
		Windows: []calendar.Window{
			{Name: "night", RRule: "FREQ=WEEKLY;BYDAY=SA", Start: "22:00", Duration: 5 * 3600, Cutoff: 3600, Timezone: "host", Classes: []string{"package"}},
			{Name: "noon", Cron: "0 12 * * 1", Duration: 3600, Timezone: "Europe/Berlin"},
			{Name: "leap", Cron: "0 12 29 2 *", Duration: 3600, Timezone: "UTC"},
		},
		Freezes: []calendar.Freeze{
			{Name: "over", From: at("2026-01-01 00:00"), Until: at("2026-02-01 00:00")},
			{Name: "packages", From: at("2026-11-25 00:00"), Until: at("2026-11-30 00:00"), Classes: []string{"package"}, Reason: "An audit, on site; twice\nover \\ done"},
			{Name: "north", From: at("2026-11-25 00:00"), Until: at("2027-01-01 00:00"), Groups: []string{"group.north"}, Allow: []string{"emergency"}},
		},
	}
}

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func brief(c Calendar) []string {
	var list []string
	for _, o := range c.Openings {
		text := o.Window + " " + o.Start.UTC().Format("2006-01-02 15:04") + " " + o.Timezone
		if o.Open {
			text += " open"
		}
		if o.Frozen != "" {
			text += " frozen by " + o.Frozen
		}
		list = append(list, text)
	}
	return list
}

func TestCalendar(t *testing.T) {
	for name, c := range map[string]struct {
		now  string
		host bool
		want []string
	}{
		"of the fleet": {"2026-11-21 09:00", false, []string{
			"night 2026-11-21 22:00 host", "noon 2026-11-23 11:00 Europe/Berlin", "night 2026-11-28 22:00 host frozen by packages", "noon 2026-11-30 11:00 Europe/Berlin",
			"leap 2028-02-29 12:00 UTC"}},
		"of a host": {"2026-11-21 09:00", true, []string{
			"night 2026-11-22 03:00 America/New_York", "noon 2026-11-23 11:00 Europe/Berlin", "night 2026-11-29 03:00 America/New_York frozen by north",
			"noon 2026-11-30 11:00 Europe/Berlin frozen by north", "leap 2028-02-29 12:00 UTC"}},
		"with one that is open": {"2026-11-23 11:30", false, []string{
			"noon 2026-11-23 11:00 Europe/Berlin open", "night 2026-11-28 22:00 host frozen by packages", "noon 2026-11-30 11:00 Europe/Berlin", "leap 2028-02-29 12:00 UTC"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := plans()
			if c.host {
				p.Host, p.Timezone = "web1", "America/New_York"
			}
			got, err := p.Calendar(at(c.now), 10)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, brief(got)); diff != "" {
				t.Errorf("openings (-want +got):\n%s", diff)
			}
			if len(got.Freezes) != 2 {
				t.Errorf("%d freezes, want the two that are not over", len(got.Freezes))
			}
		})
	}
}

func TestCalendarOfAHostInNoZone(t *testing.T) {
	if _, err := (Plans{Host: "web1", Timezone: "Mars/Olympus"}).Calendar(at("2026-11-21 09:00"), 10); err == nil {
		t.Error("a calendar in a zone that nobody knows")
	}
}

func TestICal(t *testing.T) {
	c, err := plans().Calendar(at("2026-11-21 09:00"), 7)
	if err != nil {
		t.Fatal(err)
	}
	c.Freezes[0].Reason += strings.Repeat(" ü", 60)
	feed := string(c.ICal(at("2026-11-21 09:00")))
	for line := range strings.Lines(feed) {
		if !strings.HasSuffix(line, "\r\n") || len(line) > 77 {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
	plain := strings.ReplaceAll(feed, "\r\n ", "")
	for _, want := range []string{
		"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n",
		"UID:window-night-1795298400-@plumb\r\nDTSTAMP:20261121T090000Z\r\nDTSTART:20261121T220000\r\nDTEND:20261122T030000\r\nSUMMARY:Window night\r\n" +
			"DESCRIPTION:For package. Nothing starts in the last 1h0m0s.\r\n",
		"DTSTART:20261123T110000Z\r\nDTEND:20261123T120000Z\r\nSUMMARY:Window noon\r\nTRANSP",
		"SUMMARY:Freeze packages\r\nDESCRIPTION:An audit\\, on site\\; twice\\nover \\\\ done" + strings.Repeat(" ü", 60) + "\\nStops package\r\n",
		"SUMMARY:Freeze north\r\nDESCRIPTION:For group.north\\nLets pass: emergency\r\n",
		"END:VEVENT\r\nEND:VCALENDAR\r\n",
	} {
		if !strings.Contains(plain, want) {
			t.Errorf("the feed lacks %q:\n%s", want, plain)
		}
	}
	if begun, ended := strings.Count(plain, "BEGIN:VEVENT"), strings.Count(plain, "END:VEVENT"); begun != 5 || ended != 5 {
		t.Errorf("%d events begin and %d end, want 5", begun, ended)
	}
}
